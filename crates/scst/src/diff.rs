//! How two configurations differ, object by object.
use crate::attributes::{Attributes, Value};
use crate::live::Live;
use crate::model::Config;
use crate::path::ObjectPath;
use crate::planner::same;
use esos_units::Lun;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub enum Side<'a> {
    /// A file or a generation: it wants what it names.
    File(&'a Config),
    /// A machine: it has a value for every attribute, named in a file or not.
    Live(&'a Live),
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Difference {
    /// The object.
    pub path: String,
    /// The attribute; `None` where the object itself is on one side only, or a LUN leads elsewhere.
    pub attribute: Option<String>,
    /// What the left side has; CHAP secrets as `***`.
    pub left: Option<String>,
    /// What the right side has.
    pub right: Option<String>,
}

type Objects<'c> = BTreeMap<String, (String, &'c Attributes)>;

/// All differences, by object. Where one side is a machine, only what the other side names is compared of
/// an object's attributes, and what SCST makes by itself does not count.
#[must_use]
pub fn diff(left: Side<'_>, right: Side<'_>) -> Vec<Difference> {
    let (a, b) = (left.config(), right.config());
    let none = Attributes::new();
    let (left_objects, right_objects) =
        (objects(&a, &none, left.is_live()), objects(&b, &none, right.is_live()));
    let mut found = Vec::new();
    let mut paths: Vec<&String> = left_objects.keys().chain(right_objects.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        let (l, r) = (left_objects.get(path), right_objects.get(path));
        let whole = |side: Option<&(String, &Attributes)>| side.map(|(what, _)| what.clone());
        match (l, r) {
            (Some((one, la)), Some((other, ra))) if one == other => {
                found.extend(attributes(path, (left, la), (right, ra)));
            }
            // What a file of attributes alone names is there anyhow.
            (None, Some((_, only))) | (Some((_, only)), None) if section(path) && only.is_empty() => {}
            _ => found.push(Difference {
                path: path.clone(),
                attribute: None,
                left: whole(l),
                right: whole(r),
            }),
        }
    }
    found
}

/// Whether it is a handler, a driver or SCST itself.
fn section(path: &str) -> bool {
    matches!(path.parse(), Ok(ObjectPath::Scst | ObjectPath::Handler(_) | ObjectPath::Driver(_)))
}

impl Side<'_> {
    fn config(&self) -> Config {
        match self {
            Self::File(config) => (*config).clone(),
            Self::Live(live) => live.to_config(),
        }
    }

    fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// What this side has for an attribute that it does not name.
    fn unnamed(&self, path: &str, name: &str) -> Option<Value> {
        let Self::Live(live) = self else { return None };
        let attributes = live.attributes_of(&path.parse().ok()?)?;
        attributes.get(name).and_then(|a| a.value.clone())
    }
}

fn attributes(path: &str, left: (Side<'_>, &Attributes), right: (Side<'_>, &Attributes)) -> Vec<Difference> {
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    // Of a machine, what the file does not name is as it may be.
    for (this, other) in [(left, right), (right, left)] {
        if !this.0.is_live() || other.0.is_live() {
            names.extend(this.1.iter().map(|(name, _)| (name, ())));
        }
    }
    let mut found = Vec::new();
    for name in names.into_keys() {
        let of = |(side, named): (Side<'_>, &Attributes)| match named.all(name) {
            [] => side.unnamed(path, name).into_iter().collect::<Vec<_>>(),
            values => values.to_vec(),
        };
        let (l, r) = (of(left), of(right));
        let equal = l.len() == r.len() && l.iter().zip(&r).all(|(l, r)| same(name, l.expose(), r.expose()));
        if !equal {
            let shown = |values: &[Value]| {
                let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
                (!texts.is_empty()).then(|| texts.join(", "))
            };
            found.push(Difference {
                path: path.to_owned(),
                attribute: Some(name.to_owned()),
                left: shown(&l),
                right: shown(&r),
            });
        }
    }
    found
}

fn objects<'c>(config: &'c Config, none: &'c Attributes, live: bool) -> Objects<'c> {
    let mut all: Objects<'c> = BTreeMap::new();
    let mut add = |path: String, what: &str, attributes: &'c Attributes| {
        if let Entry::Vacant(entry) = all.entry(path) {
            entry.insert((what.to_owned(), attributes));
        }
    };
    add("scst".to_owned(), "attributes", &config.attributes);
    for (name, handler) in &config.handlers {
        add(format!("dev/{name}"), "handler", &handler.attributes);
        for (device, d) in &handler.devices {
            add(format!("dev/{name}/{device}"), "device", &d.attributes);
        }
    }
    // SCST makes copy_manager's target and its LUNs itself.
    for (driver, d) in config.drivers.iter().filter(|(n, _)| n.as_str() != "copy_manager") {
        add(driver.to_string(), "target driver", &d.attributes);
        for (name, t) in &d.targets {
            // A port of a card is there without being named.
            if !(live && t.hardware && t.luns.is_empty() && t.groups.is_empty()) {
                add(format!("{driver}/{name}"), "target", &t.attributes);
            }
            for (lun, map) in &t.luns {
                add(
                    lun_path(&format!("{driver}/{name}"), *lun),
                    &format!("-> {}", map.device),
                    &map.attributes,
                );
            }
            for (group, g) in &t.groups {
                let at = format!("{driver}/{name}/group/{group}");
                add(at.clone(), "group", &g.attributes);
                for (lun, map) in &g.luns {
                    add(lun_path(&at, *lun), &format!("-> {}", map.device), &map.attributes);
                }
                for initiator in &g.initiators {
                    add(format!("{at}/ini/{initiator}"), "initiator", none);
                }
            }
        }
    }
    for (group, g) in &config.device_groups {
        add(format!("dgrp/{group}"), "device group", &g.attributes);
        for device in &g.devices {
            add(format!("dgrp/{group}/dev/{device}"), "device", none);
        }
        for (tg, t) in &g.target_groups {
            add(format!("dgrp/{group}/tgrp/{tg}"), "target group", &t.attributes);
            for (target, attributes) in &t.targets {
                add(format!("dgrp/{group}/tgrp/{tg}/tgt/{target}"), "target", attributes);
            }
        }
    }
    all
}

fn lun_path(at: &str, lun: Lun) -> String {
    format!("{at}/lun/{lun}")
}
