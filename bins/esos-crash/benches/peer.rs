//! `esos-crash save` against makedumpfile on the same core, both writing to tmpfs: processor time, wall time, size, peak
//! memory, and the share of the limit (zstd level 1 of the same pages and one copy of them).
//!
//! `ESOS_PEER` names makedumpfile (1.7.9 or newer, with zstd), `ESOS_CORE` a core; `tests/tests/vm_cores.rs` makes some
//! (`ESOS_CORES`). Rounds are interleaved, medians are printed; a machine that does other work spoils wall times.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where it cannot go on"
)]
use esos_crashdump::{Codec, Core, Level, PAGE, Physical};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 7;
const TIME: &str = "/usr/bin/time";

#[derive(Clone, Copy, Default)]
struct Cost {
    cpu: f64,
    wall: f64,
    peak_kib: f64,
    size: f64,
}

fn main() {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_file());
    let (Some(peer), Some(core)) = (path("ESOS_PEER"), path("ESOS_CORE")) else {
        println!("skipped: crash dumps against makedumpfile: ESOS_PEER and ESOS_CORE name no files");
        return;
    };
    if !Path::new(TIME).is_file() {
        println!("skipped: crash dumps against makedumpfile: {TIME} is not installed (Debian: time)");
        return;
    }
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let out = dir.path().join("out");
    let ours = |workers: &'static str| {
        let mut command = vec![env!("CARGO_BIN_EXE_esos-crash").to_owned(), "save".to_owned()];
        command.extend([core.display().to_string(), "--out".to_owned(), out.display().to_string()]);
        command.extend(["--workers", workers, "--quiet"].map(str::to_owned));
        command
    };
    let theirs = |threads: &[&str]| {
        let mut command = vec![peer.display().to_string(), "-z".to_owned(), "-d".to_owned(), "31".to_owned()];
        command.extend(threads.iter().map(|t| (*t).to_owned()));
        command.extend([core.display().to_string(), out.display().to_string()]);
        command
    };
    let modes = [
        ("makedumpfile -z -d 31", theirs(&[])),
        ("makedumpfile --num-threads 2", theirs(&["--num-threads", "2"])),
        ("esos-crash, 1 worker, checksums", ours("1")),
        ("esos-crash, 2 workers, checksums", ours("2")),
    ];
    let mut costs: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (name, command) in &modes {
            costs.entry(name).or_default().push(run(command, dir.path(), &out));
        }
        costs.entry("library, 1 worker, no checksums").or_default().push(library(&core, &out));
    }
    let of = |name: &str, what: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.get(name).into_iter().flatten().map(what).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let base = "makedumpfile -z -d 31";
    println!(
        "{:36} {:>8} {:>6} {:>8} {:>6} {:>10} {:>6} {:>9}",
        "median of 7", "CPU s", "ratio", "wall s", "ratio", "bytes", "ratio", "peak KiB"
    );
    for name in costs.keys() {
        let (cpu, wall, size) = (of(name, |c| c.cpu), of(name, |c| c.wall), of(name, |c| c.size));
        println!(
            "{name:36} {cpu:8.3} {:6.2} {wall:8.3} {:6.2} {size:10} {:6.3} {:9}",
            cpu / of(base, |c| c.cpu),
            wall / of(base, |c| c.wall),
            size / of(base, |c| c.size),
            of(name, |c| c.peak_kib)
        );
    }
    let limit = limit(&core);
    let ours = of("library, 1 worker, no checksums", |c| c.cpu);
    println!("limit (zstd -1 of the pages, one copy): {limit:.3} s; share of it: {:.2}", limit / ours);
}

fn run(command: &[String], dir: &Path, out: &Path) -> Cost {
    for entry in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let ran = Command::new(TIME).args(["-f", "@ %U %S %e %M"]).args(command).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{command:?}: {said}");
    let numbers = said.rsplit('@').next().unwrap_or_default();
    let n: Vec<f64> = numbers.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [user, system, wall, peak_kib] = n[..] else { return Cost::default() };
    let size = std::fs::metadata(out).unwrap().len() as f64;
    Cost { cpu: user + system, wall, peak_kib, size }
}

/// The processor time of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn library(core: &Path, out: &Path) -> Cost {
    let core = Core::open(esos_hostfs::Stream::open(core).unwrap()).unwrap();
    let options =
        esos_crashdump::SaveOptions { level: Level::LEAST, codec: Codec::Zstd, workers: 1, max_size: None };
    let file = esos_hostfs::Stream::create(out, 0o600).unwrap();
    let (began, before) = (Instant::now(), cpu());
    let saved = esos_crashdump::save(&core, &options, &file, &mut |_| ()).unwrap();
    Cost {
        cpu: cpu() - before,
        wall: began.elapsed().as_secs_f64(),
        peak_kib: f64::NAN,
        size: saved.size as f64,
    }
}

/// What no program can do without: compressing every page that is not zero, and copying it once.
fn limit(core: &Path) -> f64 {
    let core = Core::open(esos_hostfs::Stream::open(core).unwrap()).unwrap();
    let classes = esos_crashdump::Classifier::new(&core, Level::LEAST);
    let mut memory = Vec::new();
    let mut page = [0; PAGE as usize];
    for first in classes.windows() {
        for i in classes.window(first).unwrap().dumped.iter() {
            core.read((first + i) * PAGE, &mut page).unwrap();
            if page.iter().any(|b| *b != 0) {
                memory.extend_from_slice(&page);
            }
        }
    }
    let mut zstd = zstd::bulk::Compressor::new(1).unwrap();
    let mut out = Vec::with_capacity(8192);
    let before = cpu();
    let copy = memory.clone();
    for page in copy.chunks(PAGE as usize) {
        out.clear();
        zstd.compress_to_buffer(page, &mut out).unwrap();
        std::hint::black_box(&out);
    }
    cpu() - before
}
