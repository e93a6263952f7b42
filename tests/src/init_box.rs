//! Disk images whose slots hold a real kernel, `esos-init` and a root of BusyBox alone: the whole boot,
//! small enough to be tried often.
use crate::busybox::busybox;
use crate::disk::{boot_loader, grub_tools};
use crate::{image, kernel};
use esos_bootimg::disk::Seed;
use esos_bootimg::disk::grub::Menu;
use esos_bootimg::disk::image::{Layout, Parts, compose};
use esos_bootimg::disk::slot::{SlotFile, SlotParts};
use esos_bootimg::kernel::{Initramfs, Selection};
use esos_bootimg::root::{MemCache, Options, Own, RootBuilder, Silent};
use esos_layout::slot::{CAPTURE, INITRAMFS, KERNEL, ROOT, ROOT_INDEX};
use esos_units::Bytes;
use esos_vm::Guest;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `/sbin/init` of the tiny root prints last.
pub const END: &str = "ROOT-END";

/// A `/sbin/init` that says what it was given and what is mounted, shows the boot report, and ends.
pub const ROOT_INIT: &str = "#!/bin/busybox sh
/bin/busybox echo \"ROOT-REACHED $*\"
/bin/busybox cat /proc/self/mounts
/bin/busybox echo REPORT-BEGIN
/bin/busybox cat /run/esos/boot.json
/bin/busybox echo REPORT-END
/bin/busybox echo ROOT-END
/bin/busybox sleep 2
/bin/busybox poweroff -f
";

const MODULES: [&str; 13] = [
    "loop",
    "squashfs",
    "crc32c_generic",
    "i6300esb",
    "virtio_net",
    "sd_mod",
    "xhci_pci",
    "usb_storage",
    "ahci",
    "virtio_blk",
    "virtio_pci",
    "ext4",
    "overlay",
];

/// What is in a slot beside the kernel.
#[derive(Debug, Clone)]
pub struct Content<'a> {
    /// The version.
    pub version: &'a str,
    /// `/sbin/init` of the root.
    pub init: &'a str,
    /// Further programs of the root, each with the libraries that it needs on this host.
    pub programs: Vec<(String, PathBuf)>,
    /// Kernel arguments of the slot; with any of them it has a capture initramfs too.
    pub args: &'a str,
}

/// The files of one slot.
#[derive(Debug)]
pub struct Slot {
    version: String,
    args: String,
    capture: Option<Vec<u8>>,
    kernel: Vec<u8>,
    initramfs: Vec<u8>,
    root: Vec<u8>,
    index: String,
}

impl Slot {
    /// Makes them. Slots of two versions differ in their roots.
    ///
    /// # Errors
    /// In words, where this host lacks the kernel package, a static BusyBox or a built `esos-init`.
    pub fn new(version: &str) -> Result<Self, String> {
        Self::with(&kernel::find()?, &Content { version, init: ROOT_INIT, programs: Vec::new(), args: "" })
    }

    /// The same of any kernel, with other content.
    ///
    /// # Errors
    /// As [`Slot::new`].
    pub fn with(kernel: &kernel::Kernel, content: &Content<'_>) -> Result<Self, String> {
        let version = content.version;
        let words = |error: &dyn Error| error.to_string();
        let init = fs::read(image::release("esos-init")?).map_err(|e| words(&e))?;
        let busybox = busybox()?;
        let root = || -> Result<_, Box<dyn Error>> {
            let mut builder = RootBuilder::new(Options::new(1_700_000_000));
            for dir in ["bin", "sbin", "dev", "proc", "sys", "run", "etc", "mnt", "usr"] {
                builder = builder.own(Own::dir(dir, 0o755)?);
            }
            builder = builder
                .own(Own::file("bin/busybox", busybox, 0o755)?)
                .own(Own::file("sbin/init", content.init.as_bytes().to_vec(), 0o755)?)
                .own(Own::file("etc/version", version.as_bytes().to_vec(), 0o644)?);
            for (path, bytes) in with_libraries(&content.programs)? {
                builder = builder.own(Own::file(&path, bytes, 0o755)?);
            }
            let mut bytes = Vec::new();
            let image = builder.prepare(&MemCache::default(), &Silent)?.write(&mut bytes)?;
            Ok((bytes, image.index.to_string()))
        };
        let (root, index) = root().map_err(|e| e.to_string())?;
        let files = kernel.modules(&MODULES).map_err(|e| words(&e))?;
        let release = kernel.modules.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let selection = Selection {
            modules: files.iter().map(|(name, _)| name.clone()).collect(),
            // What ext4 asks for by an alias must come by itself.
            load: ["squashfs", "sd_mod", "ext4", "loop"].map(str::to_owned).to_vec(),
            absent: Vec::new(),
        };
        let modules: BTreeMap<_, _> =
            files.into_iter().map(|(name, bytes)| (format!("kernel/{name}.ko"), bytes)).collect();
        let initramfs = Initramfs {
            release,
            init: &init,
            root_index: &index,
            version,
            selection: &selection,
            modules: &modules,
            builtin: &fs::read_to_string(kernel.modules.join("modules.builtin")).map_err(|e| words(&e))?,
            firmware: &BTreeMap::new(),
            mtime: 1_700_000_000,
            level: 3,
        };
        let capture = Initramfs { root_index: "", ..initramfs.clone() };
        let write = |made: &Initramfs<'_>| made.write(Vec::new()).map_err(|e| words(&e));
        let capture = (!content.args.is_empty()).then(|| write(&capture)).transpose()?;
        let initramfs = write(&initramfs)?;
        let kernel = fs::read(&kernel.image).map_err(|e| words(&e))?;
        let args = content.args.to_owned();
        Ok(Self { version: version.to_owned(), args, capture, kernel, initramfs, root, index })
    }

    fn parts(&self) -> SlotParts<'_> {
        let mut files = vec![
            SlotFile::bytes(KERNEL, &self.kernel),
            SlotFile::bytes(INITRAMFS, &self.initramfs),
            SlotFile::bytes(ROOT, &self.root),
            SlotFile::bytes(ROOT_INDEX, self.index.as_bytes()),
        ];
        files.extend(self.capture.iter().map(|c| SlotFile::bytes(CAPTURE, c)));
        // Under emulation on a busy host the kernel's check of its timer can fail.
        let args = format!("quiet no_timer_check {}", self.args);
        SlotParts { version: self.version.clone(), args, files, ..SlotParts::default() }
    }

    /// Kernel and initramfs as files in a directory, for booting without a boot loader.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn boot_files(&self, dir: &Path) -> std::io::Result<(PathBuf, PathBuf)> {
        let (kernel, initramfs) = (dir.join("vmlinuz"), dir.join("initrd"));
        fs::write(&kernel, &self.kernel)?;
        fs::write(&initramfs, &self.initramfs)?;
        Ok((kernel, initramfs))
    }

    /// Flips one bit of the root image of this slot in a disk image.
    ///
    /// # Errors
    /// Where the root image is not found in it.
    pub fn damage(&self, disk: &Path) -> Result<(), Box<dyn Error>> {
        let mut bytes = fs::read(disk)?;
        // Somewhere inside BusyBox, where this root image alone has these bytes.
        let probe = self
            .root
            .get(self.root.len() / 2..)
            .and_then(|rest| rest.get(..64))
            .ok_or("a root of no bytes")?;
        let at = bytes
            .windows(probe.len())
            .position(|window| window == probe)
            .ok_or("no root image in the disk")?;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        Ok(fs::write(disk, bytes)?)
    }
}

/// How long a box of this kind may take to anything, software emulation on a busy host included.
pub const LIMIT: Duration = Duration::from_secs(900);

/// Runs a command in the shell that such a root gives on its console, and gives what it printed.
///
/// # Errors
/// Where the shell does not answer.
pub fn ask(guest: &Guest, command: &str) -> Result<String, Box<dyn Error>> {
    let from = guest.console().mark();
    // The shell echoes what it is told, wrapped at some column: what counts is between the two words.
    guest.console().send(&format!("echo ASK-'BEGIN'; {command}; echo ASK-'END'\n"))?;
    guest.console().wait_for(from, "ASK-END", LIMIT)?;
    let text = guest.console().since(from).replace('\r', "");
    let body = text.split_once("ASK-BEGIN\n").map_or("", |(_, rest)| rest);
    Ok(body.split("ASK-END").next().unwrap_or_default().to_owned())
}

/// The data of the JSON document that a command prints there, and its exit status.
///
/// # Errors
/// Where it prints none.
pub fn ask_json(guest: &Guest, command: &str) -> Result<(i32, serde_json::Value), Box<dyn Error>> {
    let text =
        ask(guest, &format!("{command} --json >/tmp/ask 2>/tmp/ask.err; echo \"status $?\"; cat /tmp/ask"))?;
    let (head, body) = text.split_once('{').ok_or_else(|| format!("no document in {text}"))?;
    let status = head.split_whitespace().last().unwrap_or_default().parse()?;
    let document: serde_json::Value = serde_json::from_str(&format!("{{{}", body.trim_end()))?;
    Ok((status, document))
}

/// Programs and the libraries that they need on this host, by their paths in the root.
fn with_libraries(programs: &[(String, PathBuf)]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (path, program) in programs {
        files.insert(path.trim_start_matches('/').to_owned(), fs::read(program)?);
        let listed = std::process::Command::new("ldd").arg(program).output()?;
        for library in
            String::from_utf8_lossy(&listed.stdout).split_whitespace().filter(|w| w.starts_with('/'))
        {
            files.insert(library.trim_start_matches('/').to_owned(), fs::read(library)?);
        }
    }
    Ok(files)
}

/// Writes a disk image with one slot or two.
///
/// # Errors
/// In words.
pub fn write(
    path: &Path,
    primary: &Slot,
    secondary: Option<&Slot>,
    seed: &str,
) -> Result<(), Box<dyn Error>> {
    let layout =
        Layout { slot: Bytes::mib(64), conf: Bytes::mib(32), logs: Bytes::mib(128), ..Layout::default() };
    let parts = Parts {
        layout,
        seed: Seed::from_text(seed),
        time: 1_700_000_000,
        boot: boot_loader(&grub_tools()?)?,
        menu: Menu { timeout: 1, ..Menu::default() },
        primary: primary.parts(),
        secondary: secondary.map(Slot::parts),
        boot_files: Vec::new(),
    };
    let mut file = fs::File::create(path)?;
    let summary = compose(&mut file, parts)?;
    Ok(file.set_len(summary.bytes)?)
}
