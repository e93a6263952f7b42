//! A machine in memory: disks that appear, mounts that have content, and any one thing that fails.
use super::{Ending, SLOT_MOUNT, boot};
use crate::mark::tests::{MemDisk, control, stick};
use crate::tar::tests::{file, header};
use crate::world::{Clock, Console, Devices, Disk, HookEnd, Kernel, Mount, Mounts, NewRoot, World};
use crate::{BootReport, Gpt, ReadAt};
use crate::{Entry, Tree, TreeError, TreeWorker, Uevent};
use esos_hostfs::{Files, MemFiles};
use esos_layout::frames::{Frame, Index};
use esos_layout::run;
use esos_layout::state::{Control, SlotState};
use esos_sysfs::MemTree;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const ID: &str = "000000000000000000000000000000aa";

/// What is different from a good boot.
#[derive(Default, Clone)]
pub(super) struct Twist {
    pub(super) cmdline: &'static str,
    /// The mount, move or unmount of this target fails.
    pub(super) mount: Option<&'static str>,
    /// Disks with their identities; the first is on USB port 1, and so on.
    pub(super) identities: Vec<&'static str>,
    /// The disks come only with the second event.
    pub(super) late: bool,
    /// The first node that is opened is not there yet.
    pub(super) unready: bool,
    pub(super) memory_kib: u64,
    pub(super) damage: bool,
    pub(super) other_image: bool,
    pub(super) full: bool,
    pub(super) gone: bool,
    pub(super) hook: Option<HookEnd>,
    pub(super) left_mounted: bool,
    pub(super) vmcore: bool,
    /// Bytes of `/proc/vmcore`.
    pub(super) core: Option<Vec<u8>>,
    /// Devices that cannot be mounted.
    pub(super) broken: Vec<&'static str>,
    pub(super) no_index: bool,
    pub(super) other_slot: Option<SlotState>,
}

impl Twist {
    pub(super) fn of(cmdline: &'static str) -> Self {
        Self { cmdline, identities: vec![ID], memory_kib: 4 << 20, ..Self::default() }
    }
}

pub(super) struct Fake {
    pub(super) twist: Twist,
    pub(super) said: RefCell<Vec<String>>,
    pub(super) now: Cell<Duration>,
    pub(super) files: MemFiles,
    pub(super) sys: MemTree,
    pub(super) late_sys: MemTree,
    pub(super) came: Cell<bool>,
    pub(super) late_nodes: Cell<bool>,
    pub(super) disks: Vec<Arc<Mutex<Vec<u8>>>>,
    pub(super) image: Vec<u8>,
    pub(super) slot_index: String,
    pub(super) made: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub(super) calls: RefCell<Vec<String>>,
    /// What every mount for dumps shows.
    pub(super) dumps: tempfile::TempDir,
}

pub(super) fn index_and_image() -> (String, Vec<u8>) {
    let mut index = Index::default();
    let mut image = Vec::new();
    let dirs = [header("sbin", b'5', 0, ""), header("etc", b'5', 0, "")].concat();
    for (name, tar, entries) in
        [("<directories>", dirs, 2), ("init", file("sbin/init", &[9; 5000]), 1), ("<end>", vec![0; 1024], 0)]
    {
        let packed = zstd::bulk::compress(&tar, 1).unwrap();
        index.frames.push(Frame {
            packed: packed.len() as u64,
            unpacked: tar.len() as u64,
            entries,
            sha256: Sha256::digest(&packed).as_slice().try_into().unwrap(),
            name: name.into(),
        });
        image.extend(packed);
    }
    (index.to_string(), image)
}

impl Fake {
    pub(super) fn new(twist: Twist) -> Self {
        let (index, mut image) = index_and_image();
        let files = MemFiles::new();
        for dir in [
            "/proc/self",
            "/etc/esos",
            "/slot",
            "/newroot/sbin",
            "/newroot/etc/esos",
            "/newroot/run",
            "/newroot/proc/self",
        ] {
            files.make_dir(dir).unwrap();
        }
        let put = |path: &str, text: &str| files.replace(path, text.as_bytes(), 0o644).unwrap();
        put("/proc/cmdline", twist.cmdline);
        put("/proc/meminfo", &format!("MemTotal: {} kB\n", twist.memory_kib));
        put("/etc/esos/version", "4.9\n");
        put("/newroot/sbin/init", "");
        put(
            "/newroot/proc/self/mounts",
            if twist.left_mounted { "esos / tmpfs rw 0 0\n/dev/sda2 /newroot/mnt ext4 rw 0 0\n" } else { "" },
        );
        if !twist.no_index {
            put("/etc/esos/root.idx", &index);
        }
        if twist.vmcore {
            put("/proc/vmcore", "");
        }
        let mut sys =
            MemTree::new().dir("devices/system/cpu/cpu0").dir("devices/system/cpu/cpu1").dir("block");
        for (i, _) in twist.identities.iter().enumerate() {
            let name = format!("sd{}", char::from(b'a' + i as u8));
            sys = sys
                .file(&format!("block/{name}/size"), "4400\n")
                .file(&format!("block/{name}/diskseq"), &i.to_string());
            for part in 1..=5 {
                sys = sys.file(&format!("block/{name}/{name}{part}/partition"), &format!("{part}\n"));
            }
        }
        let other = twist.other_slot.unwrap_or(SlotState::Good);
        let record = control(SlotState::Good, other).encode();
        let disks =
            twist.identities.iter().map(|id| Arc::new(Mutex::new(stick(&record, &[0; 512], id)))).collect();
        if twist.damage {
            let middle = image.len() / 2;
            image[middle] ^= 1;
        }
        let slot_index = if twist.other_image { index.replace("<end>", "<fin>") } else { index };
        Self {
            late_sys: MemTree::new().dir("block"),
            came: Cell::new(!twist.late && !twist.unready),
            late_nodes: Cell::new(true),
            twist,
            said: RefCell::default(),
            now: Cell::new(Duration::from_secs(3)),
            files,
            sys,
            disks,
            image,
            slot_index,
            made: Arc::default(),
            calls: RefCell::default(),
            dumps: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn run(&self) -> Ending {
        let world = World {
            console: self,
            clock: self,
            sys: self,
            files: &self.files,
            mounts: self,
            kernel: self,
            devices: self,
            root: self,
            crash: self,
        };
        boot(world, "6.1.0-test")
    }

    pub(super) fn report(&self) -> BootReport {
        let bytes = self.files.read("/newroot/run/esos/boot.json").unwrap();
        BootReport::from_json(std::str::from_utf8(&bytes).unwrap()).unwrap()
    }

    pub(super) fn files(&self) -> &MemFiles {
        &self.files
    }

    pub(super) fn has_said(&self, part: &str) -> bool {
        self.said.borrow().iter().any(|line| line.contains(part))
    }

    pub(super) fn control(&self) -> Control {
        let disk = MemDisk { bytes: Mutex::new(self.disks[0].lock().unwrap().clone()), deaf: false };
        let gpt = Gpt::read(&disk, 512).unwrap();
        let boot = gpt.named("ESOS_BOOT").unwrap().clone();
        let window = crate::Window::new(&disk, boot.start, boot.length);
        let fat = crate::Fat::open(&window).unwrap();
        let copy = |name: &str| {
            let mut sector = [0; 512];
            window.read_at(fat.find(&format!("esos/state/{name}")).unwrap().offset, &mut sector).unwrap();
            sector
        };
        Control::newest(&copy("ca"), &copy("cb")).unwrap().1
    }
}

impl esos_sysfs::AttrTree for Fake {
    fn read(&self, path: &str) -> Result<String, esos_sysfs::AttrError> {
        if self.came.get() || self.twist.unready { self.sys.read(path) } else { self.late_sys.read(path) }
    }
    fn write(&self, path: &str, value: &str) -> Result<(), esos_sysfs::AttrError> {
        self.sys.write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<esos_sysfs::Entry>, esos_sysfs::AttrError> {
        if self.came.get() || self.twist.unready { self.sys.list(path) } else { self.late_sys.list(path) }
    }
    fn read_link(&self, path: &str) -> Result<String, esos_sysfs::AttrError> {
        // The last disk sits in the first port.
        let letter = path.bytes().last().unwrap_or(b'a');
        Ok(format!("../devices/pci0000:00/usb1/1-{}/block/sd{}", b'z' - letter, char::from(letter)))
    }
}

impl Console for Fake {
    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.into());
    }
    fn warn(&self, text: &str) {
        self.said.borrow_mut().push(format!("*** {text}"));
    }
    fn detail(&self, _text: &str) {}
}

impl Clock for Fake {
    fn now(&self) -> Duration {
        self.now.get()
    }
    fn pause(&self, time: Duration) {
        self.calls.borrow_mut().push(format!("pause {}", time.as_secs()));
        self.now.set(self.now.get() + time);
    }
}

impl Fake {
    pub(super) fn mounts(&self, what: &str, target: &str) -> io::Result<()> {
        self.calls.borrow_mut().push(format!("{what} {target}"));
        if self.twist.mount == Some(target) { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }
}

impl Mounts for Fake {
    fn mount(&self, mount: &Mount<'_>) -> io::Result<()> {
        if self.twist.broken.contains(&mount.source) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.mounts("mount", mount.target)?;
        if mount.target == SLOT_MOUNT {
            self.files.replace("/slot/root.idx", self.slot_index.as_bytes(), 0o644).unwrap();
        }
        Ok(())
    }
    fn unmount(&self, target: &str) -> io::Result<()> {
        self.mounts("unmount", target)
    }
    fn shift(&self, _from: &str, to: &str) -> io::Result<()> {
        self.mounts("move", to)
    }
}

impl Kernel for Fake {
    fn load(&self, path: &str) -> io::Result<()> {
        self.calls.borrow_mut().push(format!("load {path}"));
        Ok(())
    }
    fn guard(&self, doing: &str, limit: Duration) {
        assert!(!limit.is_zero(), "{doing} has no time");
    }
    fn watchdog(&self) -> Option<String> {
        None
    }
    fn release_watchdog(&self, keep_running: bool) {
        let word = if keep_running { "runs on" } else { "is stopped" };
        self.calls.borrow_mut().push(format!("the watchdog {word}"));
    }
}

impl crate::Crash for Fake {
    fn memory(&self) -> io::Result<Box<dyn esos_crashdump::ReadAt>> {
        let core = self.twist.core.clone().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(core))
    }
    fn directory(&self, mount_point: &str) -> std::path::PathBuf {
        assert_eq!(mount_point, "/crash");
        self.dumps.path().to_owned()
    }
    fn workers(&self) -> usize {
        1
    }
}

impl Devices for Fake {
    fn wait(&self, until: Duration) -> Vec<Uevent> {
        assert!(until > self.now.get(), "waits for what is over");
        if self.came.replace(true) {
            self.now.set(until);
            return Vec::new();
        }
        self.now.set(self.now.get() + Duration::from_millis(700));
        vec![Uevent::parse(b"add@/block/sda\0SUBSYSTEM=block\0").unwrap()]
    }
    fn open(&self, node: &str) -> io::Result<Box<dyn Disk>> {
        let letter = node.trim_start_matches("/dev/sd").bytes().next().unwrap();
        let index = usize::from(letter - b'a');
        if self.twist.unready && self.late_nodes.replace(false) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let unpacked = !self.made.lock().unwrap().is_empty();
        if self.twist.gone && unpacked {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Box::new(Shared(Arc::clone(&self.disks[index]))))
    }
}

pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl ReadAt for Shared {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.lock().unwrap().read_at(offset, buffer)
    }
    fn len(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }
}

impl Disk for Shared {
    fn write_sector(&self, offset: u64, sector: &[u8; 512]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.0.lock().unwrap()[at..at + 512].copy_from_slice(sector);
        Ok(())
    }
}

impl NewRoot for Fake {
    fn tree(&self, directory: &str) -> io::Result<Box<dyn Tree>> {
        self.calls.borrow_mut().push(format!("unpack {directory}"));
        Ok(Box::new(Made { full: self.twist.full, made: Arc::clone(&self.made) }))
    }
    fn image(&self, path: &str) -> io::Result<Box<dyn ReadAt>> {
        assert_eq!(path, "/slot/root.tar.zst");
        Ok(Box::new(self.image.clone()))
    }
    fn run(&self, root: &str, program: &str, environment: &[(String, String)], _limit: Duration) -> HookEnd {
        assert_eq!((root, program), ("/newroot", run::RESTORE_HOOK));
        self.calls.borrow_mut().extend(environment.iter().map(|(name, value)| format!("env {name}={value}")));
        self.twist.hook.clone().unwrap_or(HookEnd::Absent)
    }
    fn copy(&self, from: &str, to: &str, without: &str) -> io::Result<u64> {
        self.calls.borrow_mut().push(format!("copy {from} {to} without {without}"));
        Ok(7 << 20)
    }
    fn remove_tree(&self, path: &str) {
        self.calls.borrow_mut().push(format!("remove {path}"));
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.calls.borrow_mut().push(format!("rename {from} {to}"));
        Ok(())
    }
}

pub(super) struct Made {
    pub(super) full: bool,
    pub(super) made: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

pub(super) struct Hand(bool, Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Tree for Made {
    fn worker(&self) -> Box<dyn TreeWorker + '_> {
        Box::new(Hand(self.full, Arc::clone(&self.made)))
    }
    fn finish(&self) -> Result<(), TreeError> {
        Ok(())
    }
}

impl TreeWorker for Hand {
    fn make(&mut self, entry: &Entry, data: &mut dyn BufRead) -> Result<(), TreeError> {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        self.1.lock().unwrap().insert(path.clone(), bytes);
        if self.0 { Err(TreeError { path, source: io::ErrorKind::StorageFull.into() }) } else { Ok(()) }
    }
}

pub(super) const GOOD: &str =
    "slot=PRIMARY esos.stick=000000000000000000000000000000aa esos.attempt=1 esos.flavour=prod";
