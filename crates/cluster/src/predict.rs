//! Where Pacemaker will run things after an event, for the configurations that `init` makes.
use crate::cib::{Cib, Constraint, Res};
use crate::model::Cluster;
use crate::words::Role;
use std::collections::{BTreeMap, BTreeSet};

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Happening {
    /// A node is lost (and fenced).
    NodeDown(String),
    /// A node is put on standby.
    Standby(String),
    /// A running resource fails its monitor on a node.
    Fails {
        /// The primitive.
        resource: String,
        /// Where.
        node: String,
    },
    /// The others are gone and this partition has no quorum.
    QuorumLost,
}

/// Primitive and node, with the role there.
pub type Placement = BTreeMap<(String, String), Role>;

/// Where everything is in a state.
#[must_use]
pub fn placement(c: &Cluster) -> Placement {
    let mut out = Placement::new();
    for r in c.resources.iter().flat_map(|r| r.primitives()) {
        let alive = |n: &&String| c.node(n).is_some_and(|n| n.online);
        for node in r.nodes.iter().filter(alive).filter(|_| r.active) {
            let id = r.id.split(':').next().unwrap_or(&r.id).to_owned();
            out.insert((id, node.clone()), r.role.clone());
        }
    }
    out
}

/// Where everything will be. Takes: fencing works; a failed resource recovers where it was (no
/// `migration-threshold` is reached); promotion goes to the best score, the present node wins a tie.
#[must_use]
pub fn predict(cib: &Cib, now: &Cluster, what: &Happening) -> Placement {
    let before = placement(now);
    let able: BTreeSet<String> = now.nodes.iter().filter(|n| n.can_run()).map(|n| n.name.clone()).collect();
    let policy = cib.properties.get("no-quorum-policy").map_or("stop", String::as_str);
    let able: BTreeSet<String> = match what {
        Happening::QuorumLost if policy == "stop" => return Placement::new(),
        Happening::QuorumLost | Happening::Fails { .. } => able,
        Happening::NodeDown(n) | Happening::Standby(n) => able.into_iter().filter(|x| x != n).collect(),
    };
    if matches!(what, Happening::QuorumLost | Happening::Fails { .. }) {
        return before;
    }
    let mut out = Placement::new();
    let mut promoted: BTreeMap<String, Option<String>> = BTreeMap::new();
    // Clones first: the others follow their promoted side.
    for r in cib.resources.iter().filter(|r| matches!(r, Res::Clone { .. })) {
        let ids: Vec<String> = r.primitives().iter().map(|p| p.id.clone()).collect();
        let role = if r.is_promotable() { Role::Unpromoted } else { Role::Started };
        for id in &ids {
            out.extend(able.iter().map(|n| ((id.clone(), n.clone()), role.clone())));
        }
        if r.is_promotable() {
            let best = best(cib, now, r, &able, &before, &promoted);
            for (id, node) in
                ids.iter().zip(std::iter::repeat(&best)).filter_map(|(i, n)| Some((i, n.clone()?)))
            {
                out.insert((id.clone(), node), Role::Promoted);
            }
            promoted.insert(r.id().to_owned(), best);
        }
    }
    for r in cib.resources.iter().filter(|r| !matches!(r, Res::Clone { .. })) {
        let led = cib.constraints.iter().find_map(|c| match c {
            Constraint::Colocation { rsc, with, with_role, score, .. }
                if *rsc == r.id() && score == "INFINITY" && with_role.as_deref() == Some("Promoted") =>
            {
                Some(with.as_str())
            }
            _ => None,
        });
        let first = r.primitives().first().map(|p| p.id.clone()).unwrap_or_default();
        let current = before.keys().find(|(id, n)| *id == first && able.contains(n)).map(|(_, n)| n.clone());
        let node = match led {
            Some(leader) => promoted.get(leader).cloned().flatten(),
            None => current.or_else(|| least_loaded(cib, r, &able, &out)),
        };
        for (p, node) in r.primitives().iter().filter_map(|p| Some((p, node.clone()?))) {
            out.insert((p.id.clone(), node), Role::Started);
        }
    }
    out
}

/// The node that a promotable clone is promoted on.
fn best(
    cib: &Cib,
    now: &Cluster,
    r: &Res,
    able: &BTreeSet<String>,
    before: &Placement,
    promoted: &BTreeMap<String, Option<String>>,
) -> Option<String> {
    let follows = cib.constraints.iter().find_map(|c| match c {
        Constraint::Colocation { rsc, rsc_role, with, with_role, score, .. }
            if *rsc == r.id()
                && rsc_role.as_deref() == Some("Promoted")
                && with_role.as_deref() == Some("Promoted")
                && score == "INFINITY" =>
        {
            promoted.get(with)
        }
        _ => None,
    });
    if let Some(leader) = follows {
        return leader.clone();
    }
    let id = r.primitives().first().map(|p| p.id.clone())?;
    let score = |n: &String| -> Option<i64> {
        let attributes = now.attributes.get(n)?;
        let value = attributes.get(&format!("master-{id}"))?;
        if value == "INFINITY" { Some(1_000_000) } else { value.parse().ok() }
    };
    let was = |n: &String| before.get(&(id.clone(), n.clone())) == Some(&Role::Promoted);
    let list = able
        .iter()
        .filter_map(|n| Some((score(n).filter(|s| *s > 0)?, was(n), std::cmp::Reverse(n.clone()))));
    list.max().map(|(.., n)| n.0)
}

/// Pacemaker spreads what is free over the nodes with the fewest resources.
fn least_loaded(cib: &Cib, r: &Res, able: &BTreeSet<String>, out: &Placement) -> Option<String> {
    let liked = |n: &String| {
        let of = |c: &Constraint| match c {
            Constraint::Location { rsc, node, score, .. } if *rsc == r.id() && node == n => score
                .trim_start_matches('-')
                .parse::<i64>()
                .ok()
                .map(|s| if score.starts_with('-') { -s } else { s })
                .or(Some(if score.starts_with('-') { -1_000_000 } else { 1_000_000 })),
            _ => None,
        };
        cib.constraints.iter().filter_map(of).sum::<i64>()
    };
    let load = |n: &String| out.keys().filter(|(_, x)| x == n).count();
    let fits = able.iter().filter(|n| liked(n) > -1_000_000);
    fits.min_by_key(|n| (std::cmp::Reverse(liked(n)), load(n), (*n).clone())).cloned()
}
