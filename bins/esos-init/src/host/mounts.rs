//! Mounts.
use esos_initramfs::{Mount, Mounts};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_move, unmount};
use std::ffi::CString;
use std::{fs, io};

/// The mounts of this process.
pub(crate) struct HostMounts;

impl Mounts for HostMounts {
    fn mount(&self, m: &Mount<'_>) -> io::Result<()> {
        fs::create_dir_all(m.target)?;
        let mut flags = MountFlags::NOATIME;
        flags.set(MountFlags::RDONLY, m.read_only);
        flags.set(MountFlags::NODEV | MountFlags::NOSUID, m.harmless);
        let options = CString::new(m.options)?;
        Ok(mount(m.source, m.target, m.kind, flags, Some(options.as_c_str()))?)
    }

    fn unmount(&self, target: &str) -> io::Result<()> {
        match unmount(target, UnmountFlags::empty()) {
            Err(rustix::io::Errno::BUSY) => Ok(unmount(target, UnmountFlags::DETACH)?),
            other => Ok(other?),
        }
    }

    fn shift(&self, from: &str, to: &str) -> io::Result<()> {
        fs::create_dir_all(to)?;
        Ok(mount_move(from, to)?)
    }
}
