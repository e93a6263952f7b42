//! What is not well on a storage box.
//!
//! Facts are gathered elsewhere: texts of files, outputs of tools, numbers ([`Facts`]). A fact that could not be had
//! ([`Fact::Unknown`]: the tool is missing, it failed) makes its check unknown, never well; one that has no
//! meaning on this box ([`Fact::Unused`]) makes it unused. Each check is a pure function; [`check`] runs all.
//! Limits are compared as they are, nothing is rounded; what was bad stays bad until it is clearly better
//! ([`Before`]).
//!
//! ```
//! use esos_health::{Before, Fact, Facts, Status, check};
//!
//! let mut facts = Facts::unused();
//! let text = "Personalities : [raid1]\nmd0 : active raid1 sdb[1](F) sda[0]\n      \
//!             64512 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";
//! facts.mdstat = Fact::Known(text.into());
//! facts.smart = Fact::Unknown("smartctl is not installed".into());
//! let health = check(&facts, &Before::default());
//! assert_eq!(health.status, Status::Crit);
//! assert_eq!(health.findings[0].object, "md0");
//! let smart = health.checks.iter().find(|c| c.name == "smart").unwrap();
//! assert_eq!(smart.status, Status::Unknown);
//! ```
mod boot;
mod certificate;
mod check;
mod cluster;
mod drbd;
mod dumps;
mod facts;
mod finding;
mod limits;
mod machine;
mod scst;
mod session;
mod slots;
mod smart;
mod stick;
mod storage;

pub use certificate::{CertificateError, not_after};
pub use check::{Before, Check, Health, check};
pub use facts::{Fact, Facts, FileSystem, Sensor};
pub use finding::{Finding, Status};
pub use scst::Lun;
pub use session::{Session, remembered};
