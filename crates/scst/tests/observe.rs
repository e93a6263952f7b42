//! Every recorded tree is observed, and what SCST marks as `[key]` is in the saved configuration.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "test helpers")]
use esos_scst::{Document, observe, observe_configuration};
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry, Kind};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A recorded tree, read only.
struct Recorded(BTreeMap<String, Value>);

impl Recorded {
    fn load(name: &str) -> Self {
        let text = esos_fixtures::text(&format!("scst/{name}")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        Self(json["tree"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

impl AttrTree for Recorded {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        let error = |errno| AttrError::new(path, AttrOp::Read, errno);
        match self.0.get(path).and_then(|n| n.get(2)) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(error(22)),
            None => Err(error(2)),
        }
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        Err(AttrError::new(path, AttrOp::Write(value.to_owned()), 13))
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut entries = Vec::new();
        for (full, node) in self.0.range(prefix.clone()..) {
            let Some(name) = full.strip_prefix(&prefix) else { break };
            if name.is_empty() || name.contains('/') {
                continue;
            }
            let kind = match node[0].as_str().unwrap() {
                "d" => Kind::Dir,
                "l" => Kind::Link,
                _ => Kind::Attr,
            };
            entries.push(Entry { name: name.to_owned(), kind });
        }
        Ok(entries)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        match self.0.get(path) {
            Some(node) if node[0] == "l" => Ok(node[1].as_str().unwrap().to_owned()),
            _ => Err(AttrError::new(path, AttrOp::ReadLink, 2)),
        }
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        Ok(self.0.get(path).and_then(|n| n[1].as_str()).and_then(|m| u32::from_str_radix(m, 8).ok()))
    }
}

fn states() -> Vec<String> {
    let names = std::fs::read_dir(esos_fixtures::path("scst")).unwrap();
    let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|n| n.starts_with("state-"));
    names.sort();
    assert!(names.len() >= 20, "{names:?}");
    names
}

#[test]
fn every_key_attribute_of_every_recorded_tree_is_saved() {
    let mut keys = 0;
    for name in states() {
        let tree = Recorded::load(&name);
        let live =
            observe(&tree).unwrap_or_else(|e| panic!("{name}: {e}: {:?}", std::error::Error::source(&e)));
        let saved = live.to_config().to_conf().unwrap_or_else(|e| panic!("{name}: {e}"));
        for (path, node) in &tree.0 {
            let Some(text) = node.get(2).and_then(Value::as_str) else { continue };
            // Sessions are what initiators do, not configuration.
            if !text.contains("\n[key]\n") || path.contains("/sessions/") {
                continue;
            }
            keys += 1;
            let attr = path.rsplit('/').next().unwrap().trim_end_matches(|c: char| c.is_ascii_digit());
            let value = text.split("\n[key]").next().unwrap();
            let word = esos_scst::conf::quote(value).unwrap();
            assert!(
                saved.contains(&format!("{attr} {word}\n")),
                "{name}: {path} = {value} is not in:\n{saved}"
            );
        }
        let again = Document::parse(&name, saved.clone());
        assert_eq!(again.config(), &live.to_config(), "{name}: what is saved is read back\n{saved}");
    }
    assert!(keys > 150, "only {keys}");
}

#[test]
fn sessions_know_their_group() {
    let live = observe(&Recorded::load("state-17-sessions-two.json")).unwrap();
    let iscsi = live.drivers.iter().find(|(n, _)| n.as_str() == "iscsi").unwrap().1;
    let sessions: Vec<_> = iscsi.targets.values().flat_map(|t| t.sessions.values()).collect();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().any(|s| s.group.as_deref() == Some("g1") && s.connections == ["127.0.0.1"]));
    let nullio = live.handlers.iter().find(|(n, _)| n.as_str() == "vdisk_nullio").unwrap().1;
    assert!(nullio.create.contains("size_mb") && !nullio.create.contains("filename"));
    assert!(iscsi.target_attributes.contains("IncomingUser"), "{:?}", iscsi.target_attributes);
}

/// Remembers what was read.
struct Asked<'a>(&'a Recorded, RefCell<Vec<String>>);

impl AttrTree for Asked<'_> {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        self.1.borrow_mut().push(path.to_owned());
        self.0.read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        self.0.write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        self.0.list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        self.0.read_link(path)
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        self.0.mode(path)
    }
}

#[test]
fn a_configuration_is_observed_without_counters_and_commands_in_flight() {
    let mut sessions = 0;
    for name in states() {
        let recorded = Recorded::load(&name);
        let (Ok(all), asked) = (observe(&recorded), Asked(&recorded, RefCell::default())) else { continue };
        let some = observe_configuration(&asked).unwrap();
        assert_eq!((some.to_config(), some.fingerprint()), (all.to_config(), all.fingerprint()), "{name}");
        assert_eq!(some.attributes.len(), all.attributes.len(), "{name}: attributes are there, read or not");
        for (device, live) in &all.devices {
            let found = &some.devices[device];
            assert_eq!(
                (&found.attributes, &found.handler),
                (&live.attributes, &live.handler),
                "{name}: {device}"
            );
        }
        let luns = |live: &esos_scst::Live| {
            let targets = live.drivers.values().flat_map(|d| d.targets.values());
            targets
                .flat_map(|t| [&t.luns].into_iter().chain(t.groups.values().map(|g| &g.luns)))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(luns(&some), luns(&all), "{name}");
        let who = |live: &esos_scst::Live| {
            let targets = live.drivers.values().flat_map(|d| d.targets.values());
            let of = targets.flat_map(|t| &t.sessions);
            of.map(|(n, s)| (n.clone(), s.initiator.clone(), s.group.clone())).collect::<Vec<_>>()
        };
        assert_eq!(who(&some), who(&all), "{name}");
        sessions += who(&all).len();
        for path in asked.1.into_inner() {
            let counts = path.contains("/sessions/") && !path.ends_with("/initiator_name");
            assert!(
                !counts && !path.starts_with("trace_") || path == "trace_level",
                "{name}: {path} was read"
            );
        }
    }
    assert!(sessions > 20, "only {sessions}");
}

#[test]
fn a_plan_of_nothing_needs_no_base() {
    let live = observe(&Recorded::load("state-50-after-full-config.json")).unwrap();
    let (same, policy) = (live.to_config(), esos_scst::Policy::default());
    let nothing = esos_scst::plan_now(&live, &same, &policy);
    assert!(nothing.is_empty() && nothing.base.is_empty(), "{nothing}");
    let empty = esos_scst::Config::default();
    let prune = esos_scst::Policy { prune: true, ..policy };
    let all = esos_scst::plan_now(&live, &empty, &prune);
    assert!(!all.is_empty());
    assert_eq!(
        (all.base.as_str(), &all),
        (live.fingerprint().as_str(), &esos_scst::plan(&live, &empty, &prune))
    );
}
