//! Attributes of one object, and the bits that objects of one kind have in common.
use super::{ObserveError, Scan, join};
use crate::attr::Attr;
use crate::attributes::Value;
use crate::live::{LiveAttr, LiveAttrs};
use esos_sysfs::{AttrError, Entry, Kind};
use std::collections::BTreeMap;

/// Attributes by name: whether they can be written, and whether they can be read.
pub(super) type Bits = BTreeMap<String, (bool, bool)>;

/// What is going on, in attributes of SCST itself that can only be read (scst_sysfs.c).
const IN_FLIGHT: [&str; 3] = ["last_sysfs_mgmt_res", "trace_cmds", "trace_mcmds"];

impl Scan<'_> {
    pub(super) fn attributes(&self, path: &str, entries: &[Entry]) -> Result<LiveAttrs, ObserveError> {
        self.look(path, entries).map(|(attributes, _)| attributes)
    }

    /// The attributes of an object, and their bits.
    fn look(&self, path: &str, entries: &[Entry]) -> Result<(LiveAttrs, Bits), ObserveError> {
        let passed = |name: &&str| !self.all && path.is_empty() && IN_FLIGHT.contains(name);
        let (passed, names): (Vec<&str>, Vec<&str>) = names(entries).partition(passed);
        let looks = self.tree.look_in(path, &names).map_err(|source| ObserveError::Tree { source })?;
        let unread = |name: &str| (name.to_owned(), LiveAttr { value: None, key: false, writable: false });
        let mut attributes: LiveAttrs = passed.into_iter().map(unread).collect();
        let mut bits = Bits::new();
        for (name, look) in names.into_iter().zip(looks) {
            let writable = look.mode.is_none_or(|m| m & 0o222 != 0);
            bits.insert(name.to_owned(), (writable, look.value.is_some()));
            attributes.insert(name.to_owned(), self.attribute(path, name, look.value, writable));
        }
        Ok((attributes, bits))
    }

    fn attribute(
        &self,
        path: &str,
        name: &str,
        value: Option<Result<String, AttrError>>,
        writable: bool,
    ) -> LiveAttr {
        let text = match value {
            Some(Err(e)) if e.is_again() => self.read(&join(path, name)).ok(),
            other => other.and_then(Result::ok),
        };
        let attr = text.map(|text| Attr::parse(&text));
        let key = attr.as_ref().is_some_and(|a| a.key);
        LiveAttr { key, value: attr.map(|a| Value::of(name, a.value)), writable }
    }

    /// The attributes of an object that is like others.
    pub(super) fn alike(&self, path: &str, entries: &[Entry], kind: &str) -> Result<LiveAttrs, ObserveError> {
        if !self.all {
            let kinds = self.kinds.borrow();
            let bits = kinds.get(kind);
            if let Some(bits) = bits.filter(|bits| names(entries).all(|name| bits.contains_key(name))) {
                return Ok(self.values(path, names(entries).filter_map(|n| bits.get_key_value(n))));
            }
        }
        let (attributes, bits) = self.look(path, entries)?;
        self.kinds.borrow_mut().entry(kind.to_owned()).or_default().extend(bits);
        Ok(attributes)
    }

    /// The values of attributes whose bits are known; what is not there is left out.
    pub(super) fn values<'b>(
        &self,
        path: &str,
        bits: impl Iterator<Item = (&'b String, &'b (bool, bool))>,
    ) -> LiveAttrs {
        let (readable, other): (Vec<_>, Vec<_>) = bits.partition(|(_, (_, readable))| *readable);
        let names: Vec<&str> = readable.iter().map(|(name, _)| name.as_str()).collect();
        let mut attributes = LiveAttrs::new();
        for ((name, (writable, _)), value) in readable.into_iter().zip(self.tree.read_in(path, &names)) {
            if !value.as_ref().is_err_and(AttrError::is_not_found) {
                attributes.insert(name.clone(), self.attribute(path, name, Some(value), *writable));
            }
        }
        for (name, (writable, _)) in other {
            attributes.insert(name.clone(), self.attribute(path, name, None, *writable));
        }
        attributes
    }
}

/// The attributes among the entries of a directory.
fn names(entries: &[Entry]) -> impl Iterator<Item = &str> {
    entries.iter().filter(|e| e.kind == Kind::Attr && e.name != "mgmt").map(|e| e.name.as_str())
}
