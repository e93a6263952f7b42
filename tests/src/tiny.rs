//! Tiny guests: a Debian kernel and BusyBox in an initramfs, a shell on the console.
use crate::busybox::busybox;
use crate::cpio::Cpio;
use crate::kernel::{self, Kernel};
use esos_units::Bytes;
use esos_vm::{Guest, Machine};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What tiny guests are started from; ends with its files.
#[derive(Debug)]
pub struct Tiny {
    dir: tempfile::TempDir,
    kernel: Kernel,
}

/// How long a tiny guest may take to its shell, software emulation on a busy host included.
pub const LIMIT: Duration = Duration::from_secs(300);

const MODULES: [&str; 12] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "xhci_pci",
    "usb_storage",
    "sd_mod",
    "ahci",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "8021q",
];

const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ PS1='tiny# '
mkdir -p /proc /sys /dev /run /tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r m; do insmod /modules/$m.ko; done </modules/list
echo "TINY-CMDLINE $(cat /proc/cmdline)"
echo TINY-READY
# Signals of the power button and a shell that ends both lead to power off.
setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
poweroff -f
"#;

impl Tiny {
    /// Makes the initramfs.
    ///
    /// # Errors
    /// In words, where this host has no kernel package or BusyBox and apt cannot fetch them.
    pub fn new() -> Result<Self, String> {
        let kernel = kernel::find()?;
        let busybox = busybox()?;
        let words = |error: std::io::Error| error.to_string();
        let mut archive = Cpio::default();
        for dir in ["bin", "modules", "dev"] {
            archive.directory(dir);
        }
        archive.file("bin/busybox", 0o755, &busybox);
        archive.file("init", 0o755, INIT.as_bytes());
        let mut list = String::new();
        for (name, bytes) in kernel.modules(&MODULES).map_err(words)? {
            archive.file(&format!("modules/{name}.ko"), 0o644, &bytes);
            list.push_str(&name);
            list.push('\n');
        }
        archive.file("modules/list", 0o644, list.as_bytes());
        let dir = tempfile::tempdir().map_err(words)?;
        fs::write(dir.path().join("initrd"), archive.finish()).map_err(words)?;
        Ok(Self { dir, kernel })
    }

    /// A file of the guests' own directory on this host.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A blank disk image.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn blank(&self, name: &str, size: Bytes) -> std::io::Result<PathBuf> {
        let path = self.path(name);
        fs::File::create(&path)?.set_len(size.get())?;
        Ok(path)
    }

    /// A machine of one processor and 256 MiB that boots to a shell on the console.
    #[must_use]
    pub fn machine(&self, name: &str) -> Machine {
        let arguments = "console=ttyS0 panic=-1 quiet";
        Machine::new(name).memory(Bytes::mib(256)).processors(1).kernel(
            &self.kernel.image,
            self.path("initrd"),
            arguments,
        )
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &Path {
        &self.kernel.image
    }

    /// The initramfs.
    #[must_use]
    pub fn initramfs(&self) -> PathBuf {
        self.path("initrd")
    }
}

/// Starts a tiny machine and opens its command channel.
///
/// # Errors
/// In words, with the tail of the console.
pub fn up(machine: Machine) -> Result<Guest, Box<dyn std::error::Error>> {
    let guest = machine.start()?;
    let ready = guest.console().wait_for(esos_vm::Mark::default(), "TINY-READY", LIMIT)?;
    guest.console().wait_for(ready, "tiny# ", LIMIT)?;
    guest.open_channel(LIMIT)?;
    Ok(guest)
}
