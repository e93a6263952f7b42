//! One short TOML to a whole cluster: `corosync.conf` and the CIB.
use crate::cib::{Cib, Constraint, Op, Pairs, Primitive, Res};
use crate::corosync::{Corosync, Entries, NodeEntry};
use esos_units::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// What the operator wants.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// The cluster's name.
    pub name: String,
    /// Milliseconds until a silent node counts as lost (default 1000).
    #[serde(default = "token")]
    pub token_ms: u32,
    /// Nodes, two or three.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeSpec>,
    /// A third vote from elsewhere.
    pub qdevice: Option<QdeviceSpec>,
    /// What is replicated and served.
    #[serde(rename = "resource", default)]
    pub resources: Vec<ResourceSpec>,
}

fn token() -> u32 {
    1000
}

/// One node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its host name.
    pub name: String,
    /// Its address on each link.
    pub addresses: Vec<String>,
    /// How it is fenced.
    pub fence: Option<FenceSpec>,
}

/// How a node is fenced: the agent, and its parameters.
#[derive(Clone, Deserialize)]
pub struct FenceSpec {
    /// `fence_ipmilan`, `fence_apc`, …
    pub agent: String,
    /// The agent's parameters; those that are passwords never print.
    #[serde(flatten)]
    pub params: BTreeMap<String, toml::Value>,
}

impl fmt::Debug for FenceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.params.keys().collect();
        f.debug_struct("FenceSpec").field("agent", &self.agent).field("params", &names).finish()
    }
}

/// A vote from another machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QdeviceSpec {
    /// The machine that runs corosync-qnetd.
    pub host: String,
    /// `ffsplit` (default) or `lms`.
    #[serde(default = "ffsplit")]
    pub algorithm: String,
}

fn ffsplit() -> String {
    "ffsplit".to_owned()
}

/// One DRBD resource, and what SCST serves of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceSpec {
    /// Its name.
    pub name: String,
    /// The minor number: `/dev/drbdN`.
    pub minor: u32,
    /// The backing device, the same on every node.
    pub disk: String,
    /// The port of the replication.
    pub port: u16,
    /// Which of the node's addresses replicates (default: the last).
    pub link: Option<usize>,
    /// The name of SCST's device (default: the resource's).
    pub device: Option<String>,
    /// Targets of each node, by driver (default driver `iscsi`).
    #[serde(default)]
    pub targets: BTreeMap<String, Vec<String>>,
    /// The driver of the targets.
    #[serde(default = "iscsi")]
    pub driver: String,
}

fn iscsi() -> String {
    "iscsi".to_owned()
}

/// Why a TOML is no cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// It is no TOML of this shape; where, as byte offsets.
    #[error("{message}")]
    Shape {
        /// What is wrong.
        message: String,
        /// Where.
        span: Option<(usize, usize)>,
    },
    /// It has the shape, and makes no sense.
    #[error("{message}")]
    Meaning {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
}

impl ClusterSpec {
    /// Reads a TOML.
    ///
    /// # Errors
    /// [`SpecError`].
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let spec: Self = toml::from_str(text).map_err(|e| SpecError::Shape {
            message: e.message().to_owned(),
            span: e.span().map(|s| (s.start, s.end)),
        })?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), SpecError> {
        let wrong = |message: String, help: &str| Err(SpecError::Meaning { message, help: help.to_owned() });
        let name = |n: &str| {
            !n.is_empty()
                && n.len() < 64
                && n.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                && n.starts_with(|c: char| c.is_ascii_alphabetic())
        };
        if !(2..=3).contains(&self.nodes.len()) {
            return wrong(
                format!("there are {} nodes", self.nodes.len()),
                "a cluster of this kind has two or three",
            );
        }
        let named = self.nodes.iter().map(|n| &n.name).chain(self.resources.iter().map(|r| &r.name));
        if let Some(bad) = named.chain(std::iter::once(&self.name)).find(|n| !name(n)) {
            return wrong(
                format!("`{bad}` is no good name"),
                "a letter first, then letters, digits, `-`, `_`, `.`",
            );
        }
        let links: Vec<usize> = self.nodes.iter().map(|n| n.addresses.len()).collect();
        if links.iter().any(|l| *l == 0 || Some(l) != links.first()) {
            return wrong(
                "the nodes have different numbers of addresses".to_owned(),
                "give every node one address on each link",
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        for n in self.nodes.iter().flat_map(|n| {
            std::iter::once(format!("node {}", n.name))
                .chain(n.addresses.iter().map(|a| format!("address {a}")))
        }) {
            if !seen.insert(n.clone()) {
                return wrong(format!("{n} stands twice"), "names and addresses must differ");
            }
        }
        if let Some(bad) =
            self.nodes.iter().flat_map(|n| &n.addresses).find(|a| a.parse::<std::net::IpAddr>().is_err())
        {
            return wrong(
                format!("`{bad}` is no IP address"),
                "give addresses, not names: names may not resolve when it matters",
            );
        }
        if let Some(n) = self.nodes.iter().find(|n| n.fence.is_none()) {
            return wrong(
                format!("{} has no `fence`", n.name),
                "without fencing a failover is not safe: add `fence = { agent = \"fence_ipmilan\", … }`",
            );
        }
        for r in &self.resources {
            for key in [
                format!("resource {}", r.name),
                format!("minor {}", r.minor),
                format!("port {}", r.port),
                format!("disk {}", r.disk),
            ] {
                if !seen.insert(key.clone()) {
                    return wrong(format!("{key} stands twice"), "each resource needs its own");
                }
            }
            if let Some(bad) = r.targets.keys().find(|n| !self.nodes.iter().any(|x| x.name == **n)) {
                return wrong(
                    format!("`targets` of {} names {bad}, which is no node", r.name),
                    "mend the name",
                );
            }
            if !r.targets.is_empty() && r.targets.len() != self.nodes.len() {
                return wrong(
                    format!("`targets` of {} does not name every node", r.name),
                    "each node needs its own targets",
                );
            }
            if r.link.is_some_and(|l| l >= links.first().copied().unwrap_or(0)) {
                return wrong(format!("`link` of {} is no link of the nodes", r.name), "links count from 0");
            }
        }
        Ok(())
    }

    /// `corosync.conf`, the same on every node.
    #[must_use]
    pub fn corosync(&self) -> Corosync {
        let pairs = |list: &[(&str, &str)]| -> Entries {
            list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let mut c = Corosync {
            totem: pairs(&[
                ("version", "2"),
                ("transport", "knet"),
                ("crypto_cipher", "aes256"),
                ("crypto_hash", "sha256"),
                ("cluster_name", &self.name),
                ("token", &self.token_ms.to_string()),
            ]),
            logging: pairs(&[
                ("to_logfile", "yes"),
                ("logfile", "/var/log/corosync.log"),
                ("to_syslog", "yes"),
                ("timestamp", "on"),
            ]),
            quorum: pairs(&[("provider", "corosync_votequorum")]),
            ..Corosync::default()
        };
        match &self.qdevice {
            Some(q) => {
                c.device = pairs(&[("model", "net"), ("votes", "1")]);
                c.net = pairs(&[("host", &q.host), ("algorithm", &q.algorithm), ("tls", "on")]);
            }
            None if self.nodes.len() == 2 => drop(c.quorum.insert("two_node".to_owned(), "1".to_owned())),
            None => {}
        }
        for (n, id) in self.nodes.iter().zip(1u32..) {
            let addresses = n.addresses.iter().zip(0u8..).map(|(a, l)| (l, a.clone())).collect();
            c.nodes.push(NodeEntry {
                name: Some(n.name.clone()),
                id: Some(id),
                addresses,
                more: Entries::new(),
            });
        }
        c
    }

    /// The CIB: fencing of every node, and for each resource DRBD, then SCST, on the same node.
    #[must_use]
    pub fn cib(&self) -> Cib {
        let pairs = |list: &[(&str, &str)]| -> Pairs {
            list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let mut cib = Cib {
            properties: pairs(&[
                ("stonith-enabled", "true"),
                ("no-quorum-policy", "stop"),
                ("cluster-name", &self.name),
            ]),
            ..Cib::default()
        };
        if self.nodes.len() == 2 {
            cib.properties.extend(pairs(&[("priority-fencing-delay", "10s")]));
        }
        cib.rsc_defaults = pairs(&[("resource-stickiness", "100")]);
        for (n, id) in self.nodes.iter().zip(1u32..) {
            cib.nodes.insert(n.name.clone(), id.to_string());
            let Some(f) = &n.fence else { continue };
            let mut params: Pairs = f.params.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
            params.entry("pcmk_host_list".to_owned()).or_insert_with(|| n.name.clone());
            let id = format!("fence-{}", n.name);
            // A node never fences itself.
            cib.constraints.push(Constraint::Location {
                id: format!("l-{id}"),
                rsc: id.clone(),
                node: n.name.clone(),
                score: "-INFINITY".to_owned(),
                role: None,
            });
            let ops = vec![op("monitor", "60s", "60s", None)];
            cib.resources.push(Res::Primitive(Primitive {
                id,
                class: "stonith".to_owned(),
                agent: f.agent.clone(),
                params,
                ops,
                ..Primitive::default()
            }));
        }
        for r in &self.resources {
            self.chain(r, &mut cib);
        }
        cib
    }

    /// The CIB as a file to load. It names no nodes: Pacemaker knows them from Corosync, and `crm_verify`
    /// takes a node without a state for one that must be fenced.
    #[must_use]
    pub fn cib_xml(&self) -> String {
        let mut cib = self.cib();
        cib.nodes.clear();
        cib.to_xml().replacen("<cib ", "<cib have-quorum=\"1\" ", 1)
    }

    fn chain(&self, r: &ResourceSpec, cib: &mut Cib) {
        let pairs = |list: &[(&str, &str)]| -> Pairs {
            list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let (drbd, scst) = (format!("drbd-{}", r.name), format!("scst-{}", r.name));
        let both = |start, promote| {
            vec![
                op("start", "0", start, None),
                op("stop", "0", "100s", None),
                op("promote", "0", promote, None),
                op("demote", "0", "90s", None),
                op("notify", "0", "90s", None),
            ]
        };
        let mut ops = both("240s", "90s");
        ops.extend([
            op("monitor", "9s", "20s", Some("Promoted")),
            op("monitor", "11s", "20s", Some("Unpromoted")),
        ]);
        let clone = |id: &str, inner: Primitive, priority: bool| {
            let mut meta = pairs(&[
                ("promotable", "true"),
                ("notify", "true"),
                ("promoted-max", "1"),
                ("promoted-node-max", "1"),
                ("clone-node-max", "1"),
                ("interleave", "true"),
            ]);
            meta.insert("clone-max".to_owned(), self.nodes.len().to_string());
            if priority {
                meta.insert("priority".to_owned(), "10".to_owned());
            }
            Res::Clone { id: format!("ms-{id}"), meta, inner: Box::new(Res::Primitive(inner)) }
        };
        let params = pairs(&[("drbd_resource", &r.name)]);
        cib.resources.push(clone(
            &drbd,
            Primitive {
                id: drbd.clone(),
                class: "ocf".to_owned(),
                provider: Some("linbit".to_owned()),
                agent: "drbd".to_owned(),
                params,
                ops,
                ..Primitive::default()
            },
            false,
        ));
        if r.targets.is_empty() {
            return;
        }
        let mut ops = both("60s", "60s");
        ops.extend([
            op("monitor", "5s", "20s", Some("Promoted")),
            op("monitor", "7s", "20s", Some("Unpromoted")),
        ]);
        let params = pairs(&[
            ("device_group", r.name.as_str()),
            ("local_tgt_grp", "%n"),
            ("drbd_resource", &r.name),
            ("m_alua_state", "active"),
            ("s_alua_state", "standby"),
            ("set_dev_active", "true"),
        ]);
        cib.resources.push(clone(
            &scst,
            Primitive {
                id: scst.clone(),
                class: "ocf".to_owned(),
                provider: Some("esos".to_owned()),
                agent: "scst-alua".to_owned(),
                params,
                ops,
                ..Primitive::default()
            },
            true,
        ));
        let (d, s) = (format!("ms-{drbd}"), format!("ms-{scst}"));
        cib.constraints.push(Constraint::Colocation {
            id: format!("c-{}", r.name),
            rsc: s.clone(),
            rsc_role: Some("Promoted".to_owned()),
            with: d.clone(),
            with_role: Some("Promoted".to_owned()),
            score: "INFINITY".to_owned(),
        });
        // DRBD is up before SCST's part starts: it tells the size of the device that is still closed.
        cib.constraints.push(Constraint::Order {
            id: format!("s-{}", r.name),
            first: d.clone(),
            first_action: Some("start".to_owned()),
            then: s.clone(),
            then_action: Some("start".to_owned()),
            order: Some("Mandatory".to_owned()),
            symmetrical: Some("true".to_owned()),
        });
        cib.constraints.push(Constraint::Order {
            id: format!("o-{}", r.name),
            first: d,
            first_action: Some("promote".to_owned()),
            then: s,
            then_action: Some("promote".to_owned()),
            order: Some("Mandatory".to_owned()),
            symmetrical: Some("true".to_owned()),
        });
    }

    /// Fencing parameters that must not be shown, by value.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let fences = self.nodes.iter().filter_map(|n| n.fence.as_ref());
        let all = fences.flat_map(|f| f.params.iter());
        all.filter(|(k, _)| is_secret(k)).map(|(_, v)| Secret::new(plain(v))).collect()
    }
}

/// Whether a fencing parameter is a password.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["passw", "secret", "token", "key"].iter().any(|w| name.contains(w))
        && !name.ends_with("_file")
        && !name.contains("passwd_script")
}

fn plain(v: &toml::Value) -> String {
    match v {
        toml::Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

fn op(name: &str, interval: &str, timeout: &str, role: Option<&str>) -> Op {
    let mut more = Pairs::from([("timeout".to_owned(), timeout.to_owned())]);
    more.extend(role.map(|r| ("role".to_owned(), r.to_owned())));
    Op { name: name.to_owned(), interval: interval.to_owned(), more }
}
