//! A real Corosync and Pacemaker of two nodes in namespaces, with our agent over a simulated SCST tree:
//! power cuts of the active node, fenced for real. Slow, so only with `ESOS_VM=all`; needs root and the
//! packages corosync, pacemaker and pacemaker-cli-utils.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test"
)]
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SETUP: &str = "for d in device_groups/g/devices/d devices/d device_groups/g/target_groups/n1 device_groups/g/target_groups/n2; do mkdir -p /run/scst_tgt/$d; done; cd /run/scst_tgt; echo x > version; echo 0 > devices/d/active; echo '0 0' > devices/d/block; echo 1048576 > devices/d/size; echo offline > device_groups/g/target_groups/n1/state; echo offline > device_groups/g/target_groups/n2/state";
const CIB: [&str; 4] = [
    "cibadmin -C -o resources -X '<primitive id=\"fence-ns\" class=\"stonith\" type=\"fence_ns\"><instance_attributes id=\"f-i\"><nvpair id=\"f-h\" name=\"pcmk_host_list\" value=\"n1 n2\"/></instance_attributes></primitive>'",
    "crm_attribute -t crm_config -n stonith-enabled -v true",
    "crm_attribute -t crm_config -n dc-deadtime -v 5s",
    "cibadmin -C -o resources -X '<clone id=\"ms-scst\"><meta_attributes id=\"m1\"><nvpair id=\"m2\" name=\"promotable\" value=\"true\"/><nvpair id=\"m3\" name=\"notify\" value=\"true\"/></meta_attributes><primitive id=\"scst\" class=\"ocf\" provider=\"esos\" type=\"scst-alua\"><instance_attributes id=\"i1\"><nvpair id=\"i2\" name=\"device_group\" value=\"g\"/></instance_attributes><operations><op id=\"o1\" name=\"monitor\" interval=\"2s\" role=\"Promoted\" timeout=\"10s\"/><op id=\"o2\" name=\"monitor\" interval=\"3s\" role=\"Unpromoted\" timeout=\"10s\"/></operations></primitive></clone>'",
];

struct Nodes {
    work: PathBuf,
    over: Arc<AtomicBool>,
}

impl Nodes {
    fn cl(&self, args: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ns/cl.sh");
        Command::new(script).args(args).env("W", &self.work).env("ROOT", "/").output().unwrap()
    }

    fn on(&self, node: usize, command: &str) -> String {
        let out = self.cl(&["exec", &node.to_string(), "sh", "-c", command]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Whether the node serves: open, not blocked, its ports active.
    fn serves(&self, node: usize) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.work.join(format!("run/n{node}.pid"))) else {
            return false;
        };
        let tree = PathBuf::from(format!("/proc/{}/root/run/scst_tgt", pid.trim()));
        let is = |path: &str, value: &str| {
            std::fs::read_to_string(tree.join(path)).is_ok_and(|t| t.trim() == value)
        };
        is("devices/d/active", "1")
            && is("devices/d/block", "0 0")
            && is(&format!("device_groups/g/target_groups/n{node}/state"), "active")
    }

    fn until(&self, what: &str, limit: u64, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(limit), "{what}: {}", self.on(1, "crm_mon -1"));
            assert!(!(self.serves(1) && self.serves(2)), "both nodes serve at once");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.cl(&["down"]);
    }
}

/// What a power switch does: requests come as files.
fn fence(work: &Path) {
    for entry in std::fs::read_dir(work.join("fence")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = name.strip_prefix("req.") else { continue };
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let node =
            text.split_ascii_whitespace().nth(1).and_then(|n| n.strip_prefix('n')).unwrap_or("0").to_owned();
        let pid = std::fs::read_to_string(work.join(format!("run/n{node}.pid"))).unwrap_or_default();
        let _gone = Command::new("kill").args(["-9", pid.trim()]).output();
        let _removed = std::fs::remove_file(entry.path());
        let _answered = std::fs::write(work.join(format!("fence/done.{id}")), "0");
    }
}

#[test]
fn power_cuts_of_the_active_node() {
    let slow = std::env::var("ESOS_VM").is_ok_and(|v| v == "all");
    let ready = ["/usr/sbin/corosync", "/usr/sbin/pacemakerd", "/usr/sbin/crm_mon"]
        .iter()
        .all(|p| Path::new(p).exists());
    if !slow || !ready {
        return println!(
            "skipped: power_cuts_of_the_active_node: ESOS_VM=all, root and corosync and pacemaker are needed"
        );
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let work = dir.path().to_owned();
    for sub in ["ra", "fence", "run"] {
        std::fs::create_dir(work.join(sub)).unwrap();
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "esos-agent", "--example", "sim_agent"])
        .status();
    assert!(built.unwrap().success(), "the agent for the test does not build");
    let agent =
        std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/sim_agent");
    std::fs::copy(agent, work.join("ra/scst-alua")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (stop, place) = (over.clone(), work.clone());
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            fence(&place);
            thread::sleep(Duration::from_millis(50));
        }
    });
    let nodes = Nodes { work, over };
    nodes.cl(&["up", "2"]);
    nodes.until("the cluster forms", 120, || nodes.on(1, "crm_mon -1").contains("Online: [ n1 n2 ]"));
    (1..=2).for_each(|n| drop(nodes.on(n, SETUP)));
    CIB.iter().for_each(|c| drop(nodes.on(1, c)));
    let mut times = Vec::new();
    for _ in 0..10 {
        nodes.until("one node serves", 120, || nodes.serves(1) || nodes.serves(2));
        let (a, b) = if nodes.serves(1) { (1, 2) } else { (2, 1) };
        nodes.until("the other waits", 120, || {
            nodes.on(b, "crm_mon -1").contains(&format!("Unpromoted: [ n{b} ]"))
        });
        let start = Instant::now();
        nodes.cl(&["kill", &a.to_string()]);
        nodes.until("the survivor serves", 60, || nodes.serves(b));
        times.push(start.elapsed());
        nodes.cl(&["start", &a.to_string()]);
        thread::sleep(Duration::from_secs(3));
        nodes.on(a, SETUP);
    }
    times.sort();
    println!("{} power cuts: median {:?}, worst {:?}", times.len(), times[times.len() / 2], times.last());
}
