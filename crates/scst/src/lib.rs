//! SCST, the Linux kernel's SCSI target stack, as data.
//!
//! [`conf`] reads and writes `scst.conf` without losing a byte and says what is wrong with it;
//! [`Config`] is what such a file wants. Seen with SCST 3.11; names are SCST's own.
//!
//! ```
//! use esos_diag::Severity;
//! use esos_scst::Document;
//!
//! let file = Document::parse("/etc/scst.conf", "HANDLER vdisk_fileio\n\tDEVICE d1 {\n\t\tfilename /d1\n\t}\n}\n");
//! let missing = file.diagnostics().iter().find(|d| d.severity == Severity::Error).expect("an error");
//! assert_eq!(missing.code, "scst-conf::missing-brace");
//! assert_eq!(missing.position(file.text()).map(|p| p.to_string()).as_deref(), Some("1:21"));
//! assert_eq!(file.to_string(), file.text(), "nothing is lost");
//! ```
pub mod alua;
mod apply;
mod attr;
mod attributes;
pub mod conf;
mod diff;
mod executor;
mod fingerprint;
#[cfg(feature = "serde")]
pub mod import;
pub mod lint;
mod live;
pub mod mgmt;
mod model;
mod modules;
mod name;
mod observe;
mod path;
mod plan;
mod planner;
mod print;
pub mod scstadmin;
#[cfg(feature = "store")]
pub mod store;

pub use apply::{ApplyError, Journal, NoJournal, Options, Report, StepError, apply};
pub use attr::Attr;
pub use attributes::{Attributes, Value, is_secret};
pub use conf::Document;
pub use diff::{Difference, Side, diff};
pub use live::{
    Live, LiveAttr, LiveAttrs, LiveDevice, LiveDeviceGroup, LiveDriver, LiveGroup, LiveHandler, LiveLun,
    LiveSession, LiveTarget, LiveTargetGroup,
};
pub use mgmt::Command;
pub use model::{Config, Device, DeviceGroup, Driver, Group, Handler, LunMap, Target, TargetGroup};
pub use modules::{Hardware, ModuleWish, modules};
pub use name::{
    AluaGroupName, DeviceName, DriverName, GroupName, HandlerName, InitiatorName, NameError, TargetName,
};
pub use observe::{ObserveError, observe, observe_configuration};
pub use path::{ObjectPath, PathError};
pub use plan::{Action, Class, Operation, Pending, Plan, Step, Write};
pub use planner::{Policy, plan, plan_now};
pub use print::PrintError;
