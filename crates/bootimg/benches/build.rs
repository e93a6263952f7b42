//! A whole image against a mere tarball: `esos-image build` of 428 packages of Debian 12 and
//! `mmdebstrap --variant=extract | zstd -3 -T0` of the same packages, by turns, and the floor under both.
//!
//! `cargo bench -p esos-bootimg --bench build`; `ESOS_ROUNDS` (default 3), `ESOS_BENCH_DIR` keeps packages
//! (default `target/bench-build`). Needs a built `esos-image`, mmdebstrap, zstd, and once the network.
//!
//! Wanted, by the wall: an image 0.65x of the peer and 1.3x of the floor; of that, one changed package 0.2x, another
//! kernel 0.7x; 512 MiB. Found on two shared cores, medians of 5 rounds at load 8 and of 3 at load 6: 0.19 and 0.30x,
//! 1.25 and 1.25x (CPU 1.14 and 1.18x), 0.20 and 0.15x (CPU 0.11 and 0.12x), 0.69 and 0.52x, 369 MB.
//! Where it goes: of a whole build 44 % of CPU unpack xz, 18 % are zstd, 10 % copying, 5 % SHA-256; on one thread are
//! the lists of packages, the kernel's modules, the root's frames behind one another and onto the disk image, and the
//! `fsync` of it. Of a build after one changed package 28 % are SHA-256 (every package, every frame and every file of
//! the slot), a fifth is the kernel writing files.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark runs programs, reads the clock, and prints"
)]
mod common;

use common::{Package, THREADS, cpu, floor, median, packages, proc_field};
use esos_bootimg::archive::directory;
use esos_fetch::{HostFetch, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SUITE: &str = "bookworm";

struct Bench {
    tool: PathBuf,
    manifest: PathBuf,
    dir: PathBuf,
    lock: PathBuf,
    cache: PathBuf,
    repository: PathBuf,
    names: Vec<String>,
    /// The largest resident set of `esos-image` so far, in kB.
    peak: AtomicU64,
}

fn here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}

impl Bench {
    /// Chooses and fetches the packages once, and makes a repository of them for the peer.
    fn new() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned();
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
        let dir =
            std::env::var_os("ESOS_BENCH_DIR").map_or_else(|| target.join("bench-build"), PathBuf::from);
        let bench = Self {
            tool: target.join("release/esos-image"),
            manifest: root.join("tests/manifests/debian12.toml"),
            lock: dir.join("packages.lock"),
            cache: dir.join("cache"),
            repository: dir.join("repository"),
            names: Vec::new(),
            peak: AtomicU64::new(0),
            dir,
        };
        for program in ["mmdebstrap", "zstd"] {
            if !here(program) {
                return Err(format!("{program} is not installed"));
            }
        }
        if !bench.tool.exists() {
            return Err("esos-image is not built: run make build".to_owned());
        }
        fs::create_dir_all(&bench.dir).unwrap();
        if !bench.lock.exists() {
            let mut lock = Command::new(&bench.tool);
            lock.args(["lock", "--suite", SUITE, "--manifest"]).arg(&bench.manifest);
            run(lock.arg("--update").arg(&bench.lock))?;
        }
        let fill = bench.command(false);
        run(&mut { fill })?;
        bench.with_repository()
    }

    fn with_repository(mut self) -> Result<Self, String> {
        let _old = fs::remove_dir_all(&self.repository);
        fs::create_dir(&self.repository).unwrap();
        for line in fs::read_to_string(&self.lock).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [name, _, _, sha256, _, "main" | "security", _, file, ..] = words.as_slice() else {
                continue;
            };
            let store = self.cache.join("packages/sha256").join(&sha256[..2]).join(sha256);
            let file = file.rsplit('/').next().unwrap();
            fs::hard_link(store, self.repository.join(file)).map_err(|e| e.to_string())?;
            self.names.push((*name).to_owned());
        }
        let index = directory::index(&HostFetch::offline(), &self.repository).map_err(|e| e.to_string())?;
        let (size, hash) = (index.len(), Sha256::of(index.as_bytes()));
        fs::write(self.repository.join("Packages"), index).unwrap();
        let release = format!("Codename: {SUITE}\nSuite: {SUITE}\nSHA256:\n {hash} {size} Packages\n");
        fs::write(self.repository.join("Release"), release).unwrap();
        Ok(self)
    }

    fn command(&self, offline: bool) -> Command {
        let mut build = Command::new(&self.tool);
        build.args(["build", "--quiet", "--suite", SUITE, "--no-compress", "--jobs", &THREADS.to_string()]);
        build.arg("--manifest").arg(&self.manifest).arg("--lock").arg(&self.lock);
        build.arg("--cache").arg(&self.cache).arg("--out").arg(self.dir.join("out"));
        if offline {
            build.arg("--offline");
        }
        build
    }

    /// An image; how much memory it took is looked at while it runs.
    fn build(&self) {
        let mut child = self.command(true).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (status, over) = (format!("/proc/{}/status", child.id()), AtomicBool::new(false));
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let kb = proc_field(&status, "VmHWM:").trim_end_matches(" kB").parse().unwrap_or(0);
                    self.peak.fetch_max(kb, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let ended = child.wait().unwrap();
            over.store(true, Ordering::Relaxed);
            ended
        });
        assert!(ended.success(), "esos-image build: {ended}");
    }

    /// The same packages, unpacked into a tarball and compressed.
    fn peer(&self) {
        let source = format!("deb [trusted=yes] copy://{} ./", self.repository.display());
        let mut tar = Command::new("mmdebstrap")
            .args([
                "--quiet",
                "--variant=extract",
                &format!("--include={}", self.names.join(",")),
                SUITE,
                "-",
            ])
            .arg(source)
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = File::create(self.dir.join("peer.tar.zst")).unwrap();
        let zstd = Command::new("zstd")
            .args(["-3", "-T0", "-q", "-c"])
            .stdin(tar.stdout.take().unwrap())
            .stdout(out)
            .status()
            .unwrap();
        let tar = tar.wait().unwrap();
        assert!(tar.success() && zstd.success(), "mmdebstrap: {tar}, zstd: {zstd}");
    }

    /// Forgets what was packed of one package, or of all.
    fn forget(&self, package: Option<&Package>) {
        let hex = package.map_or_else(String::new, |p| p.sha256.iter().map(|b| format!("{b:02x}")).collect());
        // What was read of modules is kept by the modules' own hash.
        let kernel = package.is_some_and(|p| p.name.starts_with("linux-image-"));
        for file in fs::read_dir(self.cache.join("frames")).unwrap().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with(&hex) || kernel && name.ends_with(".facts") {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let out = command.output().map_err(|e| e.to_string())?;
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()) }
}

fn main() {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return println!("build: skipped, {why}"),
    };
    let packages = packages(&bench.repository);
    let small = packages.iter().filter(|p| p.size < 5 << 20).max_by_key(|p| p.size).unwrap();
    let kernel =
        packages.iter().filter(|p| p.name.starts_with("linux-image-")).max_by_key(|p| p.size).unwrap();
    let rounds: usize = std::env::var("ESOS_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3);
    let mut taken: [Vec<(f64, f64)>; 5] = Default::default();
    for _ in 0..rounds {
        let mut time = |at: usize, what: &dyn Fn()| {
            let (start, before) = (Instant::now(), cpu());
            what();
            taken[at].push((start.elapsed().as_secs_f64(), cpu() - before));
        };
        time(0, &|| bench.peer());
        time(1, &|| floor(&packages));
        bench.forget(None);
        time(2, &|| bench.build());
        bench.forget(Some(small));
        time(3, &|| bench.build());
        bench.forget(Some(kernel));
        time(4, &|| bench.build());
    }
    let mut verify = Command::new(&bench.tool);
    let sound = run(verify.arg("verify").arg(bench.dir.join("out/esos.img"))).err();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "build: {} packages, {THREADS} threads, {}, load {}, peak RSS {} MB, image {}, median of {rounds} (least, most)",
        packages.len(),
        proc_field("/proc/cpuinfo", "model name\t:"),
        load.split(' ').next().unwrap_or("?"),
        bench.peak.load(Ordering::Relaxed) / 1000,
        sound.unwrap_or_else(|| "verified".to_owned()),
    );
    let changed = |p: &Package| format!("{} {}", p.name, p.version);
    println!("  changed: {}; {}", changed(small), changed(kernel));
    let names = [
        "mmdebstrap extract | zstd -3",
        "floor",
        "image, no frame cached",
        "image, one package changed",
        "image, kernel changed",
    ];
    let of = |at: usize, part: fn(&(f64, f64)) -> f64| median(taken[at].iter().map(part).collect());
    let base = [0, 1, 2].map(|at| (of(at, |t| t.0).0, of(at, |t| t.1).0));
    for (at, name) in names.iter().enumerate() {
        let (wall, cpu) = (of(at, |t| t.0), of(at, |t| t.1));
        let ratios = base.map(|(w, c)| format!("{:5.2} {:5.2}", wall.0 / w, cpu.0 / c));
        println!(
            "  {name:29} {:7.2} s ({:.2}, {:.2}), CPU {:6.2} s; wall and CPU: {} x peer  {} x floor  {} x image",
            wall.0, wall.1, wall.2, cpu.0, ratios[0], ratios[1], ratios[2]
        );
    }
}
