//! A set of packages that tests make themselves, with everything that is special about packages: enough
//! for an image that boots. Only kernel, modules, GRUB and BusyBox are real, out of this host's packages.
use crate::busybox::busybox;
use crate::disk::grub_tools;
use crate::kernel::{self, Kernel};
use esos_bootimg::deb::{DebWriter, Entry, Kind, TreePath};
use std::error::Error;
use std::fs;
use std::path::Path;

/// `cap_net_raw=ep` as the kernel keeps it: version 2, effective; permitted bit 13.
pub const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Modules that booting from any bus of a test's machine needs.
const MODULES: [&str; 17] = [
    "xhci_pci",
    "usb_storage",
    "sd_mod",
    "ahci",
    "virtio_pci",
    "virtio_blk",
    "loop",
    "squashfs",
    "ext4",
    "vfat",
    "nls_cp437",
    "nls_iso8859_1",
    "nls_ascii",
    "nls_utf8",
    "overlay",
    "crc32c_generic",
    "i6300esb",
];

/// PID 1 of the tiny root: says what it finds, then waits for commands on the console.
const INIT: &str = r#"#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PS1='tiny# '
exec </dev/console >/dev/console 2>&1
inode() { ls -i "$1" | sed 's/^ *//;s/ .*//'; }
echo "TINY-ROOT type=$(stat -f -c %T /) bin=$(readlink /bin) conf=$(cat /etc/tiny.conf)"
echo "TINY-LINKS $([ "$(inode /usr/share/tiny/one)" = "$(inode /usr/share/tiny/two)" ] && echo same || echo differ)"
echo "TINY-DIVERTED $(/usr/bin/greet) $(/usr/bin/greet.plain)"
echo TINY-READY
setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
poweroff -f
"#;

fn control(name: &str, more: &str) -> DebWriter {
    DebWriter::new(&format!(
        "Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: Tests <root@localhost>\n{more}Description: made by a test\n"
    ))
}

fn directories(deb: &mut DebWriter, path: &str) {
    for (at, _) in path.match_indices('/') {
        deb.dir(path.get(..at).unwrap_or_default(), 0o755);
    }
}

/// Every file of a directory, at the same path in a package.
fn tree(deb: &mut DebWriter, dir: &Path, below: &str) -> std::io::Result<()> {
    deb.dir(below, 0o755);
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{below}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            tree(deb, &entry.path(), &path)?;
        } else if kind.is_symlink() {
            deb.symlink(&path, &fs::read_link(entry.path())?.to_string_lossy());
        } else {
            deb.file(&path, &fs::read(entry.path())?, 0o755);
        }
    }
    Ok(())
}

/// The manifest that goes with the set.
pub const MANIFEST: &str = r#"
base = "none"
description = "A tiny root of packages made by a test"
include = ["tiny-init", "tiny-cap", "greet-loud", "linux-image-tiny"]
image = ["grub-pc-bin", "grub-efi-amd64-bin", "grub-common"]
[[drop]]
paths = ["boot/*"]
reason = "kernel and initramfs lie in the slot"
[[initramfs]]
load = ["xhci_pci", "usb_storage", "sd_mod", "loop", "squashfs"]
modules = ["ahci", "virtio_pci", "virtio_blk", "ext4", "vfat", "nls_cp437", "nls_iso8859_1", "nls_ascii", "nls_utf8", "overlay", "crc32c_generic", "i6300esb"]
reason = "what machines of the tests have"
"#;

/// What the set is made of on this host.
#[derive(Debug)]
pub struct Sources {
    kernel: Kernel,
    grub: std::path::PathBuf,
    busybox: Vec<u8>,
}

impl Sources {
    /// Looks for them.
    ///
    /// # Errors
    /// In words, where this host does not have them and apt cannot fetch them.
    pub fn find() -> Result<Self, String> {
        Ok(Self { kernel: kernel::find()?, grub: grub_tools()?, busybox: busybox()? })
    }

    /// Writes the packages into a directory.
    ///
    /// # Errors
    /// Where something cannot be read or written.
    pub fn write(&self, dir: &Path) -> Result<(), Box<dyn Error>> {
        let put = |name: &str, deb: &DebWriter| {
            fs::write(dir.join(format!("{name}_1.0-1_amd64.deb")), deb.finish())
        };
        put("base-files", &base())?;
        put("busybox-static", &self.shell()?)?;
        put("tiny-init", &init())?;
        put("tiny-cap", &capability()?)?;
        // Two that need each other.
        put("tiny-a", control("tiny-a", "Depends: tiny-b\n").dir("usr", 0o755))?;
        put("tiny-b", control("tiny-b", "Depends: tiny-a (>= 1.0)\n").dir("usr", 0o755))?;
        put(
            "greet",
            control("greet", "").dir("usr", 0o755).dir("usr/bin", 0o755).file(
                "usr/bin/greet",
                b"#!/bin/sh\necho hello\n",
                0o755,
            ),
        )?;
        put("greet-loud", &diverting())?;
        put("linux-image-tiny", &self.kernel()?)?;
        put("libc6", &self.libraries()?)?;
        put("grub-common", &self.part(control("grub-common", "Depends: libc6\n"), &["usr/bin"])?)?;
        put("grub-pc-bin", &self.part(control("grub-pc-bin", ""), &["usr/lib/grub/i386-pc"])?)?;
        put(
            "grub-efi-amd64-bin",
            &self.part(control("grub-efi-amd64-bin", ""), &["usr/lib/grub/x86_64-efi"])?,
        )?;
        Ok(())
    }

    /// Paths of before the merge of `/usr`, and BusyBox under many names.
    fn shell(&self) -> Result<DebWriter, Box<dyn Error>> {
        let mut deb = control("busybox-static", "Depends: base-files\n");
        deb.dir("bin", 0o755).file("bin/busybox", &self.busybox, 0o755);
        for applet in [
            "sh",
            "cat",
            "ls",
            "sed",
            "stat",
            "readlink",
            "mount",
            "umount",
            "sleep",
            "setsid",
            "poweroff",
            "reboot",
            "mkdir",
            "rm",
            "head",
            "wc",
            "stty",
            "sha256sum",
            "base64",
            "timeout",
            "grep",
            "find",
            "dd",
            "echo",
            "test",
            "[",
        ] {
            deb.symlink(&format!("bin/{applet}"), "busybox");
        }
        Ok(deb)
    }

    /// A kernel package as Debian makes them: no `modules.dep`, that is for its scripts.
    fn kernel(&self) -> Result<DebWriter, Box<dyn Error>> {
        let release = self.kernel.modules.file_name().ok_or("no release")?.to_string_lossy().into_owned();
        let mut deb = control("linux-image-tiny", "Provides: linux-image\n");
        deb.dir("boot", 0o755).file(
            &format!("boot/vmlinuz-{release}"),
            &fs::read(&self.kernel.image)?,
            0o644,
        );
        let dir = format!("lib/modules/{release}");
        directories(&mut deb, &format!("{dir}/kernel/all/"));
        for name in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
            deb.file(&format!("{dir}/{name}"), &fs::read(self.kernel.modules.join(name))?, 0o644);
        }
        for (name, bytes) in self.kernel.modules(&MODULES)? {
            deb.file(&format!("{dir}/kernel/all/{name}.ko"), &bytes, 0o644);
        }
        deb.control_file("postinst", b"#!/bin/sh\necho a script that must never run; exit 1\n");
        Ok(deb)
    }

    /// The C library under its true version, which our programs are checked against.
    fn libraries(&self) -> Result<DebWriter, Box<dyn Error>> {
        let dirs = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
        let libc = dirs.iter().find_map(|dir| fs::read(self.grub.join(dir).join("libc.so.6")).ok());
        let libc = libc.ok_or("no libc.so.6")?;
        let key = b"Debian GLIBC ";
        let at = libc.windows(key.len()).position(|w| w == key).ok_or("libc.so.6 names no version")?;
        let version = libc.get(at + key.len()..).unwrap_or_default().split(|&b| b == b')').next();
        let version = String::from_utf8_lossy(version.unwrap_or_default()).into_owned();
        let deb = DebWriter::new(&format!(
            "Package: libc6\nVersion: {version}\nArchitecture: amd64\nMaintainer: Tests <root@localhost>\nDescription: libraries\n"
        ));
        self.part(deb, &["lib64", "usr/lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"])
    }

    fn part(&self, mut deb: DebWriter, dirs: &[&str]) -> Result<DebWriter, Box<dyn Error>> {
        for dir in dirs.iter().filter(|dir| self.grub.join(dir).is_dir()) {
            directories(&mut deb, &format!("{dir}/"));
            tree(&mut deb, &self.grub.join(dir), dir)?;
        }
        Ok(deb)
    }
}

fn base() -> DebWriter {
    let mut deb = control("base-files", "Essential: yes\n");
    for dir in [
        "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/sbin", "var",
        "var/lib",
    ] {
        deb.dir(dir, 0o755);
    }
    deb.dir("tmp", 0o1777);
    deb.file("etc/passwd", b"root:*:0:0:root:/root:/bin/sh\n", 0o644);
    deb.file("etc/group", b"root:*:0:\n", 0o644);
    deb
}

fn init() -> DebWriter {
    let mut deb = control("tiny-init", "Depends: busybox-static, libc6, tiny-a, greet\n");
    deb.dir("sbin", 0o755).file("sbin/init", INIT.as_bytes(), 0o755);
    deb.dir("etc", 0o755).file("etc/tiny.conf", b"shipped", 0o644);
    deb.control_file("conffiles", b"/etc/tiny.conf\n");
    deb
}

/// A hard link, and a file that may open raw sockets.
fn capability() -> Result<DebWriter, Box<dyn Error>> {
    let mut deb = control("tiny-cap", "Pre-Depends: base-files\n");
    directories(&mut deb, "usr/share/tiny/");
    deb.file("usr/share/tiny/one", b"linked\n", 0o644);
    let target: TreePath = "usr/share/tiny/one".parse()?;
    deb.entry(Entry::new("usr/share/tiny/two".parse()?, Kind::HardLink { target }, 0o644), &[]);
    deb.dir("usr/bin", 0o755);
    let mut entry = Entry::new("usr/bin/tiny-ping".parse()?, Kind::File { size: 0 }, 0o755);
    entry.xattrs.insert("security.capability".to_owned(), CAPABILITY.to_vec());
    deb.entry(entry, b"#!/bin/sh\n");
    Ok(deb)
}

/// Takes the name of another package's program, which stays under another one.
fn diverting() -> DebWriter {
    let mut deb = control("greet-loud", "Depends: greet\n");
    deb.dir("usr", 0o755).dir("usr/bin", 0o755).file("usr/bin/greet", b"#!/bin/sh\necho HELLO\n", 0o755);
    deb.control_file(
        "preinst",
        b"#!/bin/sh\nset -e\ndpkg-divert --package greet-loud --add --rename --divert /usr/bin/greet.plain /usr/bin/greet\n",
    );
    deb
}
