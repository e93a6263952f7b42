//! The kernel's view of a partition table that was written.
use esos_hostfs::{Clock, Deadline, FileError, HostClock, Stream};
use nix::errno::Errno;
use nix::libc::c_int;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::Duration;

/// udev opens a disk for a moment whenever somebody has written to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The kernel does not know the new partitions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RereadError {
    /// Somebody uses one of the old partitions, so they stay.
    #[error("{node} is busy: a partition of it is in use, and the kernel keeps the table that it knows")]
    Busy {
        /// The disk.
        node: String,
    },
    /// The kernel looks for no partitions on such a device (a loop device without `partscan`, a partition).
    #[error("{node} is no disk on which the kernel looks for partitions")]
    None {
        /// The device.
        node: String,
    },
    /// It cannot be opened, or not be read.
    #[error("the kernel does not read the partition table of {node} again")]
    Failed {
        /// The disk.
        node: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] FileError),
}

mod kernel {
    #![expect(unsafe_code, reason = "neither the standard library nor nix has this call")]
    nix::ioctl_none_bad!(
        /// `BLKRRPART` of `linux/fs.h`.
        blkrrpart,
        nix::request_code_none!(0x12, 95)
    );

    /// Asks once.
    pub(super) fn ask(fd: std::os::fd::RawFd) -> nix::Result<nix::libc::c_int> {
        // SAFETY: the call takes no argument, and `fd` is open for as long as it lasts.
        unsafe { blkrrpart(fd) }
    }
}

/// Has the kernel read the partition table of a disk again (`BLKRRPART`), so that its partitions have their nodes. A
/// disk that is held for a moment, by udev that looks at what was written, is waited for.
///
/// # Errors
/// [`RereadError`].
pub fn reread(node: &Path) -> Result<(), RereadError> {
    let disk = Stream::open(node)?;
    until_read(node, &HostClock, &mut || kernel::ask(disk.as_fd().as_raw_fd()))
}

fn until_read(
    node: &Path,
    clock: &impl Clock,
    ask: &mut dyn FnMut() -> nix::Result<c_int>,
) -> Result<(), RereadError> {
    let deadline = Deadline::after(clock, PATIENCE);
    let name = || node.to_string_lossy().into_owned();
    loop {
        match ask() {
            Ok(_) => return Ok(()),
            Err(Errno::EBUSY) if !deadline.passed(clock) => clock.sleep(Duration::from_millis(200)),
            Err(Errno::EBUSY) => return Err(RereadError::Busy { node: name() }),
            Err(Errno::EINVAL | Errno::ENOTTY) => return Err(RereadError::None { node: name() }),
            Err(errno) => {
                return Err(RereadError::Failed {
                    node: name(),
                    source: std::io::Error::from_raw_os_error(errno as c_int),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_hostfs::ManualClock;

    /// What comes of it where the kernel answers so each time but the `after`th, and how often it is asked.
    fn asked(errno: Errno, after: u32) -> (Result<(), RereadError>, u32) {
        let mut times = 0;
        let mut ask = || {
            times += 1;
            if times == after { Ok(0) } else { Err(errno) }
        };
        let done = until_read(Path::new("/dev/sdb"), &ManualClock::at(Duration::ZERO), &mut ask);
        (done, times)
    }

    #[test]
    fn one_that_is_held_for_a_moment_is_waited_for_and_others_are_not() {
        assert!(matches!(asked(Errno::EBUSY, 4), (Ok(()), 4)));
        let (busy, times) = asked(Errno::EBUSY, 0);
        assert_eq!(busy.unwrap_err().to_string().split(':').next(), Some("/dev/sdb is busy"));
        assert!((45..60).contains(&times), "asked {times} times in ten seconds");
        assert!(matches!(asked(Errno::ENOTTY, 0), (Err(RereadError::None { .. }), 1)));
        assert!(matches!(asked(Errno::EIO, 0), (Err(RereadError::Failed { .. }), 1)));
    }

    #[test]
    fn what_is_no_disk_is_told_from_what_is_not_there() {
        let dir = esos_hostfs::TempDir::new("reread").unwrap();
        let file = dir.path().join("disk.img");
        Stream::create(&file, 0o600).unwrap().set_len(1 << 20).unwrap();
        assert!(matches!(reread(&file), Err(RereadError::None { .. })));
        assert!(matches!(reread(&dir.path().join("none")), Err(RereadError::Open(_))));
    }
}
