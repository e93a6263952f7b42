//! What a `corosync.conf` means, and writing one.
use super::document::{Item, Section};
use serde::Serialize;
use std::collections::BTreeMap;

/// Keys with their values.
pub type Entries = BTreeMap<String, String>;

/// A whole configuration. Sections that have no field are in `other`, by their path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Corosync {
    /// `totem`, without `interface`.
    pub totem: Entries,
    /// `totem { interface { … } }`, one for each link.
    pub interfaces: Vec<Entries>,
    /// `logging`.
    pub logging: Entries,
    /// `logging { logger_subsys { … } }`.
    pub subsystems: Vec<Entries>,
    /// `quorum`.
    pub quorum: Entries,
    /// `quorum { device { … } }`.
    pub device: Entries,
    /// `quorum { device { net { … } } }`.
    pub net: Entries,
    /// `nodelist`.
    pub nodes: Vec<NodeEntry>,
    /// `system`.
    pub system: Entries,
    /// Everything else, as `path.key`.
    pub other: Entries,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct NodeEntry {
    /// Its name.
    pub name: Option<String>,
    /// Its number.
    pub id: Option<u32>,
    /// Its address on each link.
    pub addresses: BTreeMap<u8, String>,
    /// Its other keys.
    pub more: Entries,
}

fn entries(s: &Section) -> Entries {
    s.entries().map(|e| (e.key.clone(), e.value.clone())).collect()
}

impl Corosync {
    pub(crate) fn of(root: &Section) -> Self {
        let mut out = Self::default();
        for item in &root.items {
            let Item::Section(s) = item else { continue };
            let mut rest = Vec::new();
            match s.name.as_str() {
                "totem" => {
                    out.totem.extend(entries(s));
                    out.interfaces.extend(s.sections("interface").map(entries));
                    rest.push("interface");
                }
                "logging" => {
                    out.logging.extend(entries(s));
                    out.subsystems.extend(s.sections("logger_subsys").map(entries));
                    rest.push("logger_subsys");
                }
                "quorum" => {
                    out.quorum.extend(entries(s));
                    for d in s.sections("device") {
                        out.device.extend(entries(d));
                        d.sections("net").for_each(|n| out.net.extend(entries(n)));
                        other("quorum.device", d, &["net"], &mut out.other);
                    }
                    rest.push("device");
                }
                "nodelist" => {
                    out.nodes.extend(s.sections("node").map(node));
                    rest.push("node");
                }
                "system" => out.system.extend(entries(s)),
                _ => {
                    out.other.extend(s.entries().map(|e| (format!("{}.{}", s.name, e.key), e.value.clone())));
                }
            }
            other(&s.name, s, &rest, &mut out.other);
        }
        out.other.extend(root.entries().map(|e| (e.key.clone(), e.value.clone())));
        out
    }

    /// As text, in Corosync's one layout.
    #[must_use]
    pub fn to_conf(&self) -> String {
        let mut w = Writer::default();
        let direct = self.other.iter().filter(|(k, _)| !k.contains('.'));
        direct.for_each(|(k, v)| w.entry(k, v));
        w.section("totem", &self.totem, |w| {
            self.interfaces.iter().for_each(|i| w.section("interface", i, |_| {}));
        });
        w.section("logging", &self.logging, |w| {
            self.subsystems.iter().for_each(|i| w.section("logger_subsys", i, |_| {}));
        });
        w.section("quorum", &self.quorum, |w| {
            let none = self.device.is_empty() && self.net.is_empty();
            if !none {
                w.section("device", &self.device, |w| {
                    if !self.net.is_empty() {
                        w.section("net", &self.net, |_| {});
                    }
                });
            }
        });
        w.section("nodelist", &Entries::new(), |w| {
            for n in &self.nodes {
                let mut all = n.more.clone();
                all.extend(n.name.iter().map(|v| ("name".to_owned(), v.clone())));
                all.extend(n.id.iter().map(|v| ("nodeid".to_owned(), v.to_string())));
                all.extend(n.addresses.iter().map(|(l, a)| (format!("ring{l}_addr"), a.clone())));
                w.section("node", &all, |_| {});
            }
        });
        if !self.system.is_empty() {
            w.section("system", &self.system, |_| {});
        }
        w.out
    }

    /// How many votes there are without a quorum device.
    #[must_use]
    pub fn votes(&self) -> u32 {
        let of = |n: &NodeEntry| n.more.get("quorum_votes").and_then(|v| v.parse().ok()).unwrap_or(1u32);
        self.nodes.iter().map(of).fold(0, u32::saturating_add)
    }
}

fn node(s: &Section) -> NodeEntry {
    let mut n = NodeEntry::default();
    for e in s.entries() {
        let link =
            e.key.strip_prefix("ring").and_then(|k| k.strip_suffix("_addr")).and_then(|k| k.parse().ok());
        match (link, e.key.as_str(), e.value.parse()) {
            (Some(link), ..) => drop(n.addresses.insert(link, e.value.clone())),
            (None, "name", _) => n.name = Some(e.value.clone()),
            (None, "nodeid", Ok(id)) => n.id = Some(id),
            _ => drop(n.more.insert(e.key.clone(), e.value.clone())),
        }
    }
    n
}

fn other(path: &str, s: &Section, known: &[&str], out: &mut Entries) {
    for item in &s.items {
        let Item::Section(inner) = item else { continue };
        if !known.contains(&inner.name.as_str()) {
            let path = format!("{path}.{}", inner.name);
            out.extend(inner.entries().map(|e| (format!("{path}.{}", e.key), e.value.clone())));
            other(&path, inner, &[], out);
        }
    }
}

#[derive(Default)]
struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, text: &str) {
        self.out.extend(std::iter::repeat_n("    ", self.depth));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn entry(&mut self, key: &str, value: &str) {
        self.line(&format!("{key}: {value}"));
    }

    fn section(&mut self, name: &str, entries: &Entries, inner: impl FnOnce(&mut Self)) {
        self.line(&format!("{name} {{"));
        self.depth = self.depth.saturating_add(1);
        for (k, v) in entries {
            self.entry(k, v);
        }
        inner(self);
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }
}
