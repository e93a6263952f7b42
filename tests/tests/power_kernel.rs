//! The power goes below the real kernel's ext4: what a sync and a retention run write is recorded by QEMU's
//! `blklogwrites` under a loop device; each prefix of it, and random subsets of what lies between two flushes, becomes a
//! stick again, is mounted by the kernel, and read by `esos-conf`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_bootimg::disk::ext4::Ext4Image;
use esos_tests::damage::Dice;
use esos_tests::write_log::{self, Op};
use esos_tests::{Level, allowed, image, skip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DAEMON: &str = "/usr/bin/qemu-storage-daemon";
const SIZE: u64 = 48 << 20;

fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let out = Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if out.status.success() {
        Ok(text(&out.stdout))
    } else {
        Err(format!("{program} {args:?}: {}", text(&out.stderr)))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A mounted file system on a file; unmounted when dropped.
struct Mounted<'d> {
    dir: &'d Path,
    device: String,
}

impl<'d> Mounted<'d> {
    fn new(file: &Path, dir: &'d Path) -> Result<Self, String> {
        // Others on this host take loop devices too.
        let device = again(|| run("losetup", &["--find", "--show", text(file)]));
        let device =
            device.unwrap_or_else(|why| panic!("no loop device, which says nothing of the store: {why}"));
        run("mount", &["-t", "ext4", &device, text(dir)]).inspect_err(|_| {
            let _freed = run("losetup", &["-d", &device]);
        })?;
        Ok(Self { dir, device })
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Whoever looks around on this host may hold it for a moment.
        let gone = again(|| run("umount", &[text(self.dir)]));
        if let Err(why) = gone.and_then(|_| run("losetup", &["-d", &self.device])) {
            println!("left behind: {why}");
        }
    }
}

/// Tries it for some seconds.
fn again<T>(mut one: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    for _ in 0..20 {
        if let Ok(done) = one() {
            return Ok(done);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    one()
}

/// What lies between a file on the disk and the kernel, and writes down what passes.
struct Recorder(Child);

impl Recorder {
    fn start(disk: &Path, log: &Path, export: &Path) -> Result<Self, String> {
        let node =
            |name: &str, file: &Path| format!("driver=file,node-name={name},filename={}", file.display());
        let child = Command::new(DAEMON)
            .args(["--blockdev", &node("disk", disk), "--blockdev", &node("log", log), "--blockdev"])
            .arg("driver=blklogwrites,node-name=top,file=disk,log=log,log-sector-size=512,log-super-update-interval=1")
            .args(["--export", &format!("type=fuse,id=e,node-name=top,writable=on,mountpoint={}", export.display())])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        let recorder = Self(child);
        let there = || fs::metadata(export).is_ok_and(|m| m.len() == SIZE);
        image::eventually("the file is exported", Duration::from_secs(20), there)?;
        Ok(recorder)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _asked = run("kill", &[&self.0.id().to_string()]);
        let _ended = self.0.wait();
    }
}

struct Case {
    dir: PathBuf,
    conf: PathBuf,
}

impl Case {
    fn conf(&self, store: &Path, words: &[&str]) -> Value {
        let out = Command::new(&self.conf)
            .args(words)
            .args(["--json", "--root", text(&self.dir.join("root")), "--store", text(store)])
            .output()
            .unwrap();
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {out:?}"))
    }

    fn change(&self, n: u64) {
        let line = format!("{n} {}\n", "x".repeat(n as usize % 90));
        fs::write(self.dir.join("root/etc").join(format!("f{}", n % 7)), line.repeat(200)).unwrap();
    }

    /// Mounts what is left and says which generations are whole.
    fn whole(&self, bytes: &[u8]) -> Result<Vec<u64>, String> {
        let (stick, dir) = (self.dir.join("left.img"), self.dir.join("left"));
        // A new file each time: one that could not be unmounted must not write into the next.
        let _last = fs::remove_file(&stick);
        fs::write(&stick, bytes).map_err(|e| e.to_string())?;
        let mounted = Mounted::new(&stick, &dir)?;
        let found = self.conf(mounted.dir, &["verify"]);
        let rows = found["data"]["generations"].as_array().ok_or_else(|| found.to_string())?;
        Ok(rows.iter().filter(|r| r["whole"] == true).map(|r| r["id"].as_u64().unwrap()).collect())
    }
}

/// How a store is changed while it is recorded.
#[derive(Clone, Copy)]
enum How {
    /// By syncs of the box, and prunings.
    Sync,
    /// As a mirror of a store that lies elsewhere.
    Mirror,
}

/// One step on the mounted store: the generation that is said to be on it then; none where nothing new is said.
fn step(case: &Case, store: &Path, how: How, n: u64) -> Option<u64> {
    let changed = || {
        case.change(1000 + n);
        case.dir.join("first")
    };
    let number = |done: &Value| done["data"]["generation"].as_u64().unwrap();
    match how {
        How::Sync if n % 4 == 3 => {
            let pruned = case.conf(store, &["prune"]);
            println!("{} dropped", pruned["data"]["dropped"].as_array().unwrap().len());
            None
        }
        How::Sync => {
            changed();
            Some(number(&case.conf(store, &["sync"])))
        }
        How::Mirror => {
            let first = changed();
            let made = number(&case.conf(&first, &["sync"]));
            if n % 4 == 3 {
                case.conf(&first, &["prune"]);
            }
            let done = case.conf(&first, &["mirror", text(store)]);
            assert!(!done["data"]["copied"].as_array().unwrap().is_empty(), "{done}");
            Some(made)
        }
    }
}

#[test]
fn below_ext4_a_sync_is_whole_or_was_not() {
    replay("below_ext4_a_sync_is_whole_or_was_not", How::Sync);
}

#[test]
fn below_ext4_a_mirror_has_the_last_generation_or_the_next() {
    replay("below_ext4_a_mirror_has_the_last_generation_or_the_next", How::Mirror);
}

fn replay(test: &str, how: How) {
    if !allowed(test, Level::All) {
        return;
    }
    let conf = match image::release("esos-conf") {
        Ok(conf) if Path::new(DAEMON).exists() && Path::new("/dev/fuse").exists() => conf,
        Ok(_) => return skip(test, "needs qemu-storage-daemon and /dev/fuse"),
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let steps: u64 = std::env::var("ESOS_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let case = Case { dir: temp.path().to_owned(), conf };
    for name in ["root/etc", "left", "store", "first"] {
        fs::create_dir_all(case.dir.join(name)).unwrap();
    }
    let [disk, log, export, store] = ["disk.img", "log.img", "export", "store"].map(|n| case.dir.join(n));
    let mut file = File::create(&disk).unwrap();
    file.set_len(SIZE).unwrap();
    let ext4 = Ext4Image {
        label: "esos_conf".into(),
        uuid: [7; 16],
        hash_seed: [9; 16],
        len: SIZE,
        time: 1_700_000_000,
    };
    ext4.write(&mut file).unwrap();
    drop(file);

    // A store with some history, unrecorded.
    let mut newest = 0;
    match Mounted::new(&disk, &store) {
        Err(why) => return skip(test, &why),
        Ok(mounted) => {
            for n in 0..55 {
                case.change(n);
                let place =
                    if let How::Mirror = how { case.dir.join("first") } else { mounted.dir.to_owned() };
                newest = case.conf(&place, &["sync"])["data"]["generation"].as_u64().unwrap();
            }
            if let How::Mirror = how {
                case.conf(&case.dir.join("first"), &["mirror", text(mounted.dir)]);
            }
        }
    }
    let before = fs::read(&disk).unwrap();
    fs::write(&export, b"").unwrap();
    File::create(&log).unwrap().set_len(1 << 30).unwrap();
    let recorder = match Recorder::start(&disk, &log, &export) {
        Ok(recorder) => recorder,
        Err(why) => return skip(test, &why),
    };
    // After so many entries of the log that generation was said to be on the stick; pruning says nothing new.
    let mut said: BTreeMap<u64, u64> = BTreeMap::from([(0, newest)]);
    {
        let mounted = match Mounted::new(&export, &store) {
            Ok(mounted) => mounted,
            Err(why) => return skip(test, &why),
        };
        for n in 0..steps {
            if let Some(id) = step(&case, mounted.dir, how, n) {
                said.insert(write_log::entries(&log).unwrap(), id);
            }
        }
    }
    drop(recorder);

    let ops = write_log::read(&log).unwrap();
    let flushes = ops.iter().filter(|(_, op)| matches!(op, Op::Flush)).count();
    println!("{} writes, {flushes} flushes, {steps} steps", ops.len() - flushes);
    let (mut image, mut sure) = (before.clone(), before);
    let (mut dice, mut points, mut lost) = (Dice::new(1), 0u32, Vec::new());
    let mut pending: Vec<&Op> = Vec::new();
    // `entry`: what had been said before it must be there.
    let mut check = |bytes: &[u8], entry: u64, what: &str| {
        points += 1;
        let least = said.range(..=entry).next_back().map_or(0, |(_, id)| *id);
        match case.whole(bytes) {
            Ok(whole) => {
                let found = whole.last().copied().unwrap_or(0);
                if found < least || found > least + 1 {
                    lost.push(format!("{what} {entry}: @{found} where @{least} was said"));
                }
            }
            Err(why) => lost.push(format!("{what} {entry}: {why}")),
        }
    };
    for (entry, op) in &ops {
        op.put(&mut image);
        if !matches!(op, Op::Flush) {
            pending.push(op);
            check(&image, *entry, "after entry");
            continue;
        }
        // Before a flush ends anything since the last one may have reached the medium, in any order.
        let rounds = if pending.len() > 1 { 20 } else { 0 };
        for _ in 0..rounds {
            let mut some = sure.clone();
            pending.iter().filter(|_| dice.below(2) == 1).for_each(|op| op.put(&mut some));
            check(&some, entry.saturating_sub(1), "some of what came before entry");
        }
        pending.clear();
        sure.clone_from(&image);
    }
    let least = *said.values().next_back().unwrap();
    assert_eq!(case.whole(&image).unwrap().last(), Some(&least), "all of it");
    println!("{points} crash points, {} lost", lost.len());
    assert!(lost.is_empty(), "{lost:#?}");
}
