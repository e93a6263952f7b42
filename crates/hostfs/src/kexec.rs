//! Loading the kernel that runs after a crash.
use crate::{FileError, FileOp, Stream};
use nix::errno::Errno;
use nix::libc;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};

/// `KEXEC_FILE_UNLOAD` and `KEXEC_FILE_ON_CRASH` of the kernel's `uapi/linux/kexec.h`.
const UNLOAD: libc::c_ulong = 1;
const ON_CRASH: libc::c_ulong = 2;

/// Loads a kernel into the memory that `crashkernel=` reserved: it takes over when this one panics. One that
/// was loaded before is replaced; where the new one is refused, none is loaded any more.
///
/// # Errors
/// The errno of kexec_file_load(2), with the kernel's file: `ENOSYS` where this kernel can only be given one by
/// kexec_load(2), `EADDRNOTAVAIL` or `ENOMEM` where nothing or too little is reserved, `ENOEXEC` where the file
/// is no kernel, `EPERM` without the right to, or where the kernel is locked down and the file has no signature.
pub fn load_crash_kernel(kernel: &Stream, initramfs: &Stream, arguments: &str) -> Result<(), FileError> {
    let path = kernel.path().to_string_lossy();
    let error = |errno: Errno| FileError::new(&path, FileOp::Kexec, errno as i32);
    let arguments = CString::new(arguments).map_err(|_nul| error(Errno::EINVAL))?;
    let with_nul = arguments.as_bytes_with_nul();
    let (kernel, initramfs) = (kernel.as_fd().as_raw_fd(), initramfs.as_fd().as_raw_fd());
    kexec_file_load(kernel, initramfs, with_nul, ON_CRASH).map_err(error)
}

/// Unloads the crash kernel; one that is not loaded is no error.
///
/// # Errors
/// The errno of kexec_file_load(2).
pub fn unload_crash_kernel() -> Result<(), FileError> {
    kexec_file_load(-1, -1, b"\0", ON_CRASH | UNLOAD)
        .map_err(|errno| FileError::new("the crash kernel", FileOp::Kexec, errno as i32))
}

#[expect(unsafe_code, reason = "neither the standard library nor nix has this call")]
fn kexec_file_load(
    kernel: libc::c_int,
    initramfs: libc::c_int,
    with_nul: &[u8],
    flags: libc::c_ulong,
) -> Result<(), Errno> {
    // SAFETY: the kernel reads `len` bytes at the pointer, which the slice keeps alive over the call, and
    // looks up both descriptors itself; it writes nothing to our memory.
    let status = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel,
            initramfs,
            with_nul.len() as libc::c_ulong,
            with_nul.as_ptr(),
            flags,
        )
    };
    Errno::result(status).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;

    // Nothing here reaches the point where the kernel lets go of the crash kernel of the machine that tests.
    #[test]
    fn refusals_name_the_kernel() {
        let dir = TempDir::new("kexec").unwrap();
        let file = Stream::create(&dir.path().join("vmlinuz"), 0o600).unwrap();
        let error = load_crash_kernel(&file, &file, "a\0b").unwrap_err();
        assert!(error.to_string().starts_with("cannot load by kexec ") && error.path.ends_with("vmlinuz"));
        assert_eq!(error.errno, Errno::EINVAL as i32);
        let unknown = kexec_file_load(-1, -1, b"\0", 1 << 40).unwrap_err();
        assert!(matches!(unknown, Errno::EINVAL | Errno::EPERM | Errno::ENOSYS), "{unknown}");
    }
}
