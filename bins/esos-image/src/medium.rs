//! A disk or a file as a medium.
use std::io;
use std::path::{Path, PathBuf};

use esos_blockdev::{Device, Inventory};
use esos_bootimg::disk::Medium;
use esos_cli::{Exit, Failure};
use esos_hostfs::{Direct, FileError, real_path};

/// An open stick, or a file that stands for one.
pub(crate) struct Opened {
    direct: Direct,
}

/// How it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Read,
    Write,
}

impl Opened {
    /// What is open already.
    pub(crate) fn of(direct: Direct) -> Self {
        Self { direct }
    }

    /// Opens an image or a whole disk.
    pub(crate) fn open(path: &Path, how: How) -> Result<Self, Failure> {
        let device = device(path)?;
        if let Some(part) = device.as_ref().filter(|d| d.disk.is_some()) {
            let disk = part.disk.clone().unwrap_or_default();
            let text = format!("{} is a partition", path.display());
            return Err(Failure::new(Exit::Usage, text).help(format!("name the disk: /dev/{disk}")));
        }
        let block = device.as_ref().map_or(512, |d| d.logical_block);
        let direct = match how {
            How::Read => Direct::open_read(path, block)?,
            How::Write => Direct::open(path, block, false)?,
        };
        Ok(Self { direct })
    }
}

/// The block device that a path leads to; none for a file.
pub(crate) fn device(path: &Path) -> Result<Option<Device>, Failure> {
    let real: PathBuf = real_path(path)?;
    if !real.starts_with("/dev") {
        return Ok(None);
    }
    let inventory = Inventory::of_machine(Path::new("/"))?;
    Ok(inventory.by_path(&real.to_string_lossy()).cloned())
}

fn io_error(error: &FileError) -> io::Error {
    io::Error::from_raw_os_error(error.errno)
}

impl Medium for Opened {
    fn len(&self) -> u64 {
        self.direct.size()
    }

    fn sector(&self) -> u64 {
        self.direct.block()
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.direct.read_exact_at(buffer, at).map_err(|e| io_error(&e))
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.direct.write_all_at(bytes, at).map_err(|e| io_error(&e))
    }

    fn flush(&self) -> io::Result<()> {
        self.direct.sync().map_err(|e| io_error(&e))
    }
}
