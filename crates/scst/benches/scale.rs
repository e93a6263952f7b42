//! Milliseconds of reading, observing, planning and applying configurations of 10 to 20 000 LUNs on the
//! simulator, and what twice the size costs. A number as argument is the greatest number of LUNs.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures and tells"
)]
use esos_scst::{Config, Document, Live, NoJournal, Options, Policy, apply, observe, plan};
use esos_scst_sim::{Environment, Sim};
use std::fmt::Write as _;
use std::time::Duration;

/// A device for every four LUNs, a target for every forty: 20 000 LUNs are 5 000 devices and 500 targets.
/// Half of a target's LUNs are its own, half those of a group with two initiators.
fn file(luns: usize) -> String {
    let (devices, targets) = (luns.div_ceil(4), luns.div_ceil(40));
    let mut out = String::from("HANDLER vdisk_blockio {\n");
    for d in 0..devices {
        writeln!(
            out,
            "\tDEVICE vol{d:05} {{\n\t\tfilename /dev/vg0/vol{d:05}\n\t\tt10_dev_id {d:08x}-vol\n\t\tusn {d:08x}\n\t\tnv_cache 1\n\t}}"
        )
        .unwrap();
    }
    out.push_str("}\nTARGET_DRIVER iscsi {\n\tenabled 1\n");
    let mut lun = 0;
    for t in 0..targets {
        writeln!(out, "\tTARGET iqn.2026-01.org.esos:t{t:03} {{\n\t\tenabled 1\n\t\trel_tgt_id {}", t + 1)
            .unwrap();
        let most = 40.min(luns - lun);
        for n in 0..most {
            if n == 20 {
                writeln!(out, "\t\tGROUP esx {{\n\t\t\tINITIATOR iqn.x:{t}a\n\t\t\tINITIATOR iqn.x:{t}b")
                    .unwrap();
            }
            writeln!(out, "\t\tLUN {} vol{:05}", n % 20, (lun + n) % devices).unwrap();
        }
        lun += most;
        out.push_str(if most > 20 { "\t\t}\n\t}\n" } else { "\t}\n" });
    }
    out.push_str("}\n");
    out
}

fn box_of(luns: usize) -> Sim {
    let mut env = Environment::default();
    for d in 0..luns.div_ceil(4) {
        env = env.block(&format!("/dev/vg0/vol{d:05}"), 1 << 30);
    }
    let sim = Sim::new(env);
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    sim
}

/// Seconds that this thread was on a processor: others may use the machine too.
fn spent() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap()).as_secs_f64()
}

/// The least time of some rounds, in milliseconds, and the last result.
fn best<T>(rounds: usize, mut run: impl FnMut() -> T) -> (f64, T) {
    let mut least = f64::MAX;
    let mut once = || {
        let start = spent();
        let result = run();
        least = least.min((spent() - start) * 1e3);
        result
    };
    let mut result = once();
    for _ in 1..rounds {
        result = once();
    }
    (least, result)
}

const NAMES: [&str; 6] = ["parse", "observe", "plan all", "plan none", "prune all", "apply"];

fn measure(luns: usize) -> [f64; 6] {
    let text = file(luns);
    let rounds = 1 + 2000 / luns.max(1);
    let policy = Policy::default();
    let (parse, document) = best(rounds + 2, || Document::parse("scale", text.as_str()));
    let wanted = document.to_config().unwrap();
    let options = Options { allow_disruptive: true, allow_destructive: true, suspend: Some(30) };
    let mut sim = box_of(luns);
    let empty = observe(&sim).unwrap();
    let (all, planned) = best(rounds, || plan(&empty, &wanted, &policy));
    let (mut applied, mut writes) = (f64::MAX, 0);
    for _ in 0..3 {
        sim = box_of(luns);
        let (took, report) =
            best(1, || apply(&sim, &empty, &planned, &wanted, &policy, options, &mut NoJournal));
        (applied, writes) = (applied.min(took), report.unwrap().writes);
    }
    let (observed, live) = best(rounds, || observe(&sim).unwrap());
    let (none, nothing) = best(rounds, || plan(&live, &wanted, &policy));
    assert!(nothing.is_empty(), "{nothing}");
    let prune = Policy { prune: true, ..Policy::default() };
    let (pruned, gone) = best(rounds, || plan(&live, &Config::default(), &prune));
    assert!(gone.steps().count() > luns, "{gone}");
    one_initiator(&text, &live, &policy);
    let times = [parse, observed, all, none, pruned, applied];
    print!("{luns:6} LUNs {writes:6} writes");
    times.iter().zip(NAMES).for_each(|(ms, name)| print!("  {name} {ms:8.1}"));
    println!("  parse + observe + plan {:7.1} ms", parse + observed + none);
    times
}

fn one_initiator(text: &str, live: &Live, policy: &Policy) {
    let Some(at) = text.rfind("\t\t\tINITIATOR") else { return };
    let mut more = text.to_owned();
    more.insert_str(at, "\t\t\tINITIATOR iqn.x:new\n");
    let planned = plan(live, &Document::parse("more", more).to_config().unwrap(), policy);
    assert_eq!(planned.steps().count(), 1, "{planned}");
}

fn main() {
    let most = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(20_000);
    let mut before: Option<(usize, [f64; 6])> = None;
    for luns in [10, 100, 1000, 2500, 5000, 10_000, 20_000].into_iter().filter(|n| *n <= most) {
        let times = measure(luns);
        if let Some((last, old)) = before.filter(|(last, _)| last * 2 == luns) {
            print!("{luns:6} LUNs cost, as multiples of {last}:");
            times
                .iter()
                .zip(old)
                .zip(NAMES)
                .for_each(|((new, old), name)| print!("  {name} {:.2}", new / old));
            println!();
        }
        before = Some((luns, times));
    }
}
