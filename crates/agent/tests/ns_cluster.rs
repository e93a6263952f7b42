//! A real Corosync and Pacemaker of two nodes in namespaces, with our agent over a simulated SCST tree and a
//! DRBD that keeps its state: faults, fenced for real, with the invariants looked at twenty times a second.
//! Three faults at `ESOS_VM=ci`; power cuts with their times and `ESOS_NS_FAULTS` faults (50) at `all`. Needs root
//! and the packages corosync, pacemaker and pacemaker-cli-utils.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test"
)]
#[path = "ns/nodes.rs"]
mod nodes;

use nodes::{FAIL, HANG, Nodes, OK};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    PowerCut,
    Partition,
    Frozen,
    AgentHangs,
    FullDisk,
    FencingHangs,
    FencingFails,
}

use Fault::{AgentHangs, FencingFails, FencingHangs, Frozen, FullDisk, Partition, PowerCut};

const ALL: [Fault; 7] = [PowerCut, FencingHangs, Partition, AgentHangs, Frozen, FencingFails, FullDisk];

/// What `esos cluster explain ms-scst-r0` must say on the survivor `S` after the active node `A` was hit, before
/// anything is mended: committed before the runs. All words of a row must stand in the sentence.
const SENTENCES: [(Fault, &[&str]); 7] = [
    (PowerCut, &["promoted on S", "A was fenced by S at", "is off", "bring A back"]),
    (Partition, &["promoted on S", "A was fenced by S at", "is off", "bring A back"]),
    (FullDisk, &["promoted on"]),
    (Frozen, &["promoted on S", "A was fenced by S at", "is off", "bring A back"]),
    (
        FencingHangs,
        &["it was on A, which was lost", "fencing A is pending", "wait for it", "stonith_admin --confirm A"],
    ),
    (FencingFails, &["it was on A, which was lost", "fencing A failed", "stonith_admin --confirm A"]),
    (AgentHangs, &["monitor of scst-r0 failed on A", "Timed Out", "crm resource cleanup"]),
];

fn ready(test: &str, levels: &[&str]) -> bool {
    let level = std::env::var("ESOS_VM").unwrap_or_default();
    let tools = ["/usr/sbin/corosync", "/usr/sbin/pacemakerd", "/usr/sbin/crm_mon"];
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if levels.contains(&level.as_str()) && root && tools.iter().all(|p| Path::new(p).exists()) {
        return true;
    }
    println!("skipped: {test}: needs ESOS_VM={}, root, corosync and pacemaker", levels.join(" or "));
    false
}

/// The sentence that was agreed on comes; the last one is printed either way.
fn told(nodes: &Nodes, fault: Fault, active: usize, survivor: usize) {
    let Some((_, words)) = SENTENCES.iter().find(|(f, _)| *f == fault) else { return };
    let named = |w: &str| w.replace('A', &format!("n{active}")).replace('S', &format!("n{survivor}"));
    let mut last = String::new();
    nodes.until(&format!("{fault:?}: the sentence that was agreed on"), 60, || {
        last = nodes.why(survivor);
        let fits = words.iter().all(|w| last.contains(&named(w)));
        if !fits {
            thread::sleep(Duration::from_millis(300));
        }
        fits
    });
    println!("    {last}");
}

/// One fault, to its end; how long nothing could be written.
fn hit(nodes: &Nodes, fault: Fault) -> Duration {
    let active = nodes.active().unwrap();
    let survivor = 3 - active;
    let start = Instant::now();
    let taken = |limit| {
        nodes.until(&format!("{fault:?}: a write is taken"), limit, || nodes.write(1) || nodes.write(2));
        start.elapsed()
    };
    let waits = |seconds| {
        // As long as nobody knows that the node is off, nobody takes over.
        let end = Instant::now() + Duration::from_secs(seconds);
        nodes.until("nobody takes over", seconds + 60, || {
            assert!(!nodes.write(survivor), "{fault:?}: the survivor serves though the other may be alive");
            Instant::now() > end
        });
    };
    let time = match fault {
        PowerCut => {
            nodes.kill(active);
            // What is left of the dead one for a moment takes nothing.
            nodes.until("the survivor takes a write", 60, || nodes.write(survivor));
            start.elapsed()
        }
        Partition => {
            nodes.part(active);
            nodes.until("one of them is shot", 90, || !(nodes.alive(1) && nodes.alive(2)));
            match (nodes.alive(1), nodes.alive(2)) {
                // Without a delay both may shoot: then nobody serves, and nothing is wrong.
                (false, false) => start.elapsed(),
                _ => taken(90),
            }
        }
        Frozen => {
            nodes.signal(active, "STOP", "corosync");
            nodes.until("it is shot", 90, || !nodes.alive(active));
            taken(90)
        }
        AgentHangs => {
            nodes.on(active, ": >/run/hang");
            thread::sleep(Duration::from_secs(1));
            nodes.until("the monitor's time is over", 90, || nodes.why(survivor).contains("Timed Out"));
            nodes.on(active, "rm -f /run/hang");
            taken(120)
        }
        FullDisk => {
            nodes.on(
                active,
                "dd if=/dev/zero of=/fill bs=1M 2>/dev/null; dd if=/dev/zero of=/run/fill bs=64k 2>/dev/null",
            );
            thread::sleep(Duration::from_secs(12));
            nodes.on(active, "rm -f /fill /run/fill");
            taken(120)
        }
        FencingHangs => {
            nodes.power.store(HANG, Ordering::Relaxed);
            nodes.kill(active);
            waits(6);
            told(nodes, fault, active, survivor);
            nodes.power.store(OK, Ordering::Relaxed);
            taken(90)
        }
        FencingFails => {
            nodes.power.store(FAIL, Ordering::Relaxed);
            nodes.kill(active);
            waits(6);
            told(nodes, fault, active, survivor);
            // The operator has looked: it is off.
            nodes.on(survivor, &format!("stonith_admin --confirm n{active}"));
            taken(90)
        }
    };
    match (fault, nodes.alive(active), nodes.alive(survivor)) {
        (FencingHangs | FencingFails, ..) | (_, false, false) => {}
        // A partition is won by whoever shoots first.
        (Partition, true, false) => told(nodes, fault, survivor, active),
        _ => told(nodes, fault, active, survivor),
    }
    time
}

#[test]
fn three_faults() {
    if !ready("three_faults", &["ci", "all"]) {
        return;
    }
    let nodes = Nodes::up();
    for fault in [PowerCut, FencingHangs, Partition] {
        let time = hit(&nodes, fault);
        println!("{fault:?}: {time:.2?} without a write");
        nodes.mend();
    }
    println!("3 faults, {} samples, no invariant broken", nodes.samples.load(Ordering::Relaxed));
}

#[test]
fn fifty_faults() {
    if !ready("fifty_faults", &["all"]) {
        return;
    }
    let count = std::env::var("ESOS_NS_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(50_usize);
    let nodes = Nodes::up();
    for (n, fault) in ALL.into_iter().cycle().take(count).enumerate() {
        let time = hit(&nodes, fault);
        println!("{}. {fault:?}: {time:.2?} without a write", n + 1);
        nodes.mend();
    }
    println!("{count} faults, {} samples, no invariant broken", nodes.samples.load(Ordering::Relaxed));
}

#[test]
fn power_cuts_of_the_active_node() {
    if !ready("power_cuts_of_the_active_node", &["all"]) {
        return;
    }
    let count = std::env::var("ESOS_NS_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_usize);
    let nodes = Nodes::up();
    let mut times = Vec::new();
    for n in 0..count {
        let time = hit(&nodes, PowerCut);
        println!("{}. {time:.2?}", n + 1);
        times.push(time);
        nodes.mend();
    }
    times.sort();
    println!(
        "{} power cuts: median {:.2?}, worst {:.2?}",
        times.len(),
        times[times.len() / 2],
        times.last().unwrap()
    );
    println!("{} samples, no invariant broken", nodes.samples.load(Ordering::Relaxed));
}
