//! From SCST's tree to [`Live`], in one scan.
mod attributes;
mod touched;

use attributes::Bits;
pub(crate) use touched::observe_touched;

use crate::live::{
    Live, LiveAttrs, LiveDevice, LiveDeviceGroup, LiveDriver, LiveGroup, LiveHandler, LiveLun, LiveSession,
    LiveTarget, LiveTargetGroup,
};
use crate::name::{InitiatorName, NameError};
use esos_sysfs::{AttrError, AttrTree, Entry, Kind};
use esos_units::Lun;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// Why SCST could not be observed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The tree is not there: the module is not loaded.
    #[error("SCST is not loaded")]
    NotLoaded,
    /// A directory or a link could not be read.
    #[error("cannot observe SCST")]
    Tree {
        /// Where and why.
        #[source]
        source: AttrError,
    },
    /// The tree has a name that no command could address.
    #[error("{path} has a name that cannot be used")]
    Name {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// The tree has a LUN that is no number, or leads to nothing.
    #[error("{path} is no LUN")]
    Lun {
        /// Where.
        path: String,
    },
}

/// How often a read that answers `EAGAIN` is tried. Each try waits in the kernel: reads of `filename` go
/// through SCST's command thread.
const TRIES: u32 = 200;

/// Reads the whole tree once (`/sys/kernel/scst_tgt`). An attribute that cannot be read is kept without
/// a value; a directory that cannot be read is an error.
///
/// # Errors
/// [`ObserveError`].
pub fn observe(tree: &dyn AttrTree) -> Result<Live, ObserveError> {
    scan(&Scan::new(tree, true))
}

/// As [`observe`], but only what can be configured and who is connected: of a session its initiator and its group,
/// neither counters nor connections, none of the attributes that print the commands in flight, and of a device not
/// where it is exported, which the LUNs tell. Enough for [`plan`](crate::plan) and to save.
///
/// Permission bits are asked of the first device of a handler, and of the first LUN: the kernel's are constants of
/// the handler.
///
/// # Errors
/// [`ObserveError`].
pub fn observe_configuration(tree: &dyn AttrTree) -> Result<Live, ObserveError> {
    scan(&Scan::new(tree, false))
}

fn scan(scan: &Scan<'_>) -> Result<Live, ObserveError> {
    let tree = scan.tree;
    let top = match tree.list("") {
        Ok(top) => top,
        Err(e) if e.is_not_found() => return Err(ObserveError::NotLoaded),
        Err(source) => return Err(ObserveError::Tree { source }),
    };
    if !top.iter().any(|e| e.name == "handlers") {
        return Err(ObserveError::NotLoaded);
    }
    Ok(Live {
        attributes: scan.attributes("", &top)?,
        handlers: scan.each("handlers", |path| scan.handler(path))?,
        devices: scan.each("devices", |path| scan.device(path))?,
        drivers: scan.each("targets", |path| scan.driver(path))?,
        device_groups: scan.each("device_groups", |path| scan.device_group(path))?,
    })
}

struct Scan<'t> {
    tree: &'t dyn AttrTree,
    /// Sessions with their counters and connections, and the commands in flight, too.
    all: bool,
    /// The attributes that were seen of objects of one kind.
    kinds: RefCell<BTreeMap<String, Bits>>,
}

/// The kind of all LUNs; no handler has this name.
const LUN: &str = "/lun";

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// The last part of a link's target.
fn last(target: &str) -> &str {
    target.rsplit('/').next().unwrap_or(target)
}

/// Whether a directory of a session is one of its LUNs.
fn is_lun(name: &str) -> bool {
    name.strip_prefix("lun").is_some_and(|n| n.parse::<Lun>().is_ok())
}

/// Names behind `…parameters available:` in a `mgmt` help text.
fn listed(help: &str, head: &str) -> BTreeSet<String> {
    let Some((_, rest)) = help.split_once(head) else { return BTreeSet::new() };
    let line = rest.split('\n').next().unwrap_or("");
    line.split(',').map(|w| w.trim().trim_end_matches('.').to_owned()).filter(|w| !w.is_empty()).collect()
}

impl<'t> Scan<'t> {
    fn new(tree: &'t dyn AttrTree, all: bool) -> Self {
        Self { tree, all, kinds: RefCell::default() }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, ObserveError> {
        self.tree.list(path).map_err(|source| ObserveError::Tree { source })
    }

    fn link(&self, path: &str) -> Result<String, ObserveError> {
        self.tree.read_link(path).map_err(|source| ObserveError::Tree { source })
    }

    fn name<N: FromStr<Err = NameError>>(path: &str, text: &str) -> Result<N, ObserveError> {
        text.parse().map_err(|source| ObserveError::Name { path: path.to_owned(), source })
    }

    /// The objects of a directory: its sub-directories (and links, for pass-through devices none).
    fn each<N: FromStr<Err = NameError> + Ord, T>(
        &self,
        path: &str,
        read: impl Fn(&str) -> Result<T, ObserveError>,
    ) -> Result<BTreeMap<N, T>, ObserveError> {
        Self::each_of(path, &self.list(path)?, read)
    }

    /// The objects among the entries of a directory.
    fn each_of<N: FromStr<Err = NameError> + Ord, T>(
        path: &str,
        entries: &[Entry],
        read: impl Fn(&str) -> Result<T, ObserveError>,
    ) -> Result<BTreeMap<N, T>, ObserveError> {
        let mut objects = BTreeMap::new();
        for entry in entries.iter().filter(|e| e.kind == Kind::Dir) {
            let path = join(path, &entry.name);
            objects.insert(Self::name(&path, &entry.name)?, read(&path)?);
        }
        Ok(objects)
    }

    fn read(&self, path: &str) -> Result<String, AttrError> {
        let mut tries = TRIES;
        loop {
            match self.tree.read(path) {
                Err(e) if e.is_again() && tries > 0 => tries = tries.saturating_sub(1),
                other => return other,
            }
        }
    }

    fn help(&self, path: &str, entries: &[Entry]) -> Option<String> {
        let has = entries.iter().any(|e| e.name == "mgmt");
        if has { self.read(&join(path, "mgmt")).ok().or(Some(String::new())) } else { None }
    }

    fn handler(&self, path: &str) -> Result<LiveHandler, ObserveError> {
        let entries = self.list(path)?;
        let help = self.help(path, &entries).unwrap_or_default();
        let create = listed(&help, "The following parameters available:");
        Ok(LiveHandler { attributes: self.attributes(path, &entries)?, create })
    }

    fn device(&self, path: &str) -> Result<LiveDevice, ObserveError> {
        let entries = self.list(path)?;
        let mut device = LiveDevice::default();
        for entry in &entries {
            let path = join(path, &entry.name);
            match (entry.name.as_str(), entry.kind) {
                ("handler", Kind::Link) => {
                    device.handler = Some(Self::name(&path, last(&self.link(&path)?))?);
                }
                ("exported", Kind::Dir) if self.all => {
                    for export in self.list(&path)?.iter().filter(|e| e.kind == Kind::Link) {
                        let target = self.link(&join(&path, &export.name))?;
                        device.exported.insert(target.trim_start_matches("../").to_owned());
                    }
                }
                _ => {}
            }
        }
        device.attributes = match &device.handler {
            Some(handler) => self.alike(path, &entries, handler.as_str())?,
            None => self.attributes(path, &entries)?,
        };
        Ok(device)
    }

    fn driver(&self, path: &str) -> Result<LiveDriver, ObserveError> {
        let entries = self.list(path)?;
        let help = self.help(path, &entries);
        let has_mgmt = help.is_some();
        let help = help.unwrap_or_default();
        Ok(LiveDriver {
            attributes: self.attributes(path, &entries)?,
            create: listed(&help, "The following parameters available:"),
            driver_attributes: listed(&help, "The following target driver attributes available:"),
            target_attributes: listed(&help, "The following target attributes available:"),
            has_mgmt,
            targets: Self::each_of(path, &entries, |path| self.target(path))?,
        })
    }

    fn target(&self, path: &str) -> Result<LiveTarget, ObserveError> {
        let entries = self.list(path)?;
        let has = |name: &str| entries.iter().any(|e| e.name == name && e.kind == Kind::Dir);
        let mut target = LiveTarget { attributes: self.attributes(path, &entries)?, ..LiveTarget::default() };
        if has("luns") {
            target.luns = self.luns(&join(path, "luns"))?;
        }
        if has("ini_groups") {
            target.groups = self.each(&join(path, "ini_groups"), |path| self.group(path))?;
        }
        if has("sessions") {
            let sessions = join(path, "sessions");
            for entry in self.list(&sessions)?.into_iter().filter(|e| e.kind == Kind::Dir) {
                let session = self.session(&join(&sessions, &entry.name))?;
                target.sessions.insert(entry.name, session);
            }
        }
        Ok(target)
    }

    fn luns(&self, path: &str) -> Result<BTreeMap<Lun, LiveLun>, ObserveError> {
        let mut luns = BTreeMap::new();
        for entry in self.list(path)?.into_iter().filter(|e| e.kind == Kind::Dir) {
            let path = join(path, &entry.name);
            let Ok(lun) = entry.name.parse::<Lun>() else { return Err(ObserveError::Lun { path }) };
            let link = join(&path, "device");
            let known = self.kinds.borrow().get(LUN).filter(|_| !self.all).cloned();
            let (target, attributes) = match known {
                Some(bits) => (self.tree.read_link(&link), self.values(&path, bits.iter())),
                None => {
                    let entries = self.list(&path)?;
                    (self.tree.read_link(&link), self.alike(&path, &entries, LUN)?)
                }
            };
            let target = match target {
                Ok(target) => target,
                // A LUN whose device is being unregistered has no link any more.
                Err(e) if e.is_not_found() => return Err(ObserveError::Lun { path }),
                Err(source) => return Err(ObserveError::Tree { source }),
            };
            luns.insert(lun, LiveLun { device: Self::name(&link, last(&target))?, attributes });
        }
        Ok(luns)
    }

    fn group(&self, path: &str) -> Result<LiveGroup, ObserveError> {
        let entries = self.list(path)?;
        let initiators = join(path, "initiators");
        let mut group = LiveGroup {
            attributes: self.attributes(path, &entries)?,
            luns: self.luns(&join(path, "luns"))?,
            initiators: BTreeSet::new(),
        };
        for entry in self.list(&initiators)?.iter().filter(|e| e.kind == Kind::Attr && e.name != "mgmt") {
            let name: InitiatorName = Self::name(&join(&initiators, &entry.name), &entry.name)?;
            group.initiators.insert(name);
        }
        Ok(group)
    }

    fn session(&self, path: &str) -> Result<LiveSession, ObserveError> {
        let mut entries = self.list(path)?;
        if !self.all {
            entries.retain(|e| e.name == "initiator_name" || e.kind == Kind::Link);
        }
        let attributes = self.attributes(path, &entries)?;
        let initiator =
            attributes.get("initiator_name").and_then(|a| a.value.as_ref()).map(|v| v.expose().to_owned());
        let mut session =
            LiveSession { initiator: initiator.unwrap_or_default(), attributes, ..LiveSession::default() };
        for entry in &entries {
            let path = join(path, &entry.name);
            match entry.kind {
                Kind::Link if entry.name == "luns" => {
                    let target = self.link(&path)?;
                    let group = target.split_once("ini_groups/").and_then(|(_, rest)| rest.split('/').next());
                    session.group = group.map(str::to_owned);
                }
                // `lun0` and the like, `latency`: what the session sees and did, no connections of it.
                Kind::Dir if is_lun(&entry.name) || entry.name == "latency" => {}
                Kind::Dir if self.list(&path)?.iter().any(|e| e.name == "cid") => {
                    session.connections.push(entry.name.clone());
                }
                _ => {}
            }
        }
        Ok(session)
    }

    fn device_group(&self, path: &str) -> Result<LiveDeviceGroup, ObserveError> {
        let entries = self.list(path)?;
        let mut group =
            LiveDeviceGroup { attributes: self.attributes(path, &entries)?, ..LiveDeviceGroup::default() };
        let devices = join(path, "devices");
        for entry in self.list(&devices)?.iter().filter(|e| e.kind == Kind::Link) {
            group.devices.insert(Self::name(&join(&devices, &entry.name), &entry.name)?);
        }
        group.target_groups = self.each(&join(path, "target_groups"), |path| self.target_group(path))?;
        Ok(group)
    }

    fn target_group(&self, path: &str) -> Result<LiveTargetGroup, ObserveError> {
        let entries = self.list(path)?;
        let mut group =
            LiveTargetGroup { attributes: self.attributes(path, &entries)?, ..LiveTargetGroup::default() };
        for entry in entries.iter().filter(|e| e.kind != Kind::Attr) {
            let path = join(path, &entry.name);
            let attributes = match entry.kind {
                Kind::Dir => self.attributes(&path, &self.list(&path)?)?,
                _ => LiveAttrs::new(),
            };
            group.targets.insert(Self::name(&path, &entry.name)?, attributes);
        }
        Ok(group)
    }
}
