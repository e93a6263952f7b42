//! Kernel modules out of `dkms` packages, built for the kernel of the image with the image's own compiler.
//!
//! The build root is unpacked from the same archive as the image (Debian's essential packages, dkms, the
//! kernel's headers and the compiler that they name), without root rights and without running a maintainer
//! script. Debian's own dkms runs in it, in user, mount, PID and network namespaces of its own: what a
//! package's `dkms.conf` does can neither reach the network nor the build host's files. Modules are not
//! signed. What comes out depends on the packages alone, and is kept: the same packages are built once.
mod build;
mod conf;
mod error;
mod room;

pub use build::{Order, Part, build};
pub use conf::Conf;
pub use error::DkmsError;
