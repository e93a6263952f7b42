//! Generations: configurations that were in force, in their order.
use super::record::Record;
use super::{CONF, HISTORY, MODE, Store, StoreError};
use crate::attributes::Value;
use crate::conf::Document;
use crate::live::Live;
use crate::model::Config;
use crate::name::{DeviceName, HandlerName};
use crate::path::ObjectPath;
use crate::plan::{Action, Plan};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many are kept.
const KEPT: usize = 50;

/// What is to be kept when an apply succeeds.
#[derive(Debug, Clone, Copy)]
pub struct Keep<'a> {
    /// The file that is in force then.
    pub document: &'a Document,
    /// The time of day, in seconds since 1970.
    pub time: u64,
    /// Who did it.
    pub by: &'a str,
    /// Until when it must be confirmed, in seconds since boot; `None` where it need not be.
    pub confirm_by: Option<u64>,
}

/// One generation. Its file holds CHAP secrets; `Debug` does not print them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// When it came into force, in seconds since 1970.
    pub time: u64,
    /// Who did it.
    pub by: String,
    /// Objects that it made.
    pub added: usize,
    /// Attributes and mappings that it changed.
    pub changed: usize,
    /// Objects that it took away.
    pub removed: usize,
    pub(super) text: String,
    /// SCST before it, with the values of all that it changed.
    pub(super) before: String,
    /// The objects that it touched.
    pub(super) paths: Vec<String>,
}

impl Generation {
    /// The file that was in force, CHAP secrets included.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation(@{} +{} ~{} -{})", self.number, self.added, self.changed, self.removed)
    }
}

fn file(number: u64) -> String {
    format!("{HISTORY}/{number:06}.json")
}

impl Store<'_> {
    /// The configuration in force; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn saved(&self) -> Result<Option<Document>, StoreError> {
        match self.files.read(CONF) {
            Ok(bytes) => Ok(Some(Document::parse(CONF, String::from_utf8_lossy(&bytes).into_owned()))),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let names = match self.files.list(HISTORY) {
            Ok(names) => names,
            Err(e) if e.is_not_found() => Vec::new(),
            Err(e) => return Err(e.into()),
        };
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|n| n.strip_suffix(".json")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// All generations that are kept, oldest first.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Broken`].
    pub fn history(&self) -> Result<Vec<Generation>, StoreError> {
        self.numbers()?.into_iter().map(|n| self.generation(n)).collect()
    }

    /// One generation.
    ///
    /// # Errors
    /// [`StoreError::NoGeneration`], [`StoreError::File`], [`StoreError::Broken`].
    pub fn generation(&self, number: u64) -> Result<Generation, StoreError> {
        self.read(&file(number))?.ok_or(StoreError::NoGeneration { number })
    }

    /// The generation that an apply makes; `None` where the file is in force already and nothing changes.
    pub(super) fn next(
        &self,
        live: &Live,
        planned: &Plan,
        keep: &Keep<'_>,
    ) -> Result<Option<Generation>, StoreError> {
        let saved = self.saved()?;
        if planned.is_empty() && saved.as_ref().is_some_and(|s| s.text() == keep.document.text()) {
            return Ok(None);
        }
        let mut number = self.numbers()?.last().copied().unwrap_or(0).saturating_add(1);
        let by = keep.by.to_owned();
        // A file that was there before the first generation is one itself: it can be gone back to.
        if let Some(found) = saved.filter(|s| number == 1 && !s.config().is_empty()) {
            self.write(&Generation {
                number,
                time: keep.time,
                by: format!("found by {by}"),
                added: 0,
                changed: 0,
                removed: 0,
                text: found.text().to_owned(),
                before: String::new(),
                paths: Vec::new(),
            })?;
            number = 2;
        }
        let (before, paths) = if planned.is_empty() {
            (String::new(), Vec::new())
        } else {
            (before(live, planned).to_own_conf(), paths(planned))
        };
        Ok(Some(Generation {
            number,
            time: keep.time,
            by,
            added: planned.count(Action::Add),
            changed: planned.count(Action::Change),
            removed: planned.count(Action::Remove),
            text: keep.document.text().to_owned(),
            before,
            paths,
        }))
    }

    /// Makes a file the configuration in force without a change of SCST: it is what SCST has.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Broken`].
    pub fn put(&self, keep: &Keep<'_>) -> Result<(), StoreError> {
        let generation = self.next(&Live::default(), &Plan::default(), keep)?;
        self.keep(&Record::new(&Plan::default(), false, generation))
    }

    fn write(&self, generation: &Generation) -> Result<(), StoreError> {
        self.files.make_dir(HISTORY)?;
        self.replace(&file(generation.number), generation)
    }

    /// Makes what an apply leaves the configuration in force. May be done again after it was cut off. A
    /// file that configures nothing never replaces one that does.
    pub(super) fn keep(&self, record: &Record) -> Result<(), StoreError> {
        let Some(generation) = &record.generation else { return Ok(()) };
        self.write(generation)?;
        let numbers = self.numbers()?;
        for number in numbers.iter().take(numbers.len().saturating_sub(KEPT)) {
            self.gone(&file(*number))?;
        }
        let empty = Document::parse(CONF, generation.text.as_str()).config().is_empty();
        if empty && self.saved()?.is_some_and(|s| !s.config().is_empty()) {
            return Ok(());
        }
        Ok(self.files.replace(CONF, generation.text.as_bytes(), MODE)?)
    }
}

/// What a plan touches.
fn paths(planned: &Plan) -> Vec<String> {
    let mut paths: Vec<String> = planned.operations.iter().map(|o| o.path.clone()).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// SCST before a plan: what a saved file would have, and every value that the plan changes, marked with
/// `[key]` or not.
fn before(live: &Live, planned: &Plan) -> Config {
    let mut config = live.to_config();
    for op in &planned.operations {
        let Ok(path) = op.path.parse::<ObjectPath>() else { continue };
        if let (Action::Remove, ObjectPath::Device(handler, device)) = (op.action, &path) {
            made_anew(&mut config, live, handler, device);
        }
        let Some(name) = &op.attribute else { continue };
        let Some(attributes) = live.attributes_of(&path) else { continue };
        // A target that is enabled without an id gets one.
        let also = (name == "enabled").then_some("rel_tgt_id");
        for name in [Some(name.as_str()), also].into_iter().flatten() {
            let value = attributes.get(name).filter(|a| a.writable).and_then(|a| a.value.as_ref());
            let Some(value) = value.map(Value::expose) else { continue };
            // Handlers and drivers without a saved attribute are not in the configuration yet.
            match &path {
                ObjectPath::Handler(h) => drop(config.handlers.entry(h.clone()).or_default()),
                ObjectPath::Driver(d) => drop(config.drivers.entry(d.clone()).or_default()),
                _ => {}
            }
            if let Some(set) = config.attributes_mut(&path)
                && set.get(name).is_none()
                // `size` says it in bytes.
                && !(name == "size_mb" && set.get("size").is_some())
            {
                set.set(name, value);
            }
        }
    }
    config
}

/// What a device does, and what it does not serve.
const PASSING: [&str; 7] =
    ["block", "numa_node_id", "pr_state", "pr_file_name", "size", "size_mb", "threads_pool_type"];

/// A device that a plan takes away may be made anew, in it or later: all that could differ then, its
/// serial number among it.
fn made_anew(config: &mut Config, live: &Live, handler: &HandlerName, device: &DeviceName) {
    let Some(now) = live.devices.get(device) else { return };
    let create = live.handlers.get(handler).map(|h| &h.create);
    let Some(saved) = config.handlers.get_mut(handler).and_then(|h| h.devices.get_mut(device)) else {
        return;
    };
    for (name, attr) in &now.attributes {
        let counts = attr.writable || create.is_some_and(|c| c.contains(name));
        let Some(value) = attr.value.as_ref().map(Value::expose).filter(|v| counts && !v.is_empty()) else {
            continue;
        };
        // Without a backing store the size is the device's own.
        let own = name == "size" && !now.attributes.contains_key("filename");
        if (own || !PASSING.contains(&name.as_str())) && saved.attributes.get(name).is_none() {
            saved.attributes.set(name, value);
        }
    }
}
