//! Packages to a root image, as ratios to the floor in the same run: nothing but reading every package,
//! hashing it, unpacking it and compressing what is kept.
//!
//! `ESOS_DEBS=DIR cargo bench -p esos-bootimg --bench root`; `ESOS_ROUNDS` (default 3).
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reads real packages and the clock, and prints"
)]
mod common;

use common::{Package, THREADS, cpu, floor, median, packages, proc_field};
use esos_bootimg::root::{DirCache, Options, PackageSource, RootBuilder, Silent};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const EPOCH: i64 = 1_800_000_000;

fn build(packages: &[Package], cache: &Path, out: &Path) -> u64 {
    let cache = DirCache::new(cache);
    let mut builder =
        RootBuilder::new(Options { threads: THREADS, ..Options::new(EPOCH) }).overlay().unwrap();
    for package in packages {
        let path = package.path.clone();
        builder = builder.package(PackageSource {
            name: package.name.clone(),
            version: package.version.clone(),
            sha256: package.sha256,
            size: package.size,
            open: Box::new(move || Ok(Box::new(File::open(&path)?))),
        });
    }
    let mut file = std::io::BufWriter::new(File::create(out).unwrap());
    let root = builder.prepare(&cache, &Silent).unwrap().write(&mut file).unwrap();
    file.flush().unwrap();
    root.index.packed()
}

fn main() {
    let Some(dir) = std::env::var_os("ESOS_DEBS") else {
        println!("root: skipped, ESOS_DEBS names no directory of packages");
        return;
    };
    let rounds: usize = std::env::var("ESOS_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3);
    let packages = packages(Path::new(&dir));
    let out = tempfile::tempdir().unwrap();
    let image = out.path().join("root.tar.zst");
    let small = packages.iter().filter(|p| p.size < 5 << 20).max_by_key(|p| p.size).unwrap();
    let kernel = packages.iter().max_by_key(|p| p.size).unwrap();
    let mut times: [Vec<f64>; 5] = Default::default();
    let mut cpus: [Vec<f64>; 5] = Default::default();
    let mut bytes = 0;
    for _ in 0..rounds {
        let cache = tempfile::tempdir().unwrap();
        let forget = |package: &Package| {
            let hex = package.sha256.iter().fold(String::new(), |t, b| format!("{t}{b:02x}"));
            for file in std::fs::read_dir(cache.path()).unwrap() {
                let path = file.unwrap().path();
                if path.file_name().unwrap().to_string_lossy().starts_with(&hex) {
                    std::fs::remove_file(path).unwrap();
                }
            }
        };
        let mut time = |at: usize, what: &mut dyn FnMut()| {
            let (start, before) = (Instant::now(), cpu());
            what();
            times[at].push(start.elapsed().as_secs_f64());
            cpus[at].push(cpu() - before);
        };
        time(0, &mut || floor(&packages));
        // The floor reads whole packages; the peak of memory is counted from here (proc(5)).
        let _counts_all = std::fs::write("/proc/self/clear_refs", "5");
        time(1, &mut || bytes = build(&packages, cache.path(), &image));
        time(2, &mut || bytes = build(&packages, cache.path(), &image));
        forget(small);
        time(3, &mut || bytes = build(&packages, cache.path(), &image));
        forget(kernel);
        time(4, &mut || bytes = build(&packages, cache.path(), &image));
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "root: {} packages, {} MB of frames, {THREADS} threads, {}, load {}, peak RSS {}, median of {rounds} (least, most)",
        packages.len(),
        bytes / 1_000_000,
        proc_field("/proc/cpuinfo", "model name\t:"),
        load.split(' ').next().unwrap_or("?"),
        proc_field("/proc/self/status", "VmHWM:"),
    );
    let floor = median(times[0].clone()).0;
    let full = median(times[1].clone()).0;
    let names = [
        "floor",
        "build, empty cache",
        "rebuild, nothing changed",
        "rebuild, one package",
        "rebuild, the kernel",
    ];
    for ((name, times), cpu) in names.iter().zip(times).zip(cpus) {
        let (mid, least, most) = median(times);
        let cpu = median(cpu).0;
        println!(
            "  {name:26} {mid:7.2} s ({least:.2}, {most:.2}), CPU {cpu:6.2} s  {:5.2} x floor  {:5.2} x build",
            mid / floor,
            mid / full
        );
    }
}
