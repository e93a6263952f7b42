//! Cores of real kernels, sorted and saved by us and by makedumpfile.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_crashdump::{Classifier, Core, Level as DumpLevel, PAGE};
use esos_hostfs::Stream;
use esos_tests::{Level, allowed, cores, peer, skip};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cores are kept between runs: `ESOS_CORES`, or a directory that goes.
fn place() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("ESOS_CORES") {
        Some(dir) => (dir.into(), None),
        None => {
            let dir = tempfile::tempdir_in("/var/tmp").unwrap();
            (dir.path().to_owned(), Some(dir))
        }
    }
}

/// Our bitmap and the peer's, at every level. The one difference that is allowed: a page of which the file has a
/// part only, which makedumpfile leaves out and we keep.
fn compare(peer: &Path, path: &Path, scratch: &Path) {
    let core = Core::open(Stream::open(path).unwrap()).unwrap();
    let partial: Vec<u64> = core
        .extents()
        .iter()
        .flat_map(|e| [e.physical, e.physical + e.len])
        .filter(|edge| edge % PAGE != 0)
        .map(|edge| edge / PAGE)
        .collect();
    let before = peer::straighten(path).unwrap();
    for level in 0..32_u8 {
        let out = scratch.join("peer.kdump");
        let codec = if level % 2 == 1 { None } else { Some("-p") };
        let number = level.to_string();
        let mut args: Vec<&str> = codec.into_iter().collect();
        args.extend(["-f", "-d", &number, path.to_str().unwrap(), out.to_str().unwrap()]);
        peer::run(peer, &args).unwrap();
        let theirs = peer::second_bitmap(&out).unwrap();
        std::fs::remove_file(&out).unwrap();
        let pages = Classifier::new(&core, DumpLevel::new(level).unwrap());
        assert_eq!(pages.unknown(), [""; 0]);
        let mut ours = vec![0_u8; theirs.len()];
        let mut excluded = std::collections::BTreeMap::new();
        for first in pages.windows() {
            let window = pages.window(first).unwrap();
            for i in window.dumped.iter() {
                let pfn = first + i;
                if let Some(byte) = ours.get_mut((pfn / 8) as usize) {
                    *byte |= 1 << (pfn % 8);
                }
            }
            for (kind, n) in window.excluded {
                *excluded.entry(kind.to_string()).or_insert(0) += n;
            }
        }
        let differ: Vec<u64> = (0..theirs.len() as u64 * 8)
            .filter(|pfn| (ours[(pfn / 8) as usize] ^ theirs[(pfn / 8) as usize]) >> (pfn % 8) & 1 == 1)
            .filter(|pfn| !partial.contains(pfn))
            .collect();
        let count: u32 = ours.iter().map(|b| b.count_ones()).sum();
        println!("{}: level {level}: {count} pages, {excluded:?}", path.display());
        let head: Vec<_> = differ.iter().take(10).collect();
        assert!(differ.is_empty(), "level {level}: {} page frames differ: {head:x?}", differ.len());
    }
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&before, 0).unwrap();
}

fn skeleton(dir: &Path) -> PathBuf {
    let path = dir.join("skeleton.core");
    let packed = esos_fixtures::path("crashdump/r2-6.12.skel.zst");
    let out = std::fs::File::create(&path).unwrap();
    let made = Command::new("zstd").args(["-dc", "--sparse"]).arg(packed).stdout(out).status().unwrap();
    assert!(made.success());
    path
}

#[test]
fn the_recorded_core_is_sorted_as_the_peer_sorts_it() {
    let test = "the_recorded_core_is_sorted_as_the_peer_sorts_it";
    let peer = match peer::find() {
        Ok(peer) => peer,
        Err(why) => return skip(test, &why),
    };
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    compare(&peer, &skeleton(dir.path()), dir.path());
}

#[test]
fn cores_of_real_kernels_are_sorted_as_the_peer_sorts_them() {
    let test = "cores_of_real_kernels_are_sorted_as_the_peer_sorts_them";
    if !allowed(test, Level::All) {
        return;
    }
    let peer = match peer::find() {
        Ok(peer) => peer,
        Err(why) => return skip(test, &why),
    };
    let (dir, _keeps) = place();
    for recipe in &cores::RECIPES {
        match cores::make(recipe, &dir) {
            Ok(core) => compare(&peer, &core, &dir),
            Err(why) => skip(test, &format!("{}: {why}", recipe.name)),
        }
    }
}
