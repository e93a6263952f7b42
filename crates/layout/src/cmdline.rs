//! Words of the kernel command line that GRUB writes and `esos-init` reads. Names that end in `=` take
//! a value.

/// The slot to boot, `PRIMARY` or `SECONDARY`; always given.
pub const SLOT: &str = "slot=";
/// The identity of the stick that GRUB came from (see [`crate::part::STICK_FILE`]).
pub const STICK: &str = "esos.stick=";
/// `prod` or `debug`.
pub const FLAVOUR: &str = "esos.flavour=";
/// The number of the boot attempt that GRUB counted.
pub const ATTEMPT: &str = "esos.attempt=";
/// `lost` (both control records broken) or `ro` (the attempt could not be counted).
pub const STATE: &str = "esos.state=";
/// Why GRUB did not start the slot that it would have preferred: `PRIMARY:tries` (no attempt left),
/// `PRIMARY:uncounted` (a trial slot that could not be counted), `PRIMARY:damaged` (a checksum, or a file
/// that cannot be read).
pub const FALLBACK: &str = "esos.fallback=";
/// `1` where no attempt was left in any slot.
pub const EXHAUSTED: &str = "esos.exhausted=";
/// Keep `/usr` on the stick (for boxes with little memory).
pub const PERSIST: &str = "esos_persist";
/// `live` or `install`: the medium is an ISO.
pub const ISO: &str = "esos_iso=";
/// Single-user mode of the running root.
pub const SINGLE_USER: &str = "single_user";
/// Ends `esos-init` in a shell; the only word that does.
pub const RESCUE: &str = "rescue";
/// Do not check `MemTotal`.
pub const NO_MEMORY_CHECK: &str = "esos.nomemcheck";
/// What the Debug entry adds when it boots the same kernel.
pub const DEBUG_ARGS: &str = "loglevel=7 ignore_loglevel initcall_debug=0 printk.time=1 slub_debug=FZ page_poison=1 softlockup_panic=0 esos.verbose";
/// Makes `esos-init` say every step that it takes.
pub const VERBOSE: &str = "esos.verbose";
/// Arguments of both entries: a panic never waits for a person.
pub const COMMON_ARGS: &str = "panic=10 consoleblank=600";
