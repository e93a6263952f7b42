//! SCST's side of sysfs as the kernel behaves: what it refuses, what follows from a write, which values
//! it marks with `[key]`, and when it answers `EAGAIN`.
//!
//! [`Sim`] is an [`AttrTree`](esos_sysfs::AttrTree) over `/sys/kernel/scst_tgt`. It is made of rules, and
//! it is held against recordings of SCST 3.11 on Linux 6.1: every recorded write must give the recorded
//! result and the recorded change of the tree. It knows nothing of the crates that it tests.
//!
//! ```
//! use esos_scst_sim::{Environment, Sim};
//! use esos_sysfs::AttrTree;
//!
//! let sim = Sim::new(Environment::default().file("/disks/d1", 8 << 20));
//! sim.write("handlers/vdisk_fileio/mgmt", "add_device disk1 filename=/disks/d1")?;
//! assert_eq!(sim.read("devices/disk1/size")?, "8388608\n[key]\n");
//! let error = sim.write("handlers/vdisk_nullio/mgmt", "add_device disk1").unwrap_err();
//! assert_eq!(error.errno_name(), "EEXIST");
//! # Ok::<(), esos_sysfs::AttrError>(())
//! ```
mod alua;
mod attribute;
pub mod conformance;
mod core_attrs;
mod device;
mod device_attribute;
mod driver;
mod environment;
mod errno;
mod group;
mod load;
mod lun;
mod new;
pub mod replay;
mod session;
mod sim;
mod template;
mod tree;
mod users;
mod words;

pub use environment::Environment;
pub use load::LoadError;
pub use sim::{Again, Sim};
