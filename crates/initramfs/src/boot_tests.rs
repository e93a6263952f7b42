//! A machine in memory: disks that appear, mounts that have content, and any one thing that fails.
use super::*;
use crate::mark::tests::{MemDisk, control, stick};
use crate::tar::tests::{file, header};
use crate::world::{Clock, Console, Devices, Disk, Kernel, Mounts, NewRoot};
use crate::{Entry, REBOOT_AFTER, Tree, TreeError, TreeWorker, Uevent};
use esos_hostfs::{Files, MemFiles};
use esos_layout::frames::Frame;
use esos_layout::state::{Control, SlotState};
use esos_sysfs::MemTree;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

const ID: &str = "000000000000000000000000000000aa";

/// What is different from a good boot.
#[derive(Default, Clone)]
pub(super) struct Twist {
    pub(super) cmdline: &'static str,
    /// The mount, move or unmount of this target fails.
    mount: Option<&'static str>,
    /// Disks with their identities; the first is on USB port 1, and so on.
    pub(super) identities: Vec<&'static str>,
    /// The disks come only with the second event.
    late: bool,
    /// The first node that is opened is not there yet.
    unready: bool,
    memory_kib: u64,
    damage: bool,
    other_image: bool,
    full: bool,
    gone: bool,
    hook: Option<HookEnd>,
    left_mounted: bool,
    pub(super) vmcore: bool,
    /// Bytes of `/proc/vmcore`.
    pub(super) core: Option<Vec<u8>>,
    /// Devices that cannot be mounted.
    pub(super) broken: Vec<&'static str>,
    no_index: bool,
    other_slot: Option<SlotState>,
}

impl Twist {
    pub(super) fn of(cmdline: &'static str) -> Self {
        Self { cmdline, identities: vec![ID], memory_kib: 4 << 20, ..Self::default() }
    }
}

pub(super) struct Fake {
    twist: Twist,
    pub(super) said: RefCell<Vec<String>>,
    now: Cell<Duration>,
    files: MemFiles,
    sys: MemTree,
    late_sys: MemTree,
    came: Cell<bool>,
    late_nodes: Cell<bool>,
    disks: Vec<Arc<Mutex<Vec<u8>>>>,
    image: Vec<u8>,
    slot_index: String,
    made: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub(super) calls: RefCell<Vec<String>>,
    /// What every mount for dumps shows.
    pub(super) dumps: tempfile::TempDir,
}

fn index_and_image() -> (String, Vec<u8>) {
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

    fn report(&self) -> BootReport {
        let bytes = self.files.read("/newroot/run/esos/boot.json").unwrap();
        BootReport::from_json(std::str::from_utf8(&bytes).unwrap()).unwrap()
    }

    pub(super) fn files(&self) -> &MemFiles {
        &self.files
    }

    pub(super) fn has_said(&self, part: &str) -> bool {
        self.said.borrow().iter().any(|line| line.contains(part))
    }

    fn control(&self) -> Control {
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
    fn mounts(&self, what: &str, target: &str) -> io::Result<()> {
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

struct Shared(Arc<Mutex<Vec<u8>>>);

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
    fn remove_tree(&self, path: &str) {
        self.calls.borrow_mut().push(format!("remove {path}"));
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.calls.borrow_mut().push(format!("rename {from} {to}"));
        Ok(())
    }
}

struct Made {
    full: bool,
    made: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

struct Hand(bool, Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Tree for Made {
    fn worker(&self) -> Box<dyn TreeWorker + '_> {
        Box::new(Hand(self.full, Arc::clone(&self.made)))
    }
    fn finish(&self) -> Result<(), TreeError> {
        Ok(())
    }
}

impl TreeWorker for Hand {
    fn make(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), TreeError> {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        self.1.lock().unwrap().insert(path.clone(), bytes);
        if self.0 { Err(TreeError { path, source: io::ErrorKind::StorageFull.into() }) } else { Ok(()) }
    }
}

const GOOD: &str =
    "slot=PRIMARY esos.stick=000000000000000000000000000000aa esos.attempt=1 esos.flavour=prod";

fn switch(arguments: &[&str]) -> Ending {
    Ending::SwitchRoot {
        root: NEW_ROOT.into(),
        arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
    }
}

#[test]
fn a_good_boot_ends_in_the_root_with_nothing_mounted() {
    let fake = Fake::new(Twist::of(GOOD));
    assert_eq!(fake.run(), switch(&[]));
    let report = fake.report();
    let stick = report.stick.unwrap();
    assert_eq!((report.mode.as_str(), report.slot, report.attempt), ("ram", Some(Slot::Primary), Some(1)));
    assert_eq!((stick.identity.as_deref(), stick.device.as_str()), (Some(ID), "/dev/sda"));
    assert_eq!(stick.partitions["esos_primary"].device, "/dev/sda2");
    assert_eq!(report.root.unwrap().entries, 3);
    let steps: Vec<_> = report.steps.iter().map(|s| (s.step.as_str(), s.outcome.as_str())).collect();
    let names = ["base", "drivers", "medium", "slot", "memory", "room", "unpack", "close", "hand", "restore"];
    assert_eq!(steps, names.map(|n| (n, "ok")));
    assert_eq!(report.warnings, Vec::<String>::new());
    let calls = fake.calls.borrow();
    let at =
        |call: &str| calls.iter().position(|c| c == call).unwrap_or_else(|| panic!("{call} in {calls:?}"));
    assert!(at("mount /slot") < at("unpack /newroot") && at("unpack /newroot") < at("unmount /slot"));
    assert!(at("unmount /slot") < at("move /newroot/dev"));
    assert_eq!(fake.made.lock().unwrap()["sbin/init"], vec![9; 5000]);
    assert_eq!(fake.control(), control(SlotState::Good, SlotState::Good), "the slot state is not touched");
}

#[test]
fn words_of_the_command_line_are_honoured() {
    assert_eq!(Fake::new(Twist::of("slot=PRIMARY single_user")).run(), switch(&["single"]));
    let shell = Ending::Shell { root: Some(NEW_ROOT.into()) };
    assert_eq!(Fake::new(Twist::of("slot=PRIMARY rescue")).run(), shell);
    let fake = Fake::new(Twist::of("nothing of ours"));
    assert_eq!(fake.run(), switch(&[]));
    assert_eq!(fake.report().slot, Some(Slot::Primary), "found by its index");
    assert!(fake.has_said("no slot="));
}

#[test]
fn the_watchdog_is_left_to_a_root_that_takes_it_and_to_no_shell() {
    let keeper = format!("{NEW_ROOT}{}", run::WATCHDOG_KEEPER);
    for (cmdline, keeps, end) in [
        (GOOD, true, "the watchdog runs on"),
        (GOOD, false, "the watchdog is stopped"),
        ("slot=PRIMARY rescue", true, "the watchdog is stopped"),
    ] {
        let fake = Fake::new(Twist::of(cmdline));
        if keeps {
            fake.files().make_dir(keeper.rsplit_once('/').unwrap().0).unwrap();
            fake.files().replace(&keeper, b"#!/bin/sh\n", 0o755).unwrap();
        }
        fake.run();
        assert_eq!(fake.calls.borrow().last().unwrap(), end, "{cmdline}");
    }
}

#[test]
fn a_damaged_slot_is_marked_and_the_other_one_starts() {
    for twist in [
        Twist { damage: true, ..Twist::of(GOOD) },
        Twist { other_image: true, ..Twist::of(GOOD) },
        Twist { mount: Some("/slot"), ..Twist::of(GOOD) },
    ] {
        let fake = Fake::new(twist);
        assert_eq!(fake.run(), Ending::Reboot);
        assert!(fake.has_said("PRIMARY is marked bad; SECONDARY starts next"), "{:?}", fake.said);
        assert!(fake.has_said("rebooting in 10 s"));
        assert_eq!(fake.control().primary.state, SlotState::Bad);
        assert!(fake.calls.borrow().contains(&"pause 10".to_owned()));
    }
}

#[test]
fn the_last_slot_is_not_marked() {
    let fake = Fake::new(Twist { damage: true, other_slot: Some(SlotState::None), ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("there is no other slot to go to"), "{:?}", fake.said);
    assert_eq!(fake.control().primary.state, SlotState::Good);
}

#[test]
fn a_stick_that_is_pulled_is_no_damaged_slot() {
    let fake = Fake::new(Twist { damage: true, gone: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("does not answer any more") && !fake.has_said("marked bad"), "{:?}", fake.said);
}

#[test]
fn what_the_machine_lacks_is_said_and_the_slots_stay_good() {
    let little = Twist { memory_kib: 200 << 10, ..Twist::of(GOOD) };
    for twist in [
        little.clone(),
        Twist { full: true, ..Twist::of(GOOD) },
        Twist { mount: Some("/newroot"), ..Twist::of(GOOD) },
    ] {
        let fake = Fake::new(twist);
        assert_eq!(fake.run(), Ending::Reboot);
        assert!(fake.has_said("rebooting in 60 s"), "{:?}", fake.said);
        assert_eq!(fake.control().primary.state, SlotState::Good);
    }
    let fake = Fake::new(little);
    fake.run();
    assert!(fake.has_said("this machine has 200 MiB of memory"));
    let fake = Fake::new(Twist { memory_kib: 200 << 10, ..Twist::of("slot=PRIMARY esos.nomemcheck") });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.report().warnings.iter().any(|w| w.contains("200 MiB")));
}

#[test]
fn the_medium_is_waited_for_by_event_and_not_for_ever() {
    let fake = Fake::new(Twist { late: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    let medium = fake.report().steps.into_iter().find(|s| s.step == "medium").unwrap();
    assert_eq!(medium.took_ms, 700, "at once when it comes");
    // Seen before its node is there: looked at again with the event.
    let fake = Fake::new(Twist { unready: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    let fake = Fake::new(Twist { identities: vec![], ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("within 60 s; no disk at all is here"), "{:?}", fake.said);
    assert_eq!(fake.now.get(), Duration::from_secs(3) + crate::MEDIUM_DEADLINE + REBOOT_AFTER);
}

#[test]
fn of_two_sticks_the_one_that_grub_booted_from_is_taken() {
    const OTHER: &str = "000000000000000000000000000000bb";
    let fake = Fake::new(Twist { identities: vec![OTHER, ID], ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.calls.borrow().contains(&"env ESOS_PART_esos_primary=/dev/sdb2".to_owned()));
    assert!(fake.report().warnings.iter().any(|w| w.contains("/dev/sda (000000000000000000000000000000bb)")));
    assert!(fake.has_said("booting from /dev/sdb") && fake.has_said("other media carry ESOS's labels"));
    let fake = Fake::new(Twist { identities: vec![OTHER], ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("only other sticks with ESOS's labels are here: sda"), "{:?}", fake.said);
    let fake =
        Fake::new(Twist { identities: vec!["unset", "unset"], ..Twist::of("slot=PRIMARY esos.stick=unset") });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.has_said("booting from /dev/sdb") && fake.has_said("by place"), "{:?}", fake.said);
}

#[test]
fn a_restore_that_fails_is_loud_and_the_boot_goes_on() {
    for (end, outcome, words) in [
        (HookEnd::Ended(Some(3), "no generation is whole\n".into()), "failed", "no generation is whole"),
        (HookEnd::Timeout("half".into()), "timeout", "not restored within 100 s"),
        (HookEnd::Failed("no shell".into()), "failed", "no shell"),
        (HookEnd::Ended(Some(0), "generation 7\n".into()), "restored", "generation 7"),
    ] {
        let fake = Fake::new(Twist { hook: Some(end), ..Twist::of(GOOD) });
        assert_eq!(fake.run(), switch(&[]));
        let report = fake.report();
        assert_eq!(report.restore.unwrap().outcome, outcome);
        assert!(fake.has_said(words), "{:?}", fake.said);
        assert_eq!(report.warnings.is_empty(), outcome == "restored");
    }
    let fake = Fake::new(Twist { left_mounted: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.calls.borrow().contains(&"unmount /newroot/mnt".to_owned()));
    assert!(fake.report().warnings.iter().any(|w| w.contains("was left mounted")));
}

#[test]
fn the_crash_kernel_always_reboots() {
    for cmdline in [GOOD, "rescue", "esos_iso=live"] {
        let fake = Fake::new(Twist { vmcore: true, ..Twist::of(cmdline) });
        assert_eq!(fake.run(), Ending::Reboot, "{cmdline}");
        assert!(fake.has_said("crash kernel"));
        assert!(!fake.calls.borrow().iter().any(|c| c.contains("slot")));
    }
}

#[test]
fn whatever_fails_the_end_is_one_of_three_and_a_shell_only_for_rescue() {
    let targets = [
        "/dev",
        "/proc",
        "/sys",
        "/run",
        "/slot",
        "/newroot",
        "/newroot/dev",
        "/newroot/proc",
        "/newroot/run",
        "/stick",
    ];
    for rescue in [false, true] {
        for persist in [false, true] {
            let cmdline = match (rescue, persist) {
                (false, false) => "slot=PRIMARY",
                (true, false) => "slot=PRIMARY rescue",
                (false, true) => "slot=PRIMARY esos_persist",
                (true, true) => "slot=PRIMARY rescue esos_persist",
            };
            let base = Twist::of(cmdline);
            let mut twists: Vec<_> =
                targets.iter().map(|t| Twist { mount: Some(*t), ..base.clone() }).collect();
            twists.push(Twist { no_index: true, ..base.clone() });
            twists.push(Twist { damage: true, ..base.clone() });
            twists.push(Twist { full: true, ..base.clone() });
            twists.push(Twist { identities: vec![], ..base.clone() });
            for twist in twists {
                let fake = Fake::new(twist.clone());
                let ending = fake.run();
                let label = format!("{cmdline}, mount {:?}", twist.mount);
                match ending {
                    // The command line may not be known yet.
                    Ending::Shell { .. } => assert!(rescue, "{label}"),
                    Ending::Reboot => assert!(fake.has_said("rebooting in"), "{label}: {:?}", fake.said),
                    Ending::SwitchRoot { .. } => assert!(!rescue, "{label}"),
                }
            }
        }
    }
}
