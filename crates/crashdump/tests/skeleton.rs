//! The recorded core of a 6.12 kernel against what is known of it.
mod common;
use common::{fresh_skeleton, recorded_dmesg, skeleton};
use esos_crashdump::{Classifier, Core, Level, Physical, Vm, dmesg};

#[test]
fn headers() {
    let core = Core::open(skeleton()).unwrap();
    assert_eq!(core.info().get("OSRELEASE"), Some("6.12.117+deb12-amd64"));
    assert_eq!((core.cpus(), core.missing()), (2, 0));
    // The image's segment overlaps the last one: each page frame counts once.
    assert_eq!(core.extents().len(), 2);
    assert_eq!(core.runs(0, core.end_pfn()).map(|(a, b)| b - a).sum::<u64>(), 114_394);
}

#[test]
fn the_log_equals_the_recorded_one() {
    let core = Core::open(skeleton()).unwrap();
    let mut out = Vec::new();
    let summary = dmesg(&Vm::new(&core).unwrap(), &mut out).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&recorded_dmesg()));
    assert_eq!(summary.lost, 0);
}

/// makedumpfile 1.7.9's files of this core have a size that its number of pages decides: one descriptor of 24
/// bytes each, then whole pages.
#[test]
fn page_counts_agree_with_the_sizes_of_makedumpfiles_files() {
    let core = Core::open(skeleton()).unwrap();
    for (level, size) in [(31, 66_364_008_u64), (0, 471_356_528)] {
        let pages = Classifier::new(&core, Level::new(level).unwrap());
        assert_eq!(pages.unknown(), [""; 0]);
        let windows: Vec<_> = pages.windows().map(|first| pages.window(first).unwrap()).collect();
        let count: u64 = windows.iter().map(|w| w.dumped.count()).sum();
        println!(
            "level {level}: {count} pages, {:?}",
            windows.iter().map(|w| &w.excluded).collect::<Vec<_>>()
        );
        assert_eq!(windows.iter().map(|w| w.unjudged).sum::<u64>(), 0);
        assert_eq!(count * 24 % 4096, size % 4096, "level {level}: {count} pages");
    }
}

/// Levels are sums: a page is dumped at a level when none of its parts leaves it out.
#[test]
fn levels_add_up() {
    let core = Core::open(skeleton()).unwrap();
    let dumped = |level| {
        let pages = Classifier::new(&core, Level::new(level).unwrap());
        pages.window(0).unwrap().dumped
    };
    let parts = [2, 4, 8, 16].map(|bit| (bit, dumped(bit)));
    for level in 0..32 {
        let found = dumped(level);
        let mut expected = dumped(0);
        for (bit, part) in &parts {
            if level & bit != 0 {
                for at in 0..core.end_pfn() {
                    if !part.get(at) {
                        expected.clear(at, at + 1);
                    }
                }
            }
        }
        assert!(found == expected, "level {level}: {found:?}, expected {expected:?}");
    }
}

/// Damage at any place gives an error or a result, never a panic, and ends.
#[test]
fn damaged_cores_are_survived() {
    let whole = fresh_skeleton();
    let blocks = whole.blocks();
    // A simple generator of numbers: the same ones in each run.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut damaged = whole;
    let mut opened = 0;
    for round in 0..40 {
        for _ in 0..64 {
            let block = blocks[next() as usize % blocks.len()];
            damaged.poke(block + next() % 4096, &next().to_le_bytes());
        }
        if round % 8 == 7 {
            damaged.cut(next() % 514_899_968);
        }
        let Ok(core) = Core::open(&damaged) else { continue };
        opened += 1;
        let pages = Classifier::new(&core, Level::LEAST);
        for first in pages.windows().take(4) {
            let window = pages.window(first).unwrap();
            assert!(window.dumped.count() <= window.present.count());
        }
        if let Ok(vm) = Vm::new(&core) {
            let _summary = dmesg(&vm, &mut std::io::sink());
            let _tables = vm.tables(1000);
        }
    }
    assert!(opened > 10, "{opened} of 40 rounds went further than the headers");
}
