//! What a CIB wants.
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Names with values.
pub type Pairs = BTreeMap<String, String>;

/// The configuration part of a CIB. Ids that Pacemaker wants on everything are made when it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Cib {
    /// The schema: `pacemaker-3.9`.
    pub schema: Option<String>,
    /// Cluster options.
    pub properties: Pairs,
    /// Nodes by name, with their ids.
    pub nodes: BTreeMap<String, String>,
    /// Attributes of nodes.
    pub node_attributes: BTreeMap<String, Pairs>,
    /// Defaults of resources' meta attributes.
    pub rsc_defaults: Pairs,
    /// Defaults of operations.
    pub op_defaults: Pairs,
    /// Resources, in order.
    pub resources: Vec<Res>,
    /// Constraints, in order.
    pub constraints: Vec<Constraint>,
    /// Elements that the model has no field for, as they were written.
    pub other: Vec<String>,
    /// What else constraints may name: bundles and what is in them, templates, tags.
    pub named: BTreeSet<String>,
    /// Nodes that resources make: remote nodes, guests, containers of bundles with a resource in them.
    pub made_nodes: BTreeSet<String>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Res {
    /// One thing.
    Primitive(Primitive),
    /// Several, one after the other, in one place.
    Group {
        /// Its id.
        id: String,
        /// Its meta attributes.
        meta: Pairs,
        /// Its members.
        members: Vec<Primitive>,
    },
    /// The same on several nodes; promotable by a meta attribute.
    Clone {
        /// Its id.
        id: String,
        /// Its meta attributes.
        meta: Pairs,
        /// What there is several times: a primitive or a group.
        inner: Box<Res>,
    },
}

/// One thing that an agent runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Primitive {
    /// Its id.
    pub id: String,
    /// `ocf`, `stonith`, `lsb`, `systemd`.
    pub class: String,
    /// The template that the rest is taken from; the class and agent stand there.
    pub template: Option<String>,
    /// Of `ocf`: who makes the agent.
    pub provider: Option<String>,
    /// The agent.
    pub agent: String,
    /// Its parameters.
    pub params: Pairs,
    /// Its meta attributes.
    pub meta: Pairs,
    /// Its operations.
    pub ops: Vec<Op>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[non_exhaustive]
pub struct Op {
    /// `monitor`, `start`, …
    pub name: String,
    /// `10s`, `0`.
    pub interval: String,
    /// Its other attributes: `timeout`, `role`, `on-fail`.
    pub more: Pairs,
}

/// What resources have to do with each other and with nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Constraint {
    /// A resource and a node.
    Location {
        /// Its id.
        id: String,
        /// The resource.
        rsc: String,
        /// The node.
        node: String,
        /// How strongly.
        score: String,
        /// Only of this role.
        role: Option<String>,
    },
    /// Two resources in one place.
    Colocation {
        /// Its id.
        id: String,
        /// Who follows.
        rsc: String,
        /// In which role.
        rsc_role: Option<String>,
        /// Who leads.
        with: String,
        /// In which role.
        with_role: Option<String>,
        /// How strongly.
        score: String,
    },
    /// One after the other.
    Order {
        /// Its id.
        id: String,
        /// Who is first.
        first: String,
        /// With what: `promote`.
        first_action: Option<String>,
        /// Who follows.
        then: String,
        /// With what.
        then_action: Option<String>,
        /// `Mandatory`, `Optional`, `Serialize`.
        order: Option<String>,
        /// Whether it holds for stopping too.
        symmetrical: Option<String>,
    },
    /// A constraint with sets or rules, as it was written.
    Other {
        /// Its id.
        id: String,
        /// Its text.
        xml: String,
    },
}

impl Res {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Primitive(p) => &p.id,
            Self::Group { id, .. } | Self::Clone { id, .. } => id,
        }
    }

    /// Its meta attributes.
    #[must_use]
    pub fn meta(&self) -> &Pairs {
        match self {
            Self::Primitive(p) => &p.meta,
            Self::Group { meta, .. } | Self::Clone { meta, .. } => meta,
        }
    }

    /// The primitives in it.
    #[must_use]
    pub fn primitives(&self) -> Vec<&Primitive> {
        match self {
            Self::Primitive(p) => vec![p],
            Self::Group { members, .. } => members.iter().collect(),
            Self::Clone { inner, .. } => inner.primitives(),
        }
    }

    /// Whether one instance of it is promoted.
    #[must_use]
    pub fn is_promotable(&self) -> bool {
        matches!(self, Self::Clone { meta, .. } if meta.get("promotable").is_some_and(|v| v == "true"))
    }
}

impl Primitive {
    /// `ocf:linbit:drbd`.
    #[must_use]
    pub fn agent_name(&self) -> String {
        match &self.provider {
            Some(p) => format!("{}:{p}:{}", self.class, self.agent),
            None => format!("{}:{}", self.class, self.agent),
        }
    }

    /// Whether it fences.
    #[must_use]
    pub fn fences(&self) -> bool {
        self.class == "stonith"
    }
}

impl Constraint {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Location { id, .. }
            | Self::Colocation { id, .. }
            | Self::Order { id, .. }
            | Self::Other { id, .. } => id,
        }
    }

    /// The resources that it names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Location { rsc, .. } => vec![rsc],
            Self::Colocation { rsc, with, .. } => vec![rsc, with],
            Self::Order { first, then, .. } => vec![first, then],
            Self::Other { .. } => Vec::new(),
        }
    }
}

impl Cib {
    /// Who leads a resource, through every colocation that must hold; itself, where it follows nobody. Pacemaker
    /// places the leader first, and a wish for a follower's place does not move it.
    #[must_use]
    pub fn leader<'a>(&'a self, resource: &'a str) -> &'a str {
        let mut at = resource;
        // Once for each constraint: a circle has no end.
        for _ in &self.constraints {
            let follows = |c: &'a Constraint| match c {
                Constraint::Colocation { rsc, with, score, .. }
                    if rsc == at && score.trim_start_matches('+') == "INFINITY" =>
                {
                    Some(with.as_str())
                }
                _ => None,
            };
            let Some(leader) = self.constraints.iter().find_map(follows) else { break };
            at = leader;
        }
        at
    }

    /// The resource of that id, wherever it stands.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<&Res> {
        fn find<'r>(r: &'r Res, id: &str) -> Option<&'r Res> {
            match r {
                r if r.id() == id => Some(r),
                Res::Clone { inner, .. } => find(inner, id),
                _ => None,
            }
        }
        self.resources.iter().find_map(|r| find(r, id))
    }

    /// Every id of a resource, members included.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        let mut out: Vec<&str> = self.resources.iter().map(Res::id).collect();
        for r in &self.resources {
            if let Res::Clone { inner, .. } = r {
                out.push(inner.id());
            }
            out.extend(r.primitives().into_iter().map(|p| p.id.as_str()));
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Whether fencing is on; Pacemaker 3 calls it `fencing-enabled`.
    #[must_use]
    pub fn fencing_on(&self) -> bool {
        self.on("fencing-enabled", self.on("stonith-enabled", true))
    }

    /// An option as a yes or no.
    #[must_use]
    pub fn on(&self, name: &str, default: bool) -> bool {
        self.properties
            .get(name)
            .map_or(default, |v| ["true", "yes", "on", "1"].contains(&v.to_lowercase().as_str()))
    }
}
