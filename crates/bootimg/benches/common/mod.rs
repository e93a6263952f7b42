//! What the benchmarks of a build share: real packages, the floor, clocks.
use esos_bootimg::deb::{Deb, Limits};
use esos_bootimg::root::Filter;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Processes, or threads, of everything that is compared.
pub(crate) const THREADS: usize = 2;

pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: [u8; 32],
    pub(crate) size: u64,
    pub(crate) path: PathBuf,
}

pub(crate) fn packages(dir: &Path) -> Vec<Package> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "deb") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let deb = Deb::open("x", &bytes[..], Limits::default()).unwrap();
        let field = |name: &str| deb.control().field(name).unwrap().to_owned();
        let (name, version) = (field("Package"), field("Version"));
        all.push(Package {
            name,
            version,
            sha256: Sha256::digest(&bytes).into(),
            size: bytes.len() as u64,
            path,
        });
    }
    all
}

/// What cannot be avoided, on as many threads.
pub(crate) fn floor(packages: &[Package]) {
    let mut order: Vec<&Package> = packages.iter().collect();
    order.sort_by_key(|p| std::cmp::Reverse(p.size));
    let next = AtomicUsize::new(0);
    let filter = Filter::appliance();
    let work = || {
        while let Some(package) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let bytes = std::fs::read(&package.path).unwrap();
            assert!(Sha256::digest(&bytes).as_slice() == package.sha256);
            let mut entries = Deb::open("x", &bytes[..], Limits::default()).unwrap().entries().unwrap();
            let mut zstd = zstd::stream::write::Encoder::new(std::io::sink(), 3).unwrap();
            while let Some(entry) = entries.next_entry().unwrap() {
                let merged = entry.path.as_str().strip_prefix("lib/").map(|rest| format!("usr/lib/{rest}"));
                let path = merged.map_or_else(|| entry.path.clone(), |path| path.parse().unwrap());
                if filter.keeps(&path) {
                    std::io::copy(&mut entries.by_ref(), &mut zstd).unwrap();
                }
            }
            zstd.finish().unwrap();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(work);
        }
        work();
    });
}

pub(crate) fn proc_field(file: &str, field: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix(field)).unwrap_or("?").trim().to_owned()
}

/// Seconds of CPU that this process and its children that ended have used (proc(5): fields 14 to 17 of
/// `stat`, in hundredths).
pub(crate) fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(4).filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

pub(crate) fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}
