//! Writing images onto media: whole, grown, other sectors, and media that lie or rot.
#![cfg(test)]
#![allow(dead_code, reason = "the helpers are those of the upgrade tests too")]
#[path = "upgrade/images.rs"]
mod images;
#[path = "upgrade/medium.rs"]
mod medium;

use esos_bootimg::disk::description::Signer;
use esos_bootimg::disk::fat::Fat;
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_bootimg::disk::verify::verify;
use esos_bootimg::disk::{Medium, Reading, Region};
use esos_bootimg::tool::Tool;
use esos_bootimg::write::{Facts, PlanWriteError, WriteError, WriteProgress, Written, plan};
use esos_layout::part;
use images::{Wanted, image};
use medium::{Disk, Done, Pages};
use std::io;

fn facts(disk: &dyn Medium) -> Facts {
    Facts { bytes: disk.len(), sector: disk.sector(), fresh: false }
}

fn write(source: &Disk, target: &dyn Medium, tools: &[Tool]) -> Result<Written, WriteError> {
    let mut image = Reading::new(source);
    let plan = plan(&mut image, facts(target)).unwrap();
    let (total, mut written, mut read_back) = (plan.bytes(), 0, 0);
    let done = plan.apply(&mut image, target, tools, b"nonce", 1_790_000_000, &mut |at| {
        let (so_far, now) = match at {
            WriteProgress::Written(bytes) => (&mut written, bytes),
            WriteProgress::ReadBack(bytes) => (&mut read_back, bytes),
        };
        assert!(*so_far <= now && now <= total, "{at:?} of {total}");
        *so_far = now;
    });
    if done.is_ok() {
        assert_eq!((written, read_back), (total, total), "what was said beforehand");
    }
    done
}

/// A medium that holds something else already.
fn used(len: u64, sector: u64) -> Disk {
    let mut pages = Pages::default();
    for at in (0..len).step_by((len / 300) as usize) {
        pages.write(&[0xaa; 4096], at / 4096 * 4096);
    }
    Disk { sector, ..Disk::new(len, pages) }
}

fn sizes(disk: &Disk) -> Vec<(String, u64)> {
    let table = Table::read(&mut Reading::new(disk), Copy::Primary).unwrap();
    table.partitions.iter().flatten().map(|p| (p.name.clone(), table.extent(p).1)).collect()
}

#[test]
fn a_larger_medium_gets_larger_logs_and_verifies() {
    let source = image(&Wanted::of("1.0"));
    let target = used(2 << 30, 512);
    let done = write(&source, &target, &[]).unwrap();
    assert_eq!(done.written_bytes, done.read_back_bytes);
    assert_eq!(verify(&mut Reading::new(&target), &mut |_| {}).unwrap().findings, []);
    let logs = sizes(&target).into_iter().find(|p| p.0 == part::LOGS).unwrap().1;
    assert!(logs > 1 << 30, "{logs}");
    // The beginning came last, and was blank until then.
    let log = target.log.borrow();
    let first: Vec<usize> = log
        .iter()
        .enumerate()
        .filter(|(_, d)| matches!(d, Done::Write { at: 0, .. }))
        .map(|(n, _)| n)
        .collect();
    let slots =
        log.iter().rposition(|d| matches!(d, Done::Write { at, .. } if *at > 300 << 20 && *at < 310 << 20));
    assert!(*first.last().unwrap() > slots.unwrap());
}

#[test]
fn a_medium_of_256_gib_gets_esos_data() {
    let source = image(&Wanted::of("1.0"));
    let len = 256u64 << 30;
    let target = used(len, 512);
    write(&source, &target, &[]).unwrap();
    assert_eq!(verify(&mut Reading::new(&target), &mut |_| {}).unwrap().findings, []);
    let sizes = sizes(&target);
    assert_eq!(sizes[5], (part::LOGS.to_owned(), 64 << 30));
    assert_eq!(sizes[6].0, part::DATA);
    assert!(sizes[6].1 > len - (66 << 30), "{sizes:?}");
}

#[test]
fn native_sectors_of_4096_bytes() {
    let source = image(&Wanted::of("1.0"));
    let target = used(1 << 30, 4096);
    write(&source, &target, &[]).unwrap();
    let table = Table::read(&mut Reading::new(&target), Copy::Primary).unwrap();
    assert_eq!(table.sector.bytes(), 4096);
    assert_eq!(verify(&mut Reading::new(&target), &mut |_| {}).unwrap().findings, []);
    let (start, len) = table.extent(table.find(part::BOOT).unwrap().1);
    let fat = Fat::open(Region::new(Reading::new(&target), start, len)).unwrap();
    assert_eq!(fat.sector(), 4096);
}

#[test]
fn tools_lie_beside_the_slots_and_are_covered_by_the_sums() {
    let signer = Signer::generate().unwrap();
    let source = image(&Wanted { signer: Some(&signer), ..Wanted::of("1.0") });
    let target = used(1 << 30, 512);
    let tool =
        |name: &str, fill| Tool { name: name.into(), bytes: vec![fill; 70_000], origin: "t.zip".into() };
    write(&source, &target, &[tool("storcli64", 1), tool("tw_cli", 2)]).unwrap();
    let check = |disk: &Disk| {
        assert_eq!(verify(&mut Reading::new(disk), &mut |_| {}).unwrap().findings, []);
        let table = Table::read(&mut Reading::new(disk), Copy::Primary).unwrap();
        let (start, len) = table.extent(table.find(part::BOOT).unwrap().1);
        let mut fat = Fat::open(Region::new(Reading::new(disk), start, len)).unwrap();
        assert_eq!(fat.read("esos/tools/storcli64").unwrap(), vec![1; 70_000]);
        fat.read(part::BOOT_SUMS).unwrap()
    };
    assert!(String::from_utf8(check(&target)).unwrap().contains("esos/tools/tw_cli"));
    // A stick written from that stick has them too.
    let next = used(1 << 30, 512);
    write(&target, &next, &[]).unwrap();
    check(&next);
}

#[test]
fn what_is_too_small_or_odd_is_refused() {
    let source = image(&Wanted::of("1.0"));
    let plan =
        |bytes, sector| plan(&mut Reading::new(&source), Facts { bytes, sector, fresh: false }).unwrap_err();
    for sector in [512, 4096] {
        let error = plan(source.len - 4096, sector);
        assert!(matches!(error, PlanWriteError::TooSmall { .. }), "{error}");
    }
    // A disk of 4K sectors whose number of 512-byte sectors would do, counted wrongly.
    assert!(matches!(plan(source.len / 8 / 4096 * 4096, 4096), PlanWriteError::TooSmall { .. }));
    assert!(matches!(plan(1 << 40, 2048), PlanWriteError::Sector { sector: 2048 }));
}

#[test]
fn one_flipped_bit_is_found_by_the_read_back() {
    let source = image(&Wanted::of("1.0"));
    for at in [(1 << 20) + 70_005, (267 << 20) + 70_001, 280 << 20, 300 << 20] {
        let target = used(1 << 30, 512);
        target.rots.set(Some(at));
        let error = write(&source, &target, &[]).unwrap_err();
        assert!(
            matches!(error, WriteError::ReadBack { first, pieces: 1, .. } if first == at / 65536 * 65536),
            "{error}"
        );
        assert!(Table::read(&mut Reading::new(&target), Copy::Primary).is_err(), "it must not boot");
    }
}

/// A stick that has less than it says.
struct Liar {
    disk: Disk,
    has: u64,
    wraps: bool,
}

impl Medium for Liar {
    fn len(&self) -> u64 {
        self.disk.len
    }
    fn sector(&self) -> u64 {
        512
    }
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.disk.read_at(buffer, at % self.has)
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if at >= self.has && !self.wraps {
            return Ok(());
        }
        self.disk.write_at(bytes, at % self.has)
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_medium_that_lies_about_its_size_is_found_at_once() {
    let source = image(&Wanted::of("1.0"));
    for wraps in [true, false] {
        for has in [2u64 << 30, 8 << 30, 31 << 30] {
            let liar = Liar { disk: used(64 << 30, 512), has, wraps };
            let error = write(&source, &liar, &[]).unwrap_err();
            assert!(
                matches!(error, WriteError::Lies { holds, .. } if holds.is_some() == wraps || !wraps),
                "{error}"
            );
            assert!(liar.disk.writes() < 200, "found by marks, not by writing everything");
        }
    }
}
