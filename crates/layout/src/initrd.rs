//! Files in the initramfs, beside `/init`.

/// The index of the slot's root image. `esos-init` verifies the frames against **this** copy, so a
/// kernel and initramfs of one slot can never unpack the root image of another.
pub const ROOT_INDEX: &str = "/etc/esos/root.idx";
/// Names of modules that are always loaded, one a line, in this order; blank lines and `#` comments.
pub const MODULES: &str = "/etc/esos/modules";
/// One line, the version of ESOS.
pub const VERSION: &str = "/etc/esos/version";
/// Modules lie uncompressed under `/lib/modules/<release>/`, with `modules.dep`, `modules.alias`,
/// `modules.softdep` and `modules.builtin` in depmod's text formats.
pub const MODULE_DIR: &str = "/lib/modules";
/// Firmware for drivers that booting needs.
pub const FIRMWARE_DIR: &str = "/lib/firmware";
