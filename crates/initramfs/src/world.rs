//! The seams between what `esos-init` decides and the machine.
use crate::{ReadAt, Tree, Uevent};
use esos_hostfs::Files;
use esos_sysfs::AttrTree;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Everything outside, as the executor sees it.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What people see.
    pub console: &'a dyn Console,
    /// Time.
    pub clock: &'a dyn Clock,
    /// `/sys`.
    pub sys: &'a dyn AttrTree,
    /// Files of the initramfs, and of what is mounted in it.
    pub files: &'a dyn Files,
    /// Mounts.
    pub mounts: &'a dyn Mounts,
    /// Modules, the guard over the steps, the watchdog.
    pub kernel: &'a dyn Kernel,
    /// Disks and their coming.
    pub devices: &'a dyn Devices,
    /// The new root.
    pub root: &'a dyn NewRoot,
    /// What a crash left.
    pub crash: &'a dyn Crash,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// What people see: all consoles of the kernel, and its log.
pub trait Console {
    /// A line.
    fn say(&self, text: &str);
    /// A line that an operator must see.
    fn warn(&self, text: &str);
    /// A line that only `esos.verbose` shows; the kernel's log has it always.
    fn detail(&self, text: &str);
}

/// Time since boot.
pub trait Clock {
    /// How long the machine runs.
    fn now(&self) -> Duration;
    /// Lets time pass.
    fn pause(&self, time: Duration);
}

/// A mount to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Device, or a word for a file system without one.
    pub source: &'a str,
    /// Where.
    pub target: &'a str,
    /// `squashfs`, `tmpfs`, …
    pub kind: &'a str,
    /// Read-only.
    pub read_only: bool,
    /// Neither devices nor set-user-id programs.
    pub harmless: bool,
    /// Options of the file system.
    pub options: &'a str,
}

/// Mounts.
pub trait Mounts {
    /// Mounts; makes the directory.
    ///
    /// # Errors
    /// The kernel's error.
    fn mount(&self, mount: &Mount<'_>) -> io::Result<()>;
    /// Unmounts; what is in use is detached.
    ///
    /// # Errors
    /// The kernel's error.
    fn unmount(&self, target: &str) -> io::Result<()>;
    /// Moves a mount to another place.
    ///
    /// # Errors
    /// The kernel's error.
    fn shift(&self, from: &str, to: &str) -> io::Result<()>;
}

/// The kernel's modules, and who watches over `esos-init`.
pub trait Kernel {
    /// Loads a module from its file. One that is loaded already is no error.
    ///
    /// # Errors
    /// The kernel's error; `ENODEV` where the hardware is not there.
    fn load(&self, path: &str) -> io::Result<()>;
    /// From now on this is being done, and reboots the machine if it lasts longer.
    fn guard(&self, doing: &str, limit: Duration);
    /// Opens the hardware watchdog, if there is one, and keeps it content while the guard is; its
    /// identity where there is one.
    fn watchdog(&self) -> Option<String>;
    /// Lets go of the watchdog: left running for the root to take over, or stopped.
    fn release_watchdog(&self, keep_running: bool);
}

/// A disk.
pub trait Disk: ReadAt {
    /// Writes one sector of 512 bytes past the caches and flushes it.
    ///
    /// # Errors
    /// The kernel's error.
    fn write_sector(&self, offset: u64, sector: &[u8; 512]) -> io::Result<()>;
}

/// Disks and their coming.
pub trait Devices {
    /// Waits for news of devices, at most until that time since boot. Empty when the time is over.
    fn wait(&self, until: Duration) -> Vec<Uevent>;
    /// Opens a device node for reading at places (and for [`Disk::write_sector`]).
    ///
    /// # Errors
    /// The kernel's error.
    fn open(&self, node: &str) -> io::Result<Box<dyn Disk>>;
}

/// What a crash left, and where dumps go.
pub trait Crash {
    /// The memory of the system that crashed: `/proc/vmcore`.
    ///
    /// # Errors
    /// The kernel's error.
    fn memory(&self) -> io::Result<Box<dyn esos_crashdump::ReadAt>>;
    /// The directory that a mount point is.
    fn directory(&self, mount_point: &str) -> PathBuf;
    /// Processors that can work on a dump.
    fn workers(&self) -> usize;
}

/// How a program in the new root ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookEnd {
    /// The new root has no such program.
    Absent,
    /// With that status; none where a signal ended it. And what it printed last.
    Ended(Option<i32>, String),
    /// It did not end in time, and was killed.
    Timeout(String),
    /// It could not be started.
    Failed(String),
}

/// The new root.
pub trait NewRoot {
    /// Where entries are unpacked to: an existing directory.
    ///
    /// # Errors
    /// The kernel's error.
    fn tree(&self, directory: &str) -> io::Result<Box<dyn Tree>>;
    /// Opens a large file for reading at places.
    ///
    /// # Errors
    /// The kernel's error.
    fn image(&self, path: &str) -> io::Result<Box<dyn ReadAt>>;
    /// Runs a program inside the new root, with that environment, for at most that long.
    fn run(&self, root: &str, program: &str, environment: &[(String, String)], limit: Duration) -> HookEnd;
    /// Copies a directory into another one that exists: names, bytes, owners, modes, times, links and extended
    /// attributes of all that is in it, and the mode and owner of the directory itself. What is called `without`,
    /// at the top, stays behind. The bytes of the files.
    ///
    /// # Errors
    /// The kernel's error, with the path.
    fn copy(&self, from: &str, to: &str, without: &str) -> io::Result<u64>;
    /// Removes a tree of files, as far as it goes, on one file system.
    fn remove_tree(&self, path: &str);
    /// Renames, so that either name holds the whole, and flushes the file system.
    ///
    /// # Errors
    /// The kernel's error.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
}
