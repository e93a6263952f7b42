//! The machine's power, and data on its way to the media.
use crate::{FileError, FileOp};
use nix::errno::Errno;
use nix::sys::reboot::{RebootMode, reboot};
use std::convert::Infallible;

/// What shall become of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Power {
    /// Start again through the firmware.
    Restart,
    /// Switch off.
    Off,
    /// Stand still.
    Halt,
    /// Jump into the kernel that was loaded by kexec.
    Kexec,
}

/// Does it at once: no service is stopped and nothing is flushed (call [`sync`] before). For `esos-init`
/// and the crash path; a running box is shut down by its init.
///
/// # Errors
/// The errno of reboot(2), `EPERM` without the right to; where it works, it does not come back.
pub fn power(how: Power) -> Result<Infallible, FileError> {
    let mode = match how {
        Power::Restart => RebootMode::RB_AUTOBOOT,
        Power::Off => RebootMode::RB_POWER_OFF,
        Power::Halt => RebootMode::RB_HALT_SYSTEM,
        Power::Kexec => RebootMode::RB_KEXEC,
    };
    reboot(mode).map_err(|errno: Errno| FileError::new("the machine", FileOp::Power, errno as i32))
}

/// Waits until everything that was written anywhere is on its medium (sync(2)).
pub fn sync() {
    nix::unistd::sync();
}
