//! Nodes in namespaces: a real Corosync and Pacemaker on each, our agent, power, cables and fencing.
use esos_cluster::{Cluster, ClusterSpec, explain, monitor};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What the power switch answers.
pub(crate) const OK: u8 = 0;
pub(crate) const HANG: u8 = 1;
pub(crate) const FAIL: u8 = 2;

const TOML: &str = r#"name = "esos"
[[node]]
name = "n1"
addresses = ["10.77.0.1"]
fence = { agent = "fence_ns" }
[[node]]
name = "n2"
addresses = ["10.77.0.2"]
fence = { agent = "fence_ns" }
[[resource]]
name = "r0"
minor = 0
disk = "/dev/vg/r0"
port = 7789
targets = { n1 = ["iqn.2026-11.org.example:n1"], n2 = ["iqn.2026-11.org.example:n2"] }
"#;

/// The CIB that `esos-cluster init` makes of that, with a DRBD and a fence agent that need no hardware, and
/// without the waits that only a room full of hardware needs.
fn cib() -> String {
    let text = ClusterSpec::parse(TOML).unwrap().cib_xml();
    let wait = |seconds: &str| format!("name=\"priority-fencing-delay\" value=\"{seconds}\"");
    let options = "<nvpair id=\"o-dc\" name=\"dc-deadtime\" value=\"5s\"/><nvpair id=\"o-st\" name=\"stonith-timeout\" value=\"20s\"/></cluster_property_set>";
    let text = text.replace(&wait("10s"), &wait("0s")).replace("</cluster_property_set>", options);
    let text = text.replace("provider=\"linbit\" type=\"drbd\"", "provider=\"esos\" type=\"fakedrbd\"");
    let text = text.replace("name=\"device_group\" value=\"r0\"", "name=\"device_group\" value=\"g\"");
    // A monitor that hangs is found within seconds.
    text.replace("timeout=\"20s\"", "timeout=\"8s\"")
}

/// Whatever a test starts here ends with it.
pub(crate) struct Nodes {
    work: PathBuf,
    _dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
    over: Arc<AtomicBool>,
    pub(crate) power: Arc<AtomicU8>,
    violations: Arc<Mutex<Vec<String>>>,
    pub(crate) samples: Arc<AtomicUsize>,
}

impl Nodes {
    /// A formed cluster in which one node serves and the other waits.
    pub(crate) fn up() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let work = dir.path().to_owned();
        for sub in ["ra", "fence", "run", "out", "out/drbd"] {
            std::fs::create_dir(work.join(sub)).unwrap();
        }
        let mut built = Command::new(env!("CARGO"));
        built.args(["build", "-q", "-p", "esos-agent", "--example", "sim_agent"]);
        assert!(built.status().unwrap().success(), "the agent for the test does not build");
        let target = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
        std::fs::copy(target.join("examples/sim_agent"), work.join("ra/scst-alua")).unwrap();
        std::fs::copy(here().join("fakedrbd"), work.join("ra/fakedrbd")).unwrap();
        let nodes = Self {
            work,
            _dir: dir,
            _turn: turn,
            over: Arc::default(),
            power: Arc::default(),
            violations: Arc::default(),
            samples: Arc::default(),
        };
        nodes.threads();
        nodes.link(true);
        nodes.cl(&["up", "2"]);
        nodes.until("the cluster forms", 240, || {
            nodes.state(1).is_some_and(|c| c.nodes.iter().filter(|n| n.online).count() == 2)
        });
        std::fs::write(nodes.work.join("out/cib.xml"), cib()).unwrap();
        let said =
            nodes.on(1, "cibadmin --replace --scope configuration --xml-file /out/cib.xml 2>&1; echo rc=$?");
        assert!(said.contains("rc=0"), "{said}");
        nodes.settled();
        nodes
    }

    /// The power switch, and an eye that looks at both nodes twenty times a second.
    fn threads(&self) {
        let (over, power, work) = (self.over.clone(), self.power.clone(), self.work.clone());
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                fence(&work, power.load(Ordering::Relaxed));
                thread::sleep(Duration::from_millis(20));
            }
        });
        let (over, work, seen, count) =
            (self.over.clone(), self.work.clone(), self.violations.clone(), self.samples.clone());
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // The first is asked again: it may have ended between the two looks.
                if serves(&work, 1) && serves(&work, 2) && serves(&work, 1) {
                    seen.lock().unwrap().push("both nodes serve at once".to_owned());
                }
                if opened(&work, 1) && opened(&work, 2) && opened(&work, 1) {
                    seen.lock().unwrap().push("both nodes have the device open".to_owned());
                }
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(50));
            }
        });
    }

    pub(crate) fn cl(&self, args: &[&str]) -> Output {
        Command::new(here().join("cl.sh")).args(args).env("W", &self.work).env("ROOT", "/").output().unwrap()
    }

    /// Runs a command on a node; nothing comes back from one that is off.
    pub(crate) fn on(&self, node: usize, command: &str) -> String {
        let out = self.cl(&["exec", &node.to_string(), "timeout", "60", "sh", "-c", command]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// What `crm_mon` says on a node.
    pub(crate) fn state(&self, node: usize) -> Option<Cluster> {
        if !self.alive(node) {
            return None;
        }
        let text = self.on(node, "crm_mon --one-shot --inactive --output-as=xml");
        monitor("crm_mon", &text).ok().map(|s| s.cluster)
    }

    /// What `esos cluster explain` says on a node.
    pub(crate) fn why(&self, node: usize) -> String {
        let state = self.state(node);
        state.and_then(|c| explain(&c, "ms-scst-r0", None).ok()).map_or("-".to_owned(), |e| e.sentence())
    }

    pub(crate) fn alive(&self, node: usize) -> bool {
        pid(&self.work, node).is_some_and(|p| Path::new(&format!("/proc/{p}/root/run")).exists())
    }

    /// The node that serves.
    pub(crate) fn active(&self) -> Option<usize> {
        (1..=2).find(|n| serves(&self.work, *n))
    }

    /// Writes through a node's LUN as an initiator would; whether it was taken.
    pub(crate) fn write(&self, node: usize) -> bool {
        let Some(pid) = pid(&self.work, node) else { return false };
        let lun = PathBuf::from(format!("/proc/{pid}/root/run/scst_tgt/lun"));
        serves(&self.work, node) && std::fs::write(lun, "written").is_ok() && serves(&self.work, node)
    }

    /// Whether DRBD's nodes reach each other.
    pub(crate) fn link(&self, up: bool) {
        std::fs::write(self.work.join("out/drbd/link"), if up { "up" } else { "down" }).unwrap();
    }

    pub(crate) fn kill(&self, node: usize) {
        self.cl(&["kill", &node.to_string()]);
        self.link(false);
    }

    pub(crate) fn part(&self, node: usize) {
        self.link(false);
        self.cl(&["part", &node.to_string()]);
    }

    /// Signals a process of a node.
    pub(crate) fn signal(&self, node: usize, signal: &str, program: &str) {
        self.on(node, &format!("pkill -{signal} -x {program}"));
    }

    pub(crate) fn until(&self, what: &str, limit: u64, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            self.well();
            let late = start.elapsed() > Duration::from_secs(limit);
            assert!(
                !late,
                "{what}: not within {limit} s\n{}\n{}\n{}",
                self.log(),
                self.on(1, "crm_mon -1rfm"),
                self.on(2, "crm_mon -1rfm")
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The end of what DRBD was told.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.work.join("out/drbd/log")).unwrap_or_default();
        text.lines().rev().take(12).collect::<Vec<_>>().join("\n")
    }

    /// No invariant was broken so far.
    pub(crate) fn well(&self) {
        let seen = self.violations.lock().unwrap();
        assert!(seen.is_empty(), "{seen:?}");
    }

    /// One node serves and the other stands by, with both sides of DRBD.
    pub(crate) fn settled(&self) {
        self.until("one node serves and the other waits", 240, || {
            let Some(active) = self.active() else { return false };
            // DRBD too: a side that has not been brought up to date must not, and will not, be promoted.
            let both = |c: &Cluster, id: &str| {
                let all = c.resources.iter().flat_map(|r| r.primitives());
                all.filter(|p| p.id == id && p.active && !p.busy()).count() == 2
            };
            let promoted =
                |c: &Cluster| c.nodes.iter().all(|n| n.can_run()) && both(c, "scst-r0") && both(c, "drbd-r0");
            self.state(active).is_some_and(|c| promoted(&c))
        });
    }

    /// Everything is mended by hand: power, cables, processes, failures; then it settles.
    pub(crate) fn mend(&self) {
        self.power.store(OK, Ordering::Relaxed);
        for node in 1..=2 {
            if self.alive(node) {
                self.on(node, "rm -f /run/hang /fill /run/fill; pkill -CONT -x corosync; pkill -CONT -x pacemaker-contr");
                self.cl(&["heal", &node.to_string()]);
            }
        }
        thread::sleep(Duration::from_secs(3));
        let off: Vec<usize> = (1..=2).filter(|n| !self.alive(*n)).collect();
        self.link(true);
        for node in off {
            self.cl(&["start", &node.to_string()]);
        }
        self.until("both nodes are there", 240, || {
            // One may be shot yet, on the ground of what was before.
            (1..=2)
                .filter(|n| !self.alive(*n))
                .for_each(|n| drop((self.link(true), self.cl(&["start", &n.to_string()]))));
            self.link(true);
            let all = |c: Cluster| c.nodes.len() == 2 && c.nodes.iter().all(|n| n.can_run());
            thread::sleep(Duration::from_millis(300));
            self.state(1).is_some_and(all) && self.state(2).is_some_and(all)
        });
        self.on(1, "crm_resource --cleanup >/dev/null 2>&1");
        self.settled();
        self.well();
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.cl(&["down"]);
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ns")
}

fn pid(work: &Path, node: usize) -> Option<u32> {
    std::fs::read_to_string(work.join(format!("run/n{node}.pid"))).ok()?.trim().parse().ok()
}

fn is(work: &Path, node: usize, path: &str, value: &str) -> bool {
    let Some(pid) = pid(work, node) else { return false };
    std::fs::read_to_string(format!("/proc/{pid}/root/run/scst_tgt/{path}")).is_ok_and(|t| t.trim() == value)
}

fn opened(work: &Path, node: usize) -> bool {
    is(work, node, "devices/d/active", "1")
}

/// Open, not blocked, its ports active.
fn serves(work: &Path, node: usize) -> bool {
    opened(work, node)
        && is(work, node, "devices/d/block", "0 0")
        && is(work, node, &format!("device_groups/g/target_groups/n{node}/state"), "active")
}

/// What a power switch does: requests come as files.
fn fence(work: &Path, power: u8) {
    if power == HANG {
        return;
    }
    for entry in std::fs::read_dir(work.join("fence")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = name.strip_prefix("req.") else { continue };
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let node = text
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|n| n.strip_prefix('n'))
            .and_then(|n| n.parse().ok());
        if let (OK, Some(pid)) = (power, node.and_then(|n| pid(work, n))) {
            let _gone = Command::new("kill").args(["-9", &pid.to_string()]).output();
            let _down = std::fs::write(work.join("out/drbd/link"), "down");
        }
        let _removed = std::fs::remove_file(entry.path());
        let _answered =
            std::fs::write(work.join(format!("fence/done.{id}")), if power == OK { "0" } else { "1" });
    }
}
