//! DRBD 8.4 and 9: `drbd.conf`, one typed model of state, and plans.
//!
//! [`read`] takes any recorded output, told apart by its grammar, and gives a [`Report`]; words and
//! attributes that are not known survive, and whatever is missing is a warning. [`promotable`] says in one
//! sentence whether this node may be promoted. [`Document`] is a lossless `drbd.conf`, [`lint`] says what
//! is wrong with its meaning, [`Config::to_conf`] writes one. [`resolve`] and its sisters make plans;
//! [`ToolFailure`] understands why a command was refused.
//!
//! ```
//! use esos_drbd::{Disk, Kind, Role, promotable, read};
//!
//! let text = esos_fixtures::text("cluster/drbd9/events2-now.initial-sync.n2.txt")?;
//! let report = read(None, "n2", &text)?;
//! let resource = &report.status.resources[0];
//! assert_eq!((report.kind, &resource.role, &resource.devices[0].disk), (Kind::Events2, &Role::Secondary, &Disk::Inconsistent));
//! assert_eq!(promotable(resource).reason, "n1 is Primary; demote it there first");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod attrs;
mod conf;
mod doubts;
mod failure;
mod model;
mod parse;
mod plan;
mod promotable;
mod transition;
mod words;

pub use conf::{
    Accepts, Address, Block, Config, ConnectionConfig, Document, End, Host, Intent, Item, Mesh, OPTIONS, Opt,
    OptionKind, ResourceConfig, Sections, Statement, Unwritable, ValueKind, Volume, Word, lint, option,
};
pub use failure::{FailureKind, Opener, ToolFailure};
pub use model::{Device, Extra, Path, Peer, PeerDevice, Resource, Status, Version};
pub(crate) use parse::parse_json_error;
pub use parse::{Event, Events, Handshake, Identifiers, Kind, LogFacts, Report, UnknownKind, events, read};
pub use plan::{Loss, Plan, Refused, Risk, Step, connect, demote, promote, resize, resolve, verify};
pub use promotable::{Promotable, promotable};
pub use transition::{Transition, dual_primary};
pub use words::{Connection, Disk, Replication, Role, split_cstate};
