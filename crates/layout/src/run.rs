//! Files by which `esos-init` tells the running root how it came up. All lie in `/run/esos`, on a tmpfs
//! that `esos-init` mounts and hands over.

/// The directory.
pub const DIR: &str = "/run/esos";
/// A JSON document: slot, flavour, version, stick, what was restored, step times. Its shape is
/// `esos_initramfs::BootReport`.
pub const BOOT_REPORT: &str = "/run/esos/boot.json";
/// Written by the stick watcher: a JSON document with the state of the stick. Its shape is
/// [`crate::stick_state::StickState`].
pub const STICK_STATE: &str = "/run/esos/stick.json";
/// The version of the running ESOS, in the root image.
pub const RELEASE: &str = "/etc/esos-release";
/// Directory of hooks that `esos-init` runs in the new root before it is switched to.
pub const RESTORE_HOOK: &str = "/usr/lib/esos/restore-conf";
/// Where our tools are.
pub const BIN_DIR: &str = "/usr/sbin";
/// Where vendor RAID tools are put.
pub const OPT_SBIN: &str = "/opt/sbin";
