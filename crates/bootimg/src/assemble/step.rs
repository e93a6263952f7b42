//! How far a build is.
use std::fmt;
use std::time::Duration;

/// One step of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Indexes verified, packages chosen and fetched.
    Packages,
    /// GRUB linked out of the archive's packages.
    BootLoader,
    /// Kernel modules of `dkms` packages built.
    Dkms,
    /// Packages packed into frames and merged.
    Frames,
    /// Kernel modules read, depmod's tables made.
    Modules,
    /// The root image written.
    Root,
    /// The initramfs written.
    Initramfs,
    /// Partitions, file systems and slots written.
    Disk,
    /// The ISO made of the disk image.
    Iso,
    /// The disk image compressed.
    Compress,
    /// Sums, SBOM, lock and manifest written; everything put in its place.
    Papers,
}

impl Step {
    /// What is going on, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Packages => "packages chosen and fetched",
            Self::BootLoader => "boot loader linked",
            Self::Dkms => "modules of dkms packages built",
            Self::Frames => "packages packed and merged",
            Self::Modules => "kernel modules read",
            Self::Root => "root image written",
            Self::Initramfs => "initramfs written",
            Self::Disk => "disk image written",
            Self::Iso => "ISO written",
            Self::Compress => "disk image compressed",
            Self::Papers => "sums, SBOM and lists written",
        }
    }

    /// The word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::BootLoader => "boot-loader",
            Self::Dkms => "dkms",
            Self::Frames => "frames",
            Self::Modules => "modules",
            Self::Root => "root",
            Self::Initramfs => "initramfs",
            Self::Disk => "disk",
            Self::Iso => "iso",
            Self::Compress => "compress",
            Self::Papers => "papers",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

/// How long a step took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepTime {
    /// Which.
    pub step: Step,
    /// By a clock on the wall.
    pub took: Duration,
}

/// Who is told how far a build is. Called from several threads.
pub trait Watch: Sync {
    /// A step begins.
    fn begin(&self, step: Step) {
        let _ = step;
    }

    /// So much of it is done: files, packages or bytes, of so many if that is known.
    fn advance(&self, step: Step, done: u64, of: Option<u64>, what: &str) {
        let _ = (step, done, of, what);
    }

    /// A download goes on, within [`Step::Packages`].
    fn fetch(&self, event: esos_fetch::Event<'_>) {
        let _ = event;
    }

    /// A step is over.
    fn end(&self, time: StepTime) {
        let _ = time;
    }

    /// Something that people should know, though the build goes on.
    fn note(&self, text: &str) {
        let _ = text;
    }
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Watch for Quiet {}
