//! Per-CPU areas, and the tasks with their stacks: found by the kernel's own symbols and types, as no debugger is there.
use crate::{CoreError, Physical, Vm, btf, kallsyms};
use std::collections::BTreeSet;

/// `NR_CPUS` of Debian's kernels.
const MAX_CPUS: u64 = 8192;
/// A CPU's static per-CPU variables have some 200 KiB.
const MAX_PER_CPU: u64 = 4 << 20;
/// Tasks and threads, all together; `pid_max` is 4 million, a storage box has some thousands.
const MAX_TASKS: usize = 1 << 14;
/// `THREAD_SIZE` of x86_64; with KASAN it is twice that.
const STACK: u64 = 16 << 10;

const SYMBOLS: [&str; 7] = [
    "__per_cpu_offset",
    "__per_cpu_start",
    "__per_cpu_end",
    "nr_cpu_ids",
    "init_task",
    "__start_BTF",
    "__stop_BTF",
];

/// Virtual addresses and lengths. What cannot be found is missing.
pub(crate) fn ranges<P: Physical + ?Sized>(vm: &Vm<'_, P>) -> Vec<(u64, u64)> {
    let Ok(symbols) = kallsyms::lookup(vm, &SYMBOLS) else { return Vec::new() };
    let symbol = |name: &str| symbols.get(name).copied();
    let mut found = Vec::new();
    let per_cpu = (symbol("__per_cpu_offset"), symbol("__per_cpu_start"), symbol("__per_cpu_end"));
    if let (Some(offsets), Some(start), Some(end)) = per_cpu {
        let mut count = [0; 4];
        let known = symbol("nr_cpu_ids").is_some_and(|at| vm.read(at, &mut count).is_ok());
        let count = if known { u64::from(u32::from_le_bytes(count)).min(MAX_CPUS) } else { MAX_CPUS };
        let len = end.wrapping_sub(start).min(MAX_PER_CPU);
        let base = |cpu: u64| vm.word(offsets.wrapping_add(cpu * 8)).ok().map(|o| o.wrapping_add(start));
        found.extend((0..count).map_while(base).map(|base| (base, len)));
    }
    if let (Some(init), Some(types)) = (symbol("init_task"), symbol("__start_BTF")) {
        // A list that was cut or is nonsense gives what was walked of it.
        let _partial = tasks(vm, init, types, &mut found);
    }
    found
}

fn tasks<P: Physical + ?Sized>(
    vm: &Vm<'_, P>,
    init: u64,
    types: u64,
    found: &mut Vec<(u64, u64)>,
) -> Result<(), CoreError> {
    let wanted: [(&str, &[&str]); 2] =
        [("task_struct", &["tasks", "stack", "signal", "thread_node"]), ("signal_struct", &["thread_head"])];
    let types = btf::structures(vm, types, &wanted)?;
    let Some(task) = types.get("task_struct") else { return Ok(()) };
    let (Some(tasks), Some(stack)) = (task.offsets.get("tasks"), task.offsets.get("stack")) else {
        return Ok(());
    };
    let threads = types.get("signal_struct").and_then(|s| {
        let (head, node) = (s.offsets.get("thread_head")?, task.offsets.get("thread_node")?);
        Some((*task.offsets.get("signal")?, *head, *node))
    });
    let mut seen = BTreeSet::new();
    let mut add = |at: u64, found: &mut Vec<(u64, u64)>| {
        let new = seen.len() < MAX_TASKS && seen.insert(at);
        if new {
            found.push((at, task.size.min(1 << 16)));
            found.extend(vm.word(at.wrapping_add(*stack)).ok().map(|base| (base, STACK)));
        }
        new
    };
    let mut at = init;
    while add(at, found) {
        if let Some((signal, head, node)) = threads
            && let Ok(signal) = vm.word(at.wrapping_add(signal))
        {
            let head = signal.wrapping_add(head);
            let mut next = vm.word(head).unwrap_or(head);
            // The leader is in the list too.
            while next != head && (next.wrapping_sub(node) == at || add(next.wrapping_sub(node), found)) {
                let Ok(after) = vm.word(next) else { break };
                next = after;
            }
        }
        at = vm.word(at.wrapping_add(*tasks))?.wrapping_sub(*tasks);
    }
    Ok(())
}
