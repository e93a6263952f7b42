//! What a reader of a dump needs first, so that a file that was cut is still of use.
use crate::bytes::u64_at;
use crate::core::PAGE;
use crate::vmcoreinfo::notes;
use crate::{Core, CoreError, MemMap, Physical, ReadAt, Vm};
use std::collections::BTreeSet;

/// Page tables: enough for 100 TiB mapped by 2 MiB, and a bound for memory that is nonsense.
const MAX_TABLES: usize = 1 << 16;
/// A log's ring or a kernel's image is not larger.
const MAX_RANGE: u64 = 256 << 20;
/// All together are not more: half a GiB. It bounds what memory that is nonsense can cost.
const MAX_FRAMES: usize = 1 << 17;

/// Page frames in the order in which they are to be written, each once: page tables, the log, what
/// VMCOREINFO names, the table of symbols, per-CPU areas, tasks with their stacks, the rest of the kernel's image.
///
/// What cannot be found is passed over: the order is a help, not a condition.
pub(crate) fn first<S: ReadAt>(core: &Core<S>) -> Vec<u64> {
    let mut order = Order { seen: BTreeSet::new(), frames: Vec::new() };
    if let Ok(vm) = Vm::new(core) {
        for frame in vm.tables(MAX_TABLES).unwrap_or_default() {
            order.frame(frame);
        }
        // QEMU says where each processor's page tables are, and readers believe it before VMCOREINFO.
        qemu_tops(core.notes()).for_each(|frame| order.frame(frame));
        let _partial = log(&vm, &mut order);
        let info = core.info();
        let kernel = info.symbol("_stext").and_then(|at| vm.physical(at).ok());
        if let Some(map) = kernel.and_then(|at| MemMap::locate(&vm, at / PAGE).ok()) {
            for (address, len) in map.arrays(&vm, core.end_pfn()) {
                let _absent = order.range(&vm, address, len);
            }
        }
        for (_, address) in info.symbols() {
            let _absent = order.range(&vm, address, 4096);
        }
        let names = || info.symbols().filter(|(name, _)| name.starts_with("kallsyms_")).map(|(_, at)| at);
        if let (Some(from), Some(to)) = (names().min(), names().max()) {
            // The table that comes last (names in their order) has three bytes per symbol.
            let _absent = order.range(&vm, from, (to - from).saturating_add(1 << 20));
        }
        for (address, len) in crate::tasks::ranges(&vm) {
            let _absent = order.range(&vm, address, len);
        }
        if core.image().is_none()
            && let Ok(ends) = crate::kallsyms::lookup(&vm, &["_text", "_end"])
            && let (Some(from), Some(to)) = (ends.get("_text"), ends.get("_end"))
        {
            let _absent = order.range(&vm, *from, to.saturating_sub(*from));
        }
    }
    if let Some(image) = core.image() {
        let from = image.physical / PAGE;
        for frame in from..from + image.len.min(MAX_RANGE).div_ceil(PAGE) {
            order.frame(frame);
        }
    }
    order.frames
}

/// The top page table of each processor, out of QEMU's notes (`QEMUCPUState` of its `target/i386/arch_dump.c`).
fn qemu_tops(bytes: &[u8]) -> impl Iterator<Item = u64> {
    /// Two words of 32 bits, 18 registers, 10 segments of 24 bytes, CR0 to CR2.
    const CR3: usize = 8 + 18 * 8 + 10 * 24 + 3 * 8;
    let states = notes(bytes).filter(|note| note.owner == b"QEMU");
    let states = states.filter_map(|note| bytes.get(note.contents));
    states.filter_map(|state| u64_at(state, CR3)).map(|cr3| (cr3 & crate::vm::ADDRESS) / PAGE)
}

struct Order {
    seen: BTreeSet<u64>,
    frames: Vec<u64>,
}

impl Order {
    fn frame(&mut self, frame: u64) {
        if self.frames.len() < MAX_FRAMES && self.seen.insert(frame) {
            self.frames.push(frame);
        }
    }

    fn range<P: Physical>(&mut self, vm: &Vm<'_, P>, address: u64, len: u64) -> Result<(), CoreError> {
        let first = address / PAGE;
        for page in first..first.saturating_add((address % PAGE + len.clamp(1, MAX_RANGE)).div_ceil(PAGE)) {
            if self.frames.len() >= MAX_FRAMES {
                break;
            }
            self.frame(vm.physical(page.wrapping_mul(PAGE))? / PAGE);
        }
        Ok(())
    }
}

/// The three arrays of the printk ring.
fn log<P: Physical>(vm: &Vm<'_, P>, order: &mut Order) -> Result<(), CoreError> {
    let info = vm.memory().info();
    let need = |member: &str| info.need_offset(member, "the kernel's log").map(|o| o as u64);
    let prb = vm.word(info.need_symbol("prb", "the kernel's log")?)?;
    let descs = prb.wrapping_add(need("printk_ringbuffer.desc_ring")?);
    let data = prb.wrapping_add(need("printk_ringbuffer.text_data_ring")?);
    let power = |at: u64| Ok::<_, CoreError>(1 << (vm.word(at)? & 0x1f));
    let count: u64 = power(descs.wrapping_add(need("prb_desc_ring.count_bits")?))?;
    let size: u64 = power(data.wrapping_add(need("prb_data_ring.size_bits")?))?;
    let word = |base: u64, member: &str| vm.word(base.wrapping_add(need(member)?));
    order.range(vm, prb, 4096)?;
    let each = |name: &str| info.need_size(name, 4096, "the kernel's log").map(|s| s as u64);
    order.range(vm, word(descs, "prb_desc_ring.descs")?, count.saturating_mul(each("prb_desc")?))?;
    order.range(vm, word(descs, "prb_desc_ring.infos")?, count.saturating_mul(each("printk_info")?))?;
    order.range(vm, word(data, "prb_data_ring.data")?, size)
}
