//! The crash kernel: what is reserved for it when an image is built, and how it is started on the box.

/// How much of the memory is reserved for the crash kernel, in MiB: from so much memory on, so much. Measured in
/// guests of 512 MiB, 2 and 8 GiB with a small root: 94, 97 and 102 MiB were needed with Linux 6.1, 96, 103 and 109 with 6.12. The
/// saver's own part does not grow with the memory; the rows have a margin for machines with more devices and processors.
pub const RESERVATIONS: [(u64, u64); 4] = [(512, 128), (2048, 192), (8192, 256), (65536, 512)];

/// What kernel, capture initramfs and saver together may take in MiB; `vm_crash` measures it at 512 MiB, 2 and 8 GiB.
pub const NEEDED_MIB: u64 = 112;

/// Less than this, in MiB, holds no crash kernel with its capture initramfs, says an experiment with Linux 6.1.
pub const LEAST_MIB: u64 = 112;

/// The argument of the kernel that asks for it: `crashkernel=512M-2048M:128M,…`.
///
/// ```
/// let argument = esos_layout::crash::argument();
/// assert!(argument.starts_with("crashkernel=512M-2048M:128M,") && argument.ends_with("65536M-:512M"));
/// ```
#[must_use]
pub fn argument() -> String {
    let ends = RESERVATIONS.iter().skip(1).map(|(from, _)| format!("{from}M")).chain([String::new()]);
    let ranges: Vec<_> =
        RESERVATIONS.iter().zip(ends).map(|((from, size), end)| format!("{from}M-{end}:{size}M")).collect();
    format!("crashkernel={}", ranges.join(","))
}

/// What a machine with so many bytes of memory reserves, in bytes; none below the table.
#[must_use]
pub fn reservation(memory: u64) -> Option<u64> {
    let of = RESERVATIONS.iter().rev().find(|(from, _)| memory >= from.saturating_mul(1 << 20));
    of.map(|(_, size)| size.saturating_mul(1 << 20))
}

/// What the crash kernel's command line has beside what it takes over: one processor, devices reset, nothing
/// that takes memory, a panic that reboots.
pub const ARGUMENTS: &str = "irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off numa=off nokaslr \
                             transparent_hugepage=never novmcoredd panic=10 oops=panic unknown_nmi_panic";

/// The level of dumps, 0 to 31, on the crash kernel's command line.
pub const LEVEL: &str = "esos.crash.level=";

/// A partition of this name on any disk takes dumps where the stick does not.
pub const PARTITION: &str = "esos_crash";

/// What was armed, written by `esos-crash arm`: a JSON document.
pub const ARMED: &str = "/run/esos/crash.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_is_kept_by_both() {
        assert!(
            RESERVATIONS.is_sorted()
                && RESERVATIONS.iter().all(|(_, size)| *size >= LEAST_MIB.max(NEEDED_MIB))
        );
        assert_eq!(reservation(511 << 20), None);
        assert_eq!(reservation(3 << 30), Some(192 << 20));
        assert_eq!(reservation(1 << 50), Some(512 << 20));
    }
}
