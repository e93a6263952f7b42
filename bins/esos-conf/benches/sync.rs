//! `esos-conf sync` against what the original does with rsync and git, on the same tree in the same run: 20 000 files,
//! 500 MiB, one changed, both ended by `sync -f`; a sync of nothing against `find -printf '%T@ %s'`; what 100
//! generations of one change each come to; peak memory.
//!
//! The tree and both stores lie below `ESOS_BENCH_DIR` (default `/var/tmp`). Rounds are interleaved; times are of the
//! processor (of the process and its children) and of the wall, medians.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where it cannot go on"
)]
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const ROUNDS: u32 = 5;
const TIME: &str = "/usr/bin/time";

/// Directory, files, bytes of one. Text that compresses about as configuration does.
const TREE: &[(&str, u32, usize)] = &[
    ("etc/conf.d", 4_000, 5_000),
    ("var/lib/pacemaker", 12_000, 25_000),
    ("opt/extra", 3_990, 40_000),
    ("opt/large", 10, 4 << 20),
];

#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
    peak_kib: f64,
    written_kib: f64,
}

fn content(seed: u32, length: usize) -> Vec<u8> {
    let (mut out, mut state) = (Vec::with_capacity(length + 80), u64::from(seed) * 2 + 1);
    while out.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let line = format!("key.{} = {:x} # {}\n", state % 97, state >> 20, seed % 13);
        out.extend_from_slice(line.as_bytes());
    }
    out.truncate(length);
    out
}

fn fill(root: &Path) {
    for (dir, files, length) in TREE {
        let dir = root.join(dir);
        for n in 0..*files {
            let sub = dir.join(format!("{:02}", n % 100));
            fs::create_dir_all(&sub).unwrap();
            fs::write(sub.join(format!("file-{n}")), content(n, *length)).unwrap();
        }
    }
    fs::create_dir_all(root.join("root/.ssh")).unwrap();
    fs::write(root.join("etc/hostname"), "bench\n").unwrap();
    fs::write(root.join("etc/esos-release"), "5.0.0\n").unwrap();
}

/// A shell line under time(1), in a directory.
fn cost(dir: &Path, script: &str) -> Cost {
    let figures = dir.join("time");
    let began = Instant::now();
    let output = Command::new(TIME)
        .args(["-f", "%U %S %M %O", "-o"])
        .arg(&figures)
        .args(["sh", "-ec", script])
        .current_dir(dir)
        .output()
        .unwrap();
    let wall = began.elapsed().as_secs_f64();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(figures).unwrap();
    let mut numbers = text.split_whitespace().map(|n| n.parse::<f64>().unwrap());
    let mut next = || numbers.next().unwrap();
    let (user, system) = (next(), next());
    // Blocks of 512 bytes.
    Cost { cpu: user + system, wall, peak_kib: next(), written_kib: next() / 2.0 }
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn main() {
    for tool in [TIME, "/usr/bin/rsync"] {
        if !Path::new(tool).is_file() {
            println!("skipped: esos-conf sync against rsync and git: {tool} is not installed");
            return;
        }
    }
    let base = std::env::var_os("ESOS_BENCH_DIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let dir = tempfile::tempdir_in(base).unwrap();
    let dir = dir.path();
    let root = dir.join("root");
    fill(&root);
    fs::create_dir(dir.join("store")).unwrap();
    fs::create_dir(dir.join("peer")).unwrap();
    let program = env!("CARGO_BIN_EXE_esos-conf");
    // What is left out by default stays out of both; `/opt` is asked for as a user would.
    let ours = format!("{program} sync --quiet --root root --store store >/dev/null; sync -f store");
    let theirs = "git -C root/etc add -A; git -C root/etc commit -q -m sync --allow-empty; \
                  git -C root/etc push -q ../../peer/etckeeper.git HEAD:master; \
                  cd root; rsync --archive --relative --delete var/lib/pacemaker opt root/.ssh ../peer/rsync_dirs; cd ..; sync -f peer";
    let first = cost(dir, &ours);
    println!(
        "first sync of everything: {:.1} s of processor, {:.1} s, peak {:.0} KiB, {:.0} KiB written",
        first.cpu, first.wall, first.peak_kib, first.written_kib
    );
    cost(
        dir,
        "git init -q --bare peer/etckeeper.git; git -C root/etc init -q; git -C root/etc config user.name x; \
               git -C root/etc config user.email x@x",
    );
    cost(dir, theirs);
    let mut costs: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    let mut note = |name, cost| costs.entry(name).or_default().push(cost);
    for round in 0..ROUNDS {
        // Warm caches for whoever comes first.
        cost(dir, "find root -printf '%T@ %s' >/dev/null");
        for (name, script, path) in [
            ("ours, one of /etc changed", ours.as_str(), "etc/conf.d/07/file-7"),
            ("ours, one of /var/lib changed", ours.as_str(), "var/lib/pacemaker/07/file-7"),
        ] {
            fs::write(root.join(path), content(1_000_000 + round, 5_000)).unwrap();
            note(name, cost(dir, script));
        }
        for (name, path) in [
            ("rsync and git, one of /etc changed", "etc/conf.d/07/file-7"),
            ("rsync and git, one of /var/lib changed", "var/lib/pacemaker/07/file-7"),
        ] {
            fs::write(root.join(path), content(2_000_000 + round, 5_000)).unwrap();
            note(name, cost(dir, theirs));
        }
        cost(dir, &ours);
        // What was changed within the last second is read again once.
        std::thread::sleep(std::time::Duration::from_secs(2));
        cost(dir, &ours);
        note(
            "ours, nothing changed",
            cost(dir, &format!("{program} sync --quiet --root root --store store >/dev/null")),
        );
        note(
            "find -printf",
            cost(
                dir,
                "find root/etc root/var/lib/pacemaker root/opt root/root/.ssh -printf '%T@ %s' >/dev/null",
            ),
        );
    }
    for (name, costs) in &costs {
        println!(
            "{name}: {:.3} s of processor, {:.3} s, peak {:.0} KiB, {:.0} KiB written",
            median(costs, |c| c.cpu),
            median(costs, |c| c.wall),
            median(costs, |c| c.peak_kib),
            median(costs, |c| c.written_kib)
        );
    }
    let ratio = |a: &str, b: &str| {
        let (a, b) = (costs.get(a).unwrap(), costs.get(b).unwrap());
        (median(a, |c| c.cpu) / median(b, |c| c.cpu), median(a, |c| c.wall) / median(b, |c| c.wall))
    };
    for (a, b, limit) in [
        ("ours, one of /etc changed", "rsync and git, one of /etc changed", 0.5),
        ("ours, one of /var/lib changed", "rsync and git, one of /var/lib changed", 0.5),
        ("ours, nothing changed", "find -printf", 2.0),
    ] {
        let (cpu, wall) = ratio(a, b);
        println!("{a} / {b}: processor {cpu:.2}, wall {wall:.2} (at most {limit})");
    }

    let size = |dir: &Path| -> u64 {
        let output = Command::new("du").args(["-sB1", "--apparent-size"]).arg(dir).output().unwrap();
        String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap().parse().unwrap()
    };
    let one = size(&dir.join("store"));
    for n in 0..100u32 {
        fs::write(root.join("etc/conf.d/11/file-11"), content(3_000_000 + n, 5_000)).unwrap();
        cost(dir, &format!("{program} sync --quiet --root root --store store >/dev/null"));
    }
    let hundred = size(&dir.join("store"));
    println!(
        "100 generations of one change each: {:.3} of one generation (below 1.5), {one} and {hundred} bytes",
        hundred as f64 / one as f64
    );
}
