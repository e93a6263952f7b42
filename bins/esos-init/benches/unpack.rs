//! What `/init` does with a root image against what a script would do: `sha256sum -c` of busybox and then
//! `unsquashfs`, and `unsquashfs` alone, of the same tree into a tmpfs. Ratios of wall and processor time.
//!
//! `ESOS_ROOT` names a directory with `root.tar.zst` and `root.idx` of a slot, and with `root.squashfs` of the same
//! tree (`mksquashfs TREE root.squashfs -comp zstd`) and its `root.sha256`; what of the latter two is missing is made.
//! `ESOS_TMPFS` (default `/dev/shm`) is where the trees go, `ESOS_ROUNDS` how often (default 5). As a program of
//! its own it runs in a guest too.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reads files and the clock, runs its peer, prints, and ends where it cannot go on"
)]
#[path = "../src/host/tree.rs"]
mod tree;

use esos_initramfs::{Effort, ReadAt};
use esos_layout::frames::Index;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const MODES: [&str; 3] = ["sha256sum -c, unsquashfs", "unsquashfs", "esos-init"];

struct Image(File);

impl ReadAt for Image {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
    fn len(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }
    fn forget(&self, _offset: u64, _length: u64) {}
}

fn main() {
    let Some(dir) = std::env::var_os("ESOS_ROOT").map(PathBuf::from) else {
        println!(
            "skipped: unpacking a root image: ESOS_ROOT names no directory with root.tar.zst and root.idx"
        );
        return;
    };
    for tool in ["busybox", "unsquashfs", "mksquashfs"] {
        if !have(tool) && (tool != "mksquashfs" || !dir.join("root.squashfs").exists()) {
            println!("skipped: unpacking a root image: {tool} is not installed");
            return;
        }
    }
    let tmpfs = std::env::var_os("ESOS_TMPFS").map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let rounds = std::env::var("ESOS_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(5);
    let to = tmpfs.join("unpacked");
    let index: Index = fs::read_to_string(dir.join("root.idx")).unwrap().parse().unwrap();
    let workers = std::thread::available_parallelism().unwrap().get();
    prepare(&dir, &to, &index, workers);
    let mut costs: [Vec<(f64, f64)>; 3] = Default::default();
    for _ in 0..rounds {
        for (mode, costs) in costs.iter_mut().enumerate() {
            cold(&dir);
            let (start, before) = (Instant::now(), cpu());
            match mode {
                0 => {
                    run(Command::new("busybox").args(["sha256sum", "-c", "root.sha256"]).current_dir(&dir));
                    unsquash(&dir, &to);
                }
                1 => unsquash(&dir, &to),
                _ => ours(&dir, &to, &index, workers),
            }
            costs.push((start.elapsed().as_secs_f64(), cpu() - before));
            fs::remove_dir_all(&to).unwrap();
        }
    }
    println!(
        "unpack: {} MB of tar, {} MB packed, {} MB of squashfs, {workers} processors, load {}, medians of {rounds}",
        index.unpacked() / 1_000_000,
        index.packed() / 1_000_000,
        fs::metadata(dir.join("root.squashfs")).unwrap().len() / 1_000_000,
        fs::read_to_string("/proc/loadavg").unwrap().split(' ').next().unwrap_or("?"),
    );
    let mine = median(&costs[2]);
    for (name, costs) in MODES.iter().zip(&costs) {
        let (wall, cpu) = median(costs);
        let least = costs.iter().map(|c| c.0).fold(f64::INFINITY, f64::min);
        let most = costs.iter().map(|c| c.0).fold(0.0, f64::max);
        println!(
            "  {name:26} {wall:7.2} s ({least:.2}, {most:.2}), CPU {cpu:6.2} s; esos-init takes {:.2} of its wall, {:.2} of its CPU",
            mine.0 / wall,
            mine.1 / cpu
        );
    }
}

fn ours(dir: &Path, to: &Path, index: &Index, workers: usize) {
    fs::create_dir(to).unwrap();
    let tree = tree::HostTree::open(to.to_str().unwrap()).unwrap();
    let image = Image(File::open(dir.join("root.tar.zst")).unwrap());
    let effort = Effort { workers, packed_in_flight: 64 << 20 };
    esos_initramfs::unpack(index, &image, &tree, effort, &|_| {}).unwrap();
}

fn unsquash(dir: &Path, to: &Path) {
    run(Command::new("unsquashfs").args(["-q", "-n", "-d"]).arg(to).arg(dir.join("root.squashfs")));
}

fn prepare(dir: &Path, to: &Path, index: &Index, workers: usize) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    if !dir.join("root.squashfs").exists() {
        ours(dir, to, index, workers);
        run(Command::new("mksquashfs").arg(to).arg(dir.join("root.squashfs")).args([
            "-comp",
            "zstd",
            "-no-progress",
            "-quiet",
        ]));
        fs::remove_dir_all(to).unwrap();
    }
    if !dir.join("root.sha256").exists() {
        let sums =
            Command::new("busybox").args(["sha256sum", "root.squashfs"]).current_dir(dir).output().unwrap();
        fs::write(dir.join("root.sha256"), sums.stdout).unwrap();
    }
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn have(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}

/// Nothing of the images is in the page cache: the medium is read each time. Without the right to do so, all are
/// warm alike.
fn cold(dir: &Path) {
    for name in ["root.tar.zst", "root.squashfs"] {
        if let Ok(file) = File::open(dir.join(name)) {
            let _warm = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }
}

/// Processor time of this process and of the programs it ran, in seconds.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(4).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn median(costs: &[(f64, f64)]) -> (f64, f64) {
    let middle = |of: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    };
    (middle(|c| c.0), middle(|c| c.1))
}
