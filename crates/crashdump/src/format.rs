//! The kdump-compressed format, version 6: where everything lies, and the two headers.
//!
//! One block is a page. Block 0 is the header, block 1 the second header with the ELF notes behind it, then two
//! bitmaps (frames that exist, frames that are here), one descriptor per frame that is here, in order of
//! the frames, and the packed pages, in any order.
use crate::core::{Core, PAGE, Physical};
use crate::vmcoreinfo::notes;
use crate::{Level, ReadAt, Vm};

/// The header's first bytes.
pub(crate) const SIGNATURE: &[u8; 8] = b"KDUMP   ";
/// Bytes of a page's descriptor: offset, size, flags, page flags.
pub(crate) const DESCRIPTOR: u64 = 24;
/// The status bit of a file that lacks pages which its level has.
pub(crate) const INCOMPLETE: u32 = 8;
/// Where the second header ends and the notes begin.
pub(crate) const NOTES_AT: u64 = PAGE + 104;

/// Where the parts of a file lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) second_blocks: u64,
    /// Bytes of one bitmap, whole blocks.
    pub(crate) bitmap: u64,
    pub(crate) max_frame: u64,
}

impl Layout {
    pub(crate) fn new(notes: u64, max_frame: u64) -> Self {
        Self {
            second_blocks: (NOTES_AT - PAGE + notes).div_ceil(PAGE),
            bitmap: max_frame.div_ceil(8).next_multiple_of(PAGE),
            max_frame,
        }
    }

    /// Where the bitmap of existing frames begins.
    pub(crate) fn present(self) -> u64 {
        (1 + self.second_blocks) * PAGE
    }

    /// Where the bitmap of the file's frames begins.
    pub(crate) fn dumped(self) -> u64 {
        self.present() + self.bitmap
    }

    /// Where the descriptors begin.
    pub(crate) fn descriptors(self) -> u64 {
        self.dumped() + self.bitmap
    }
}

/// Both headers and the notes.
pub(crate) fn headers<S: ReadAt>(core: &Core<S>, layout: Layout, level: Level, status: u32) -> Vec<u8> {
    let mut out = vec![0; (layout.present()) as usize];
    let mut put = |at: u64, bytes: &[u8]| {
        for (to, from) in out.iter_mut().skip(at as usize).zip(bytes) {
            *to = *from;
        }
    };
    put(0, SIGNATURE);
    put(8, &6_u32.to_le_bytes());
    put(12, &utsname(core));
    let time = core.info().get("CRASHTIME").and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    put(408, &time.to_le_bytes());
    let bitmap_blocks = 2 * layout.bitmap / PAGE;
    let frames32 = u32::try_from(layout.max_frame).unwrap_or(u32::MAX);
    let words = [
        status,
        PAGE as u32,
        layout.second_blocks as u32,
        bitmap_blocks as u32,
        frames32,
        0,
        0,
        0,
        0,
        core.cpus() as u32,
    ];
    for (at, word) in (424..).step_by(4).zip(words) {
        put(at, &word.to_le_bytes());
    }
    let base = core.info().number("phys_base").unwrap_or(0);
    put(PAGE, &base.to_le_bytes());
    put(PAGE + 8, &u32::from(level.get()).to_le_bytes());
    let info = notes(core.notes()).filter(|n| n.owner == b"VMCOREINFO").last().map(|n| n.contents);
    let (info_at, info_len) = info.map_or((0, 0), |r| (NOTES_AT + r.start as u64, r.len() as u64));
    let words = [info_at, info_len, NOTES_AT, core.notes().len() as u64, 0, 0, 0, 0, layout.max_frame];
    for (at, word) in (PAGE + 32..).step_by(8).zip(words) {
        put(at, &word.to_le_bytes());
    }
    put(NOTES_AT, core.notes());
    out
}

/// `struct new_utsname`: six texts of 65 bytes.
fn utsname<S: ReadAt>(core: &Core<S>) -> Vec<u8> {
    let mut name = vec![0; 390];
    let info = core.info();
    let found = info.symbol("init_uts_ns").and_then(|at| {
        let at = at.wrapping_add(info.offset("uts_namespace.name").unwrap_or(0) as u64);
        Vm::new(core).ok()?.read(at, &mut name).ok()
    });
    if found.is_none() || !name.starts_with(b"Linux\0") {
        name.fill(0);
        let release = info.get("OSRELEASE").unwrap_or("unknown");
        for (at, text) in [(0, "Linux"), (130, release), (260, "x86_64")] {
            name.iter_mut().skip(at).zip(text.bytes().take(64)).for_each(|(to, from)| *to = from);
        }
    }
    name
}
