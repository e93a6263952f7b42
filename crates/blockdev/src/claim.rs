//! Taking a device for oneself.
use crate::Device;
use esos_hostfs::{Direct, FileError, Stream};
use esos_units::DevNo;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat, major, minor};
use std::os::fd::AsFd;
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
    let stream = Stream::open_exclusive(Path::new(&device.node())).map_err(refused(device))?;
    same(device, &stream)?;
    Ok(stream)
}

/// As [`claim`], past the page cache.
///
/// # Errors
/// [`ClaimError`].
pub fn claim_direct(device: &Device) -> Result<Direct, ClaimError> {
    let node = device.node();
    let direct = Direct::open(Path::new(&node), device.logical_block, true).map_err(refused(device))?;
    same(device, &direct)?;
    Ok(direct)
}

fn refused(device: &Device) -> impl Fn(FileError) -> ClaimError + '_ {
    |error| match Errno::from_raw(error.errno) {
        Errno::EBUSY => ClaimError::Busy { device: device.name.clone() },
        _ => ClaimError::Open(error),
    }
}

/// Whether what is open is still the device that the inventory saw.
fn same(device: &Device, open: &impl AsFd) -> Result<(), ClaimError> {
    let exchanged = || ClaimError::Exchanged { node: device.node(), wanted: device.dev };
    let stat = fstat(open).map_err(|_gone| exchanged())?;
    let is_block = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFBLK;
    let wanted = (u64::from(device.dev.major), u64::from(device.dev.minor));
    let same = is_block && (major(stat.st_rdev), minor(stat.st_rdev)) == wanted;
    if same { Ok(()) } else { Err(exchanged()) }
}
