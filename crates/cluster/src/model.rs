//! One typed model of a cluster's state.
use crate::words::{Fencing, Role};
use serde::Serialize;
use std::collections::BTreeMap;

/// Attributes that the model has no field for, as printed.
pub type Extra = BTreeMap<String, String>;

/// The state of a cluster as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Cluster {
    /// The node that decides, and its Pacemaker's version.
    pub dc: Option<Dc>,
    /// Whether this partition may act; `None` where nothing is decided yet.
    pub quorum: Option<bool>,
    /// When the picture was taken, as printed.
    pub time: Option<String>,
    /// When the configuration was last changed.
    pub last_change: Option<String>,
    /// The API's version of the output: 2.25 is Pacemaker 2.1.5.
    pub api_version: Option<String>,
    /// Cluster options as printed: `stonith-enabled`, `no-quorum-policy`, `maintenance-mode`, …
    pub options: BTreeMap<String, String>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Resources, in their groups and clones.
    pub resources: Vec<Resource>,
    /// Attributes of nodes, such as promotion scores (`master-NAME`).
    pub attributes: BTreeMap<String, BTreeMap<String, String>>,
    /// What was done on which node, oldest first.
    pub history: Vec<Operation>,
    /// Operations that failed.
    pub failures: Vec<Failure>,
    /// Fencing, newest first.
    pub fencing: Vec<FenceEvent>,
    /// Constraints that keep a resource off a node.
    pub bans: Vec<Ban>,
}

/// The node that decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Dc {
    /// Its name.
    pub name: String,
    /// Pacemaker's version there.
    pub version: Option<String>,
    /// Whether nodes with different versions are in the cluster (also while one is pending).
    pub mixed_version: bool,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: String,
    /// A member of the cluster.
    pub online: bool,
    /// Seen by Corosync, not by Pacemaker (yet, or no more).
    pub pending: bool,
    /// Must be fenced before anything else may happen.
    pub unclean: bool,
    /// Runs nothing, by wish.
    pub standby: bool,
    /// Runs nothing, after a failure.
    pub standby_onfail: bool,
    /// Is left alone, by wish.
    pub maintenance: bool,
    /// Goes down in order.
    pub shutdown: bool,
    /// Decides.
    pub dc: bool,
    /// `green`, `yellow`, `red`.
    pub health: Option<String>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

impl Node {
    /// In one word, the worst first.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self { unclean: true, .. } => "unclean",
            Self { pending: true, .. } => "pending",
            Self { online: false, .. } => "offline",
            Self { shutdown: true, .. } => "shutting down",
            Self { maintenance: true, .. } => "maintenance",
            Self { standby: true, .. } | Self { standby_onfail: true, .. } => "standby",
            _ => "online",
        }
    }

    /// The same behind `is`.
    #[must_use]
    pub fn phrase(&self) -> &'static str {
        match self.state() {
            "maintenance" => "in maintenance",
            "standby" => "in standby",
            other => other,
        }
    }

    /// Whether it is a member of the cluster, and no remote or guest node that a resource connects.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.extra.get("type").is_none_or(|t| t == "member")
    }

    /// Whether it lives in a resource: a container of a bundle, or a virtual machine.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.extra.contains_key("id_as_resource")
    }

    /// Whether resources may run there.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.state() == "online"
    }
}

/// What kind of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// One thing, in one place.
    Primitive,
    /// Several, one after the other, in one place.
    Group,
    /// The same on several nodes.
    Clone,
    /// A clone with a promoted instance.
    Promotable,
    /// A container with its network and storage.
    Bundle,
}

/// A resource; groups and clones have members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Resource {
    /// Its id; instances of a clone share one.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// `ocf:linbit:drbd`.
    pub agent: Option<String>,
    /// What it is doing; of a group or clone, `Unknown`: its members have roles.
    pub role: Role,
    /// What it is wished to do.
    pub target_role: Option<Role>,
    /// Whether anything of it is active.
    pub active: bool,
    /// Pacemaker waits for an operator.
    pub blocked: bool,
    /// Pacemaker acts on it.
    pub managed: bool,
    /// Its last operation failed.
    pub failed: bool,
    /// Its configuration is gone.
    pub orphaned: bool,
    /// Switched off (`target-role` of a group or clone).
    pub disabled: bool,
    /// An operation that is running.
    pub pending: Option<String>,
    /// Where it is.
    pub nodes: Vec<String>,
    /// Members and instances.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Resource>,
    /// Attributes that the model has no field for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

impl Resource {
    /// It and all below it.
    pub fn all(&self) -> Vec<&Self> {
        let mut out = vec![self];
        out.extend(self.members.iter().flat_map(Self::all));
        out
    }

    /// Whether an operation that changes something is running. A monitor that comes round again is none.
    #[must_use]
    pub fn busy(&self) -> bool {
        let changes = ["Starting", "Stopping", "Promoting", "Demoting", "Migrating"];
        changes.contains(&self.role.as_str())
            || self.pending.as_ref().is_some_and(|p| !(self.active && p.starts_with("Monitor")))
    }

    /// The primitives below it, or itself.
    pub fn primitives(&self) -> Vec<&Self> {
        self.all().into_iter().filter(|r| r.kind == Kind::Primitive).collect()
    }
}

/// One operation that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Operation {
    /// Where.
    pub node: String,
    /// Of what.
    pub resource: String,
    /// `start`, `stop`, `promote`, `demote`, `monitor`, `probe`.
    pub task: String,
    /// The agent's exit code.
    pub rc: Option<i32>,
    /// In words.
    pub rc_text: String,
    /// Its running number on that node.
    pub call: u64,
    /// Monitors only: how often.
    pub interval: Option<String>,
    /// When the result was first seen, as printed.
    pub time: Option<String>,
    /// How often it failed there: `1000000` is for ever.
    pub fail_count: Option<u64>,
    /// After how many failures the node is left.
    pub migration_threshold: Option<u64>,
}

/// An operation that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// Where.
    pub node: String,
    /// Of what.
    pub resource: String,
    /// `stop`.
    pub task: String,
    /// In words: `error`, `not installed`.
    pub exit: String,
    /// The agent's exit code.
    pub exit_code: Option<i32>,
    /// What the agent said.
    pub reason: Option<String>,
    /// `complete`, `Timed Out`.
    pub status: String,
    /// When, as printed.
    pub time: Option<String>,
}

/// One fencing action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FenceEvent {
    /// `reboot`, `off`.
    pub action: String,
    /// Who was, or is to be, fenced.
    pub target: String,
    /// Who asked.
    pub origin: Option<String>,
    /// Who did it.
    pub delegate: Option<String>,
    /// How far it is.
    pub state: Fencing,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it ended, as printed.
    pub completed: Option<String>,
}

/// A constraint that keeps a resource off a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ban {
    /// The constraint.
    pub id: String,
    /// Of what.
    pub resource: String,
    /// Off what.
    pub node: String,
    /// How strongly: `-1000000` is for ever.
    pub weight: String,
    /// Only its promotion.
    pub promoted_only: bool,
}

impl Ban {
    /// Whether DRBD's fence handler set it (`crm-fence-peer.sh`).
    #[must_use]
    pub fn is_drbd(&self) -> bool {
        self.id.starts_with("drbd-fence-by-handler")
    }

    /// Whether an operator's `move` or `ban` left it.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.id.starts_with("cli-ban") || self.id.starts_with("cli-prefer")
    }
}

impl Cluster {
    /// A resource by its id, wherever it stands. Instances of a clone share one: the first.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<&Resource> {
        let plain = id.split(':').next().unwrap_or(id);
        let all = || self.resources.iter().flat_map(Resource::all);
        all().find(|r| r.id == id).or_else(|| all().find(|r| r.id.split(':').next() == Some(plain)))
    }

    /// The resource that holds it at the top, and the path down to it.
    #[must_use]
    pub fn top(&self, id: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|r| r.all().iter().any(|x| x.id == id || x.id.split(':').next() == Some(id)))
    }

    /// A node by its name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// Whether fencing is on; Pacemaker 3 calls it `fencing-enabled`.
    #[must_use]
    pub fn fencing_on(&self) -> bool {
        self.option("fencing-enabled", self.option("stonith-enabled", true))
    }

    /// Whether an option is on; `default` where it is not told.
    #[must_use]
    pub fn option(&self, name: &str, default: bool) -> bool {
        self.options.get(name).map_or(default, |v| v == "true")
    }
}
