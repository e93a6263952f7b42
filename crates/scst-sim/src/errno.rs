//! The kernel's error numbers that SCST uses.
pub(crate) const EPERM: i32 = 1;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const EAGAIN: i32 = 11;
pub(crate) const EACCES: i32 = 13;
pub(crate) const EFAULT: i32 = 14;
pub(crate) const ENOTBLK: i32 = 15;
pub(crate) const EBUSY: i32 = 16;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EISDIR: i32 = 21;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ERANGE: i32 = 34;
pub(crate) const ENAMETOOLONG: i32 = 36;
pub(crate) const EBADSLT: i32 = 57;
pub(crate) const EOVERFLOW: i32 = 75;
pub(crate) const ECONNREFUSED: i32 = 111;

/// What a write comes to: nothing, or an error number.
pub(crate) type Outcome = Result<(), i32>;
