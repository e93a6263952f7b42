//! Corosync and Pacemaker: configuration, state, why a resource is where it is, and the protocol of
//! resource agents.
//!
//! [`monitor`] reads `crm_mon`'s XML (Pacemaker 2.1 and 3) into a [`Cluster`], and [`explain`] says in one
//! sentence why a resource is (not) running or promoted, since when, and what to do. [`CorosyncDocument`]
//! is a lossless `corosync.conf`, [`Cib`] Pacemaker's configuration; both are checked and written.
//! [`ClusterSpec`] makes both from one short TOML. [`Action`], [`OcfExit`] and [`MetaData`] are the
//! protocol of an OCF agent.
//!
//! ```
//! use esos_cluster::{explain, monitor};
//!
//! let text = esos_fixtures::text("cluster/pacemaker/crm_mon.2n-resource-disabled.xml")?;
//! let seen = monitor("n1", &text)?;
//! let answer = explain(&seen.cluster, "d1", None)?;
//! assert_eq!(answer.why, "an operator switched d1 off (target-role=Stopped)");
//! assert_eq!(answer.advice, "start it with `crm resource start d1`");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod asked;
mod cib;
mod cmap;
mod corosync;
mod explain;
mod failure;
mod model;
mod monitor;
mod ocf;
mod predict;
mod quorum;
mod spec;
mod words;
mod xml;

pub use asked::{Checked, FenceList, Located, Why, fence_list, located, why};
pub use cib::{Change, Cib, CibFinding, Constraint, Op, Pairs, Primitive, Res, diff_cib, lint_cib, read_cib};
pub use cmap::{Cmap, CmapMember, CmapValue, cmap};
pub use corosync::{
    Corosync, CorosyncDocument, Entries, Entry, Item, KEYS, Key, NodeEntry, Section, Value, key,
    lint_corosync,
};
pub use explain::{Explanation, NoResource, explain};
pub use failure::{CrmExit, FailureKind, ToolFailure};
pub use model::{Ban, Cluster, Dc, Extra, Failure, FenceEvent, Kind, Node, Operation, Resource};
pub use monitor::{MonitorError, Seen, monitor, simulated};
pub use ocf::{Action, MetaData, OcfExit, OcfRequest, Parameter, UnknownAction};
pub use predict::{Happening, Placement, placement, predict};
pub use quorum::{Link, Quorum, links, quorum};
pub use spec::{ClusterSpec, FenceSpec, NodeSpec, QdeviceSpec, ResourceSpec, SpecError, is_secret};
pub use words::{Fencing, Role};
