//! What a configuration means.
use esos_diag::Span;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Options by section: `net`, `disk`, `options`, `handlers`, `startup`, `syncer`, `proxy`.
pub type Sections = BTreeMap<String, Vec<Opt>>;

/// All that one file, or several joined, says.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// Patterns of files to read, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<String>,
    /// `global`.
    pub global: Vec<Opt>,
    /// `common`: what every resource inherits.
    pub common: Sections,
    /// Resources, in order.
    pub resources: Vec<ResourceConfig>,
}

/// One option. A secret's value prints as `***`; only [`Opt::value`] has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opt {
    /// Its name.
    pub name: String,
    /// Its value; a flag (`allow-two-primaries;`) has none.
    pub value: Option<String>,
    /// Where it stands.
    pub span: Span,
}

impl Opt {
    /// An option with a value.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()), span: Span::default() }
    }

    /// Whether the value must not be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.name == "shared-secret"
    }

    /// The value for people.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.is_secret() { "***" } else { self.value.as_deref().unwrap_or("yes") }
    }
}

impl fmt::Debug for Opt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.shown())
    }
}

impl Serialize for Opt {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_struct("Opt", 2)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("value", self.shown())?;
        out.end()
    }
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ResourceConfig {
    /// Its name.
    pub name: String,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
    /// Its nodes.
    pub hosts: Vec<Host>,
    /// Volumes that every node has alike.
    pub volumes: Vec<Volume>,
    /// Connections with words of their own.
    pub connections: Vec<ConnectionConfig>,
    /// Groups in which everybody is connected with everybody.
    pub meshes: Vec<Mesh>,
    /// Its options.
    pub sections: Sections,
}

/// One node of a resource: `on NAME`, `floating ADDRESS`, `stacked-on-top-of RESOURCE`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Host {
    /// `on`, `floating` or `stacked-on-top-of`.
    pub keyword: String,
    /// Host names; of `floating`, none.
    pub names: Vec<String>,
    /// DRBD 9's number of the node.
    pub node_id: Option<u32>,
    /// Where it listens.
    pub address: Option<Address>,
    /// Its own volumes, or what differs from the resource's.
    pub volumes: Vec<Volume>,
    /// Options of its own.
    pub sections: Sections,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// An end of a connection on the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Address {
    /// `ipv4`, `ipv6`, `ssocks`, `sdp`.
    pub family: String,
    /// The address, without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        match self.family.as_str() {
            "ipv6" => write!(f, "ipv6 [{}]{port}", self.host),
            family => write!(f, "{family} {}{port}", self.host),
        }
    }
}

/// One volume.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Volume {
    /// Its number in the resource.
    pub number: u32,
    /// `/dev/drbd0` or a name that udev makes.
    pub device: Option<String>,
    /// The minor number.
    pub minor: Option<u32>,
    /// The backing device; `none` makes a client.
    pub disk: Option<String>,
    /// `internal` or a device, with an index in brackets.
    pub meta_disk: Option<String>,
    /// Options of its disk.
    pub options: Vec<Opt>,
}

/// A connection with words of its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ConnectionConfig {
    /// Its name.
    pub name: Option<String>,
    /// Its two ends.
    pub ends: Vec<End>,
    /// Several paths, each with two ends.
    pub paths: Vec<Vec<End>>,
    /// Its options.
    pub sections: Sections,
    /// Options of single volumes.
    pub volumes: BTreeMap<u32, Sections>,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct End {
    /// The host.
    pub host: String,
    /// An address of its own.
    pub address: Option<Address>,
}

/// Everybody with everybody.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Mesh {
    /// The hosts.
    pub hosts: Vec<String>,
    /// Options of all these connections.
    pub sections: Sections,
}

impl Config {
    /// Adds what another file says.
    pub fn join(&mut self, other: &Self) {
        self.includes.extend(other.includes.iter().cloned());
        self.global.extend(other.global.iter().cloned());
        for (section, options) in &other.common {
            self.common.entry(section.clone()).or_default().extend(options.iter().cloned());
        }
        self.resources.extend(other.resources.iter().cloned());
    }

    /// The resource of that name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&ResourceConfig> {
        self.resources.iter().find(|r| r.name == name)
    }

    /// An option of a resource, its own or inherited.
    #[must_use]
    pub fn value<'c>(&'c self, r: &'c ResourceConfig, section: &str, name: &str) -> Option<&'c str> {
        let of = |s: &'c Sections| s.get(section)?.iter().rev().find(|o| o.name == name);
        of(&r.sections).or_else(|| of(&self.common)).map(|o| o.value.as_deref().unwrap_or("yes"))
    }

    /// The one form in which configurations that mean the same are equal: volumes at their hosts,
    /// meshes as connections, no places.
    #[must_use]
    pub fn normalized(&self) -> Self {
        let mut out = self.clone();
        out.includes.clear();
        clean(&mut out.common);
        out.global.iter_mut().for_each(plain);
        out.global.sort_by(|a, b| a.name.cmp(&b.name));
        for r in &mut out.resources {
            r.normalize();
        }
        out
    }
}

fn plain(o: &mut Opt) {
    o.span = Span::default();
    o.value = Some(o.value.clone().unwrap_or_else(|| "yes".to_owned()));
}

fn clean(s: &mut Sections) {
    s.retain(|_, options| !options.is_empty());
    for options in s.values_mut() {
        options.iter_mut().for_each(plain);
        options.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl ResourceConfig {
    fn normalize(&mut self) {
        self.span = Span::default();
        clean(&mut self.sections);
        for h in &mut self.hosts {
            h.span = Span::default();
            clean(&mut h.sections);
            for v in &self.volumes {
                match h.volumes.iter_mut().find(|x| x.number == v.number) {
                    None => h.volumes.push(v.clone()),
                    Some(own) => own.inherit(v),
                }
            }
            h.volumes.sort_by_key(|v| v.number);
            h.volumes.iter_mut().for_each(|v| {
                v.options.iter_mut().for_each(plain);
                v.options.sort_by(|a, b| a.name.cmp(&b.name));
                // `/dev/drbd0` is the usual name of minor 0.
                if v.device.is_some() && v.device == v.minor.map(|m| format!("/dev/drbd{m}")) {
                    v.device = None;
                }
            });
        }
        self.volumes.clear();
        for mesh in std::mem::take(&mut self.meshes) {
            for (i, a) in mesh.hosts.iter().enumerate() {
                for b in mesh.hosts.iter().skip(i.saturating_add(1)) {
                    let end = |host: &String| End { host: host.clone(), address: None };
                    let ends = vec![end(a), end(b)];
                    self.connections.push(ConnectionConfig {
                        ends,
                        sections: mesh.sections.clone(),
                        ..ConnectionConfig::default()
                    });
                }
            }
        }
        if self.connections.is_empty() && self.hosts.len() == 2 {
            let ends = self.hosts.iter().filter_map(|h| h.names.first());
            let ends: Vec<End> = ends.map(|n| End { host: n.clone(), address: None }).collect();
            self.connections
                .extend((ends.len() == 2).then(|| ConnectionConfig { ends, ..ConnectionConfig::default() }));
        }
        let address = |host: &str| {
            self.hosts.iter().find(|h| h.names.iter().any(|n| n == host)).and_then(|h| h.address.clone())
        };
        for c in &mut self.connections {
            clean(&mut c.sections);
            c.volumes.values_mut().for_each(clean);
            for end in c.paths.iter_mut().flatten().chain(&mut c.ends) {
                end.address = end.address.take().or_else(|| address(&end.host));
            }
            // One path of a connection without ends of its own is its ends.
            if c.paths.len() == 1 && c.ends.is_empty() {
                c.ends = c.paths.pop().unwrap_or_default();
            }
            c.ends.sort_by(|a, b| a.host.cmp(&b.host));
            c.paths.iter_mut().for_each(|p| p.sort_by(|a, b| a.host.cmp(&b.host)));
        }
        self.connections.sort_by_key(|c| format!("{:?}{:?}", c.ends, c.paths));
    }
}

impl Volume {
    fn inherit(&mut self, from: &Self) {
        let or = |own: &mut Option<String>, other: &Option<String>| {
            if own.is_none() {
                own.clone_from(other);
            }
        };
        or(&mut self.device, &from.device);
        or(&mut self.disk, &from.disk);
        or(&mut self.meta_disk, &from.meta_disk);
        self.minor = self.minor.or(from.minor);
        for o in &from.options {
            if !self.options.iter().any(|x| x.name == o.name) {
                self.options.push(o.clone());
            }
        }
    }
}
