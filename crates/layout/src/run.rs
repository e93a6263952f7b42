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
/// What is known of the crash dumps on the stick. Its shape is [`crate::dumps::KnownDumps`].
pub const DUMPS: &str = "/run/esos/dumps.json";
/// Written by the watcher of the configuration: a JSON document that says when the stick had everything (`last`, in
/// seconds since 1970), and why it has not (`problem`).
pub const CONF_STATE: &str = "/run/esos/conf.json";
/// Part of the configuration: which stick is kept as a mirror. Its shape is [`crate::mirror::MirrorKept`].
pub const MIRROR_KEPT: &str = "/etc/esos/mirror.json";
/// The version of the running ESOS, in the root image.
pub const RELEASE: &str = "/etc/esos-release";
/// Public keys (minisign) by which images for this box are signed, one file each, whose name ends in
/// `.pub`; in the root image.
pub const TRUSTED_KEYS: &str = "/etc/esos/keys";
/// Programs that must all succeed before the running slot is marked good, in the order of their names.
pub const GOOD_CHECKS: &str = "/usr/lib/esos/good.d";
/// Written when the running slot was marked good: the boot id.
pub const MARKED_GOOD: &str = "/run/esos/marked-good";
/// The program that `esos-init` runs in the new root before it is switched to, with `/proc`, `/sys`,
/// `/dev` and `/run` in place, [`BOOT_REPORT`] written, and nothing of the stick mounted. Its environment
/// names what it needs: `ESOS_SLOT`, `ESOS_VERSION`, `ESOS_STICK` (the identity, may be empty),
/// `ESOS_STICK_DISK` (`/dev/sdb`) and `ESOS_PART_<name>` for each partition (`ESOS_PART_esos_conf`).
/// It must leave nothing of the stick mounted. Its exit status is reported; the boot goes on in any case.
pub const RESTORE_HOOK: &str = "/usr/lib/esos/restore-conf";
/// Written by the restore hook where the configuration could not be restored: why the network stays off.
/// Taken away once the box has its configuration after all.
pub const NETWORK_OFF: &str = "/run/esos/network-off";
/// Where our tools are.
pub const BIN_DIR: &str = "/usr/sbin";
/// Where vendor RAID tools are put.
pub const OPT_SBIN: &str = "/opt/sbin";
/// The program of the root image, run first by its init, that takes `/dev/watchdog` over. Where it exists,
/// `esos-init` leaves the watchdog running; otherwise it is stopped before the switch.
pub const WATCHDOG_KEEPER: &str = "/usr/lib/esos/watchdog";
/// With `esos_persist`: where the partition of the stick that holds `/usr` is mounted.
pub const PERSIST_MOUNT: &str = "/mnt/persist";
/// With `esos_persist`: the paths, one a line, of what of `/usr` was copied into memory.
pub const IN_MEMORY: &str = "/run/esos/in-memory";
/// With `esos_persist`: the directory on [`crate::part::DATA`], or else on [`crate::part::LOGS`]. In it,
/// one directory for each root image, named by the beginning of its index's SHA-256, with `root` (the
/// unpacked image).
pub const PERSIST_DIR: &str = "esos-persist";
