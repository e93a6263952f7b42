//! Taking a device for oneself.
use crate::Device;
use esos_hostfs::{FileError, Stream};
use esos_units::DevNo;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat, major, minor};
use std::path::Path;

/// A device cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Somebody uses it: it is mounted, part of an array, or claimed by a driver.
    #[error("{device} is in use: the kernel refuses to open it exclusively")]
    Busy {
        /// The device.
        device: String,
    },
    /// The node is another device by now, or none: names move when devices come and go.
    #[error("{node} is no longer {wanted}: the device was exchanged")]
    Exchanged {
        /// The node.
        node: String,
        /// The number that it should have.
        wanted: DevNo,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Open(FileError),
}

/// Opens a device for reading and writing so that nobody else can: with `O_EXCL`, and only if its node
/// is still the device that the inventory saw.
///
/// # Errors
/// [`ClaimError`].
pub fn claim(device: &Device) -> Result<Stream, ClaimError> {
    let node = device.node();
    let stream =
        Stream::open_exclusive(Path::new(&node)).map_err(|error| match Errno::from_raw(error.errno) {
            Errno::EBUSY => ClaimError::Busy { device: device.name.clone() },
            _ => ClaimError::Open(error),
        })?;
    let exchanged = || ClaimError::Exchanged { node: node.clone(), wanted: device.dev };
    let stat = fstat(&stream).map_err(|_gone| exchanged())?;
    let is_block = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFBLK;
    let wanted = (u64::from(device.dev.major), u64::from(device.dev.minor));
    if is_block && (major(stat.st_rdev), minor(stat.st_rdev)) == wanted {
        Ok(stream)
    } else {
        Err(exchanged())
    }
}
