//! Writes blocks that name themselves, and finds those that were acknowledged and are not there.
//!
//! `write DEVICE SLOTS STAMP [COUNT]` writes one block after the other into a ring of slots, past every cache, and
//! says `ack SLOT STAMP SUM` when the device has taken it, and `waited MS` each time a block took longer than any
//! before it; `put DEVICE SLOT STAMP` writes one; `check DEVICE` reads
//! such lines and tells each slot whose block is older than what was acknowledged, or is no whole block. Uses
//! nothing but the standard library, so `rustc` alone builds it.
#![expect(clippy::print_stdout, reason = "a program of its own, whose output the test reads")]
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const BLOCK: usize = 4096;
/// `O_DIRECT | O_DSYNC` of Linux on x86-64.
const UNCACHED: i32 = 0o40000 | 0o10000;

/// A block on a page of its own, as `O_DIRECT` wants it.
#[repr(align(4096))]
struct Page([u8; BLOCK]);

fn main() -> io::Result<ExitCode> {
    let words: Vec<String> = std::env::args().collect();
    let number = |text: &String| text.parse::<u64>().map_err(io::Error::other);
    match words.get(1).map(String::as_str) {
        Some("write") if words.len() >= 5 => {
            let (slots, first) = (number(&words[3])?.max(1), number(&words[4])?);
            let count = words.get(5).map(number).transpose()?.unwrap_or(u64::MAX);
            let device = open(&words[2])?;
            let mut longest = Duration::from_secs(1);
            for stamp in first..first.saturating_add(count) {
                let slot = stamp % slots;
                let start = Instant::now();
                put(&device, slot, stamp)?;
                let took = start.elapsed();
                if took > longest {
                    longest = took;
                    println!("waited {}", took.as_millis());
                }
                println!("ack {slot} {stamp} {}", sum(slot, stamp));
                io::stdout().flush()?;
            }
        }
        Some("put") if words.len() == 5 => put(&open(&words[2])?, number(&words[3])?, number(&words[4])?)?,
        Some("check") if words.len() == 3 => return check(&open(&words[2])?),
        _ => {
            return Err(io::Error::other(
                "acked write DEVICE SLOTS STAMP [COUNT] | put DEVICE SLOT STAMP | check DEVICE",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(UNCACHED).open(path)
}

/// Tells a line that was torn by another from a whole one.
fn sum(slot: u64, stamp: u64) -> u64 {
    slot.wrapping_mul(31).wrapping_add(stamp.wrapping_mul(17)) % 997
}

fn put(device: &File, slot: u64, stamp: u64) -> io::Result<()> {
    device.write_all_at(&made(slot, stamp).0, slot.saturating_mul(BLOCK as u64))
}

/// Slot, stamp, noise that follows from both, and a checksum of all of it.
fn made(slot: u64, stamp: u64) -> Box<Page> {
    let mut page = Box::new(Page([0; BLOCK]));
    let mut noise = slot.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stamp.wrapping_add(0x1234_5678_9abc_def1);
    for (n, part) in page.0.chunks_exact_mut(8).enumerate() {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        let word = match n {
            0 => slot,
            1 => stamp,
            _ => noise,
        };
        part.copy_from_slice(&word.to_le_bytes());
    }
    let end = BLOCK - 8;
    let sum = fnv(&page.0[..end]);
    page.0[end..].copy_from_slice(&sum.to_le_bytes());
    page
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

fn check(device: &File) -> io::Result<ExitCode> {
    let mut acked: BTreeMap<u64, u64> = BTreeMap::new();
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<u64> = line.split(' ').skip(1).filter_map(|w| w.parse().ok()).collect();
        if let [slot, stamp, told] = words[..]
            && told == sum(slot, stamp)
        {
            let last = acked.entry(slot).or_default();
            *last = (*last).max(stamp);
        }
    }
    let mut lost = 0_usize;
    for (slot, stamp) in &acked {
        let mut page = Box::new(Page([0; BLOCK]));
        device.read_exact_at(&mut page.0, slot.saturating_mul(BLOCK as u64))?;
        let word =
            |n: usize| page.0.get(n..n + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let (there, at) = (word(8), word(0));
        // A newer block that was not acknowledged any more is no loss.
        if at != *slot || there < *stamp || made(*slot, there).0 != page.0 {
            println!("slot {slot}: acknowledged {stamp}, found {there}");
            lost += 1;
        }
    }
    println!("checked {} lost {lost}", acked.len());
    Ok(if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
