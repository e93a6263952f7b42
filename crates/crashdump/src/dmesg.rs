//! The kernel's log out of its printk ring (5.10 and later).
use crate::bytes::{number, u16_at, u64_at};
use crate::{CoreError, Physical, Vm, Vmcoreinfo};
use std::io::Write;

/// Descriptors of a ring: the kernel has 2^15 by default, 2^20 with the largest log buffer.
const MAX_BITS: u64 = 21;
/// The longest text of a record: `text_len` has 16 bits.
const MAX_TEXT: u64 = 1 << 16;
/// A descriptor's state: its id below, two bits of state on top.
const ID: u64 = u64::MAX >> 2;
const COMMITTED: u64 = 1;
const FINALIZED: u64 = 2;

/// How a log was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSummary {
    /// Records printed.
    pub records: u64,
    /// Records whose text the ring had already overwritten, or that make no sense.
    pub lost: u64,
}

struct Ring<'a, 'b, P: ?Sized> {
    vm: &'b Vm<'a, P>,
    info: &'a Vmcoreinfo,
}

impl<P: Physical + ?Sized> Ring<'_, '_, P> {
    fn offset(&self, member: &str) -> Result<usize, CoreError> {
        let offset = self.info.need_offset(member, "the kernel's log")?;
        if offset > 4096 {
            let expected = "an offset in a small structure";
            return Err(CoreError::Odd { what: "an offset in VMCOREINFO", found: offset as u64, expected });
        }
        Ok(offset)
    }

    fn size(&self, name: &str) -> Result<usize, CoreError> {
        self.info.need_size(name, 4096, "the kernel's log")
    }

    fn word(&self, base: u64, member: &str) -> Result<u64, CoreError> {
        self.vm.word(base.wrapping_add(self.offset(member)? as u64))
    }

    /// 2 to the power of a 32-bit number.
    fn power(&self, base: u64, member: &str, limit: u64) -> Result<u64, CoreError> {
        let mut bits = [0; 4];
        self.vm.read(base.wrapping_add(self.offset(member)? as u64), &mut bits)?;
        let bits = number(&bits);
        if bits > limit {
            let expected = "a power of two that fits into memory";
            return Err(CoreError::Odd { what: "the size of the log's ring", found: bits, expected });
        }
        Ok(1 << bits)
    }
}

/// Writes the kernel's log as `dmesg` prints it: `[seconds.micros] text`.
///
/// Memory is bounded by the longest record, time by the size of the ring, whatever the memory holds.
///
/// # Errors
/// [`CoreError`] where the ring cannot be found or makes no sense; [`LogError::Write`] from `out`.
pub fn dmesg<P: Physical + ?Sized>(vm: &Vm<'_, P>, out: &mut impl Write) -> Result<LogSummary, LogError> {
    let ring = Ring { vm, info: vm.memory().info() };
    let prb = vm.word(ring.info.need_symbol("prb", "the kernel's log")?)?;
    let descs = prb.wrapping_add(ring.offset("printk_ringbuffer.desc_ring")? as u64);
    let data = prb.wrapping_add(ring.offset("printk_ringbuffer.text_data_ring")? as u64);
    let count = ring.power(descs, "prb_desc_ring.count_bits", MAX_BITS)?;
    let desc_array = ring.word(descs, "prb_desc_ring.descs")?;
    let info_array = ring.word(descs, "prb_desc_ring.infos")?;
    let counter = ring.offset("atomic_long_t.counter")? as u64;
    let id = |member| -> Result<u64, CoreError> {
        Ok(vm.word(descs.wrapping_add(ring.offset(member)? as u64 + counter))? & ID)
    };
    let (tail, head) = (id("prb_desc_ring.tail_id")?, id("prb_desc_ring.head_id")?);
    let text_size = ring.power(data, "prb_data_ring.size_bits", 31)?;
    let text_array = ring.word(data, "prb_data_ring.data")?;

    let (desc_size, info_size) = (ring.size("prb_desc")?, ring.size("printk_info")?);
    let state_at = ring.offset("prb_desc.state_var")? + counter as usize;
    let lpos = ring.offset("prb_desc.text_blk_lpos")?;
    let begin_at = lpos + ring.offset("prb_data_blk_lpos.begin")?;
    let next_at = lpos + ring.offset("prb_data_blk_lpos.next")?;
    let time_at = ring.offset("printk_info.ts_nsec")?;
    let len_at = ring.offset("printk_info.text_len")?;

    let (mut desc, mut info) = (vec![0; desc_size], vec![0; info_size]);
    let mut text = Vec::new();
    let mut summary = LogSummary::default();
    let mut left = text_size;
    // Every record has its place in the ring, so one round reaches them all.
    for step in 0..(head.wrapping_sub(tail) & ID).saturating_add(1).min(count) {
        let id = tail.wrapping_add(step) & ID;
        let index = id % count;
        vm.read(desc_array.wrapping_add(index * desc_size as u64), &mut desc)?;
        vm.read(info_array.wrapping_add(index * info_size as u64), &mut info)?;
        let state = u64_at(&desc, state_at).unwrap_or(0);
        if state & ID != id || !matches!(state >> 62, COMMITTED | FINALIZED) {
            continue;
        }
        let begin = u64_at(&desc, begin_at).unwrap_or(0);
        let next = u64_at(&desc, next_at).unwrap_or(0);
        let wanted = u64::from(u16_at(&info, len_at).unwrap_or(0));
        text.clear();
        if begin & 1 == 0 || next & 1 == 0 {
            let (from, to) = (begin % text_size, next % text_size);
            // A block that would not fit at the end begins at 0; `begin` is where it would have been.
            let wrapped = begin / text_size != next.wrapping_sub(1) / text_size;
            let from = if wrapped { 0 } else { from };
            let to = if to == 0 { text_size } else { to };
            // Each block begins with its descriptor's id.
            let len = to.saturating_sub(from.saturating_add(8)).min(wanted).min(MAX_TEXT);
            // No two records share text, so all together are not longer than the ring.
            left = left.checked_sub(len).ok_or(CoreError::Odd {
                what: "the text of the log's records",
                found: text_size,
                expected: "no more than its ring holds",
            })?;
            text.resize(len as usize, 0);
            if vm.read(text_array.wrapping_add(from + 8), &mut text).is_err() || len < wanted {
                summary.lost += 1;
                if len == 0 {
                    continue;
                }
            }
        }
        let ns = u64_at(&info, time_at).unwrap_or(0);
        let (s, us) = (ns / 1_000_000_000, ns % 1_000_000_000 / 1000);
        write!(out, "[{s:5}.{us:06}] ")
            .and_then(|()| out.write_all(&text))
            .and_then(|()| out.write_all(b"\n"))?;
        summary.records += 1;
    }
    Ok(summary)
}

/// Why the log could not be printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The ring cannot be read.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// It was read but not written.
    #[error("cannot write the log")]
    Write(#[from] std::io::Error),
}
