//! What two CIBs want differently.
use super::model::{Cib, Pairs, Res};
use serde::Serialize;
use std::collections::BTreeMap;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What: `property stonith-enabled`, `resource r0 monitor 10s timeout`.
    pub what: String,
    /// In the first.
    pub from: Option<String>,
    /// In the second.
    pub to: Option<String>,
}

/// Every difference, by name. Ids of attributes and the status are no differences.
#[must_use]
pub fn diff_cib(from: &Cib, to: &Cib) -> Vec<Change> {
    let (a, b) = (flat(from), flat(to));
    let mut out = Vec::new();
    for (what, value) in &a {
        if b.get(what) != Some(value) {
            out.push(Change { what: what.clone(), from: Some(value.clone()), to: b.get(what).cloned() });
        }
    }
    for (what, value) in b.iter().filter(|(k, _)| !a.contains_key(*k)) {
        out.push(Change { what: what.clone(), from: None, to: Some(value.clone()) });
    }
    out.sort_by(|x, y| x.what.cmp(&y.what));
    out
}

fn flat(c: &Cib) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    // What Pacemaker sets itself differs on every cluster.
    let own = ["dc-version", "cluster-infrastructure", "have-watchdog", "last-lrm-refresh"];
    let list = |out: &mut BTreeMap<String, String>, prefix: &str, pairs: &Pairs| {
        out.extend(pairs.iter().map(|(k, v)| (format!("{prefix} {k}"), v.clone())));
    };
    let properties: Pairs = c
        .properties
        .iter()
        .filter(|(k, _)| !own.contains(&k.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    list(&mut out, "property", &properties);
    list(&mut out, "resource default", &c.rsc_defaults);
    list(&mut out, "operation default", &c.op_defaults);
    for (name, id) in &c.nodes {
        out.insert(format!("node {name}"), id.clone());
    }
    for (name, pairs) in &c.node_attributes {
        list(&mut out, &format!("node {name}"), pairs);
    }
    for r in &c.resources {
        resource(r, &mut out);
    }
    for x in &c.constraints {
        out.insert(format!("constraint {}", x.id()), format!("{x:?}"));
    }
    for x in &c.other {
        out.insert(format!("element {}", x.split('>').next().unwrap_or("")), x.clone());
    }
    out
}

fn resource(r: &Res, out: &mut BTreeMap<String, String>) {
    let list = |out: &mut BTreeMap<String, String>, prefix: String, pairs: &Pairs| {
        out.extend(pairs.iter().map(|(k, v)| (format!("{prefix} {k}"), v.clone())));
    };
    list(out, format!("resource {} meta", r.id()), r.meta());
    match r {
        Res::Clone { id, inner, .. } => {
            out.insert(format!("resource {id}"), format!("clone of {}", inner.id()));
            resource(inner, out);
        }
        Res::Group { id, members, .. } => {
            let names: Vec<&str> = members.iter().map(|m| m.id.as_str()).collect();
            out.insert(format!("resource {id}"), format!("group of {}", names.join(", ")));
            members.iter().for_each(|m| resource(&Res::Primitive(m.clone()), out));
        }
        Res::Primitive(p) => {
            out.insert(format!("resource {}", p.id), p.agent_name());
            list(out, format!("resource {} parameter", p.id), &p.params);
            for op in &p.ops {
                let role = op.more.get("role").map(|r| format!(" {r}")).unwrap_or_default();
                let key = format!("resource {} {} {}{role}", p.id, op.name, op.interval);
                out.insert(key.clone(), "yes".to_owned());
                list(out, key, &op.more);
            }
        }
    }
}
