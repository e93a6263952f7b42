//! What a crash left.
use esos_crashdump::ReadAt;
use esos_hostfs::Stream;
use esos_initramfs::Crash;
use std::io;
use std::path::{Path, PathBuf};

/// The memory behind `/proc/vmcore`.
pub(crate) struct HostCrash;

impl Crash for HostCrash {
    fn memory(&self) -> io::Result<Box<dyn ReadAt>> {
        let core = Stream::open(Path::new("/proc/vmcore")).map_err(io::Error::other)?;
        Ok(Box::new(core))
    }

    fn directory(&self, mount_point: &str) -> PathBuf {
        mount_point.into()
    }

    fn workers(&self) -> usize {
        esos_hostfs::cpus()
    }
}
