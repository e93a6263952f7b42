//! Why there is no image.
use std::io;

use super::BinaryError;
use crate::archive::ArchiveError;
use crate::disk::grub::LinkError;
use crate::disk::image::{ComposeError, CompressError};
use crate::disk::iso::MakeIsoError;
use crate::dkms::DkmsError;
use crate::kernel::{ChooseError, CycleError, InitramfsError, ModuleError};
use crate::root::RootError;
use esos_hostfs::FileError;

/// Why there is no image. The output directory is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Packages cannot be had.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// The modules of a `dkms` package cannot be built.
    #[error(transparent)]
    Dkms(Box<DkmsError>),
    /// The boot loader cannot be linked.
    #[error("cannot link the boot loader")]
    BootLoader(#[source] Box<LinkError>),
    /// A package of the build tools cannot be unpacked.
    #[error("cannot unpack {package} to use it for building")]
    Tool {
        /// The package.
        package: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The root image cannot be made.
    #[error(transparent)]
    Root(Box<RootError>),
    /// The packages hold no kernel.
    #[error(
        "no package has a kernel (boot/vmlinuz-RELEASE with usr/lib/modules/RELEASE): put linux-image-amd64 into the manifest's `include`"
    )]
    NoKernel,
    /// The packages hold several kernels.
    #[error(
        "the packages have {count} kernels ({releases}), expected one; a second one is given with --debug-kernel"
    )]
    ManyKernels {
        /// How many.
        count: usize,
        /// Their releases.
        releases: String,
    },
    /// `--debug-kernel` has none.
    #[error("{package} has no kernel (boot/vmlinuz-RELEASE with usr/lib/modules/RELEASE)")]
    NoDebugKernel {
        /// The package.
        package: String,
    },
    /// The package of `--debug-kernel` cannot be one.
    #[error("{package} cannot be the debug kernel: {why}")]
    DebugKernel {
        /// The package file.
        package: String,
        /// Why not.
        why: String,
    },
    /// The lock that is to be repeated has another debug kernel.
    #[error("the lock has the debug kernel {locked}, and {found}: give that package with --debug-kernel")]
    OtherDebugKernel {
        /// What the lock has.
        locked: String,
        /// What is given.
        found: String,
    },
    /// A kernel module cannot be read.
    #[error(transparent)]
    Module(Box<ModuleError>),
    /// Modules need each other in a circle.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The kernel lacks what booting needs.
    #[error("kernel {release}")]
    Choose {
        /// Its release.
        release: String,
        /// What it lacks.
        #[source]
        source: ChooseError,
    },
    /// The initramfs cannot be made.
    #[error(transparent)]
    Initramfs(Box<InitramfsError>),
    /// One of our programs cannot run in the image.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// The image has no C library that could be compared with.
    #[error("the packages have no libc6, so our programs cannot run in the image")]
    NoLibc,
    /// The disk image cannot be made.
    #[error(transparent)]
    Disk(Box<ComposeError>),
    /// The ISO cannot be made.
    #[error("cannot make the ISO")]
    Iso(#[source] Box<MakeIsoError>),
    /// The disk image cannot be compressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of the build itself cannot be read or written.
    #[error("{}: {message}", path.display())]
    Scratch {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        message: String,
    },
    /// The source date is outside what file systems can say.
    #[error("the source date {epoch} is not between 0 and 4294967295")]
    Epoch {
        /// It, in seconds since 1970.
        epoch: i64,
    },
}

macro_rules! boxed {
    ($($variant:ident($source:ty)),*) => {$(
        impl From<$source> for BuildError {
            fn from(e: $source) -> Self {
                Self::$variant(Box::new(e))
            }
        }
    )*};
}

boxed!(
    Archive(ArchiveError),
    Dkms(DkmsError),
    BootLoader(LinkError),
    Root(RootError),
    Module(ModuleError),
    Initramfs(InitramfsError),
    Disk(ComposeError),
    Iso(MakeIsoError)
);
