//! A program that does not need its own file any more.
use crate::{FileError, FileOp};
use nix::sys::mman::{MlockAllFlags, mlockall};

/// Keeps what the program has mapped now in memory (`mlockall(MCL_CURRENT)`): its own code and that of its libraries.
/// Without it the kernel reads them again from the file system that they lie on when it needs them, and one whose
/// medium is gone ends the program with SIGBUS.
///
/// # Errors
/// The errno of mlockall(2): `ENOMEM` above the limit of one who is not root, `EPERM`.
pub fn stay_in_memory() -> Result<(), FileError> {
    mlockall(MlockAllFlags::MCL_CURRENT)
        .map_err(|errno| FileError::new("the program", FileOp::Read, errno as i32))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_mapped_is_locked_or_it_is_said() {
        let done = super::stay_in_memory();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let locked: u64 = status
            .lines()
            .find_map(|l| l.strip_prefix("VmLck:"))
            .and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
            .unwrap();
        assert_eq!(done.is_ok(), locked > 0, "{done:?}");
    }
}
