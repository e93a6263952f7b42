//! Why a resource is (not) running or promoted: one sentence, since when, and what to do.
mod fine;
mod whole;

use crate::model::{Ban, Cluster, Failure, Kind, Node, Resource};
use crate::words::Role;
use serde::Serialize;

/// The answer. [`Explanation::sentence`] is all of it in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked for.
    pub resource: String,
    /// Where and how it is: `promoted on n2`, `stopped`.
    pub state: String,
    /// Why.
    pub why: String,
    /// Since when, as Pacemaker printed it.
    pub since: Option<String>,
    /// What to do.
    pub advice: String,
    /// Whether all is as it should be.
    pub well: bool,
}

impl Explanation {
    /// State, reason, time and advice in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let since = self.since.as_ref().map(|s| format!(" (since {s})")).unwrap_or_default();
        format!("{} is {}{since}: {}; {}", self.resource, self.state, self.why, self.advice)
    }
}

/// There is no such resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no resource {id}")]
#[non_exhaustive]
pub struct NoResource {
    /// What was asked for.
    pub id: String,
    /// What there is.
    pub known: Vec<String>,
}

/// Explains a resource; with `node`, why it is (not) there.
///
/// # Errors
/// There is no such resource, though the cluster has formed.
pub fn explain(c: &Cluster, id: &str, node: Option<&str>) -> Result<Explanation, NoResource> {
    let found = c.resource(id);
    if c.dc.is_none() {
        // Without a node that decides nothing is known, not even what there is.
        let why = "the cluster has no node that decides (DC) yet: it is forming, or this node sees nobody"
            .to_owned();
        let advice = "wait half a minute, then look whether Corosync's links are up (`corosync-cfgtool -s`)"
            .to_owned();
        return Ok(Explanation {
            resource: id.to_owned(),
            state: "not decided".to_owned(),
            why,
            since: None,
            advice,
            well: false,
        });
    }
    let Some(r) = found else {
        let known = c.resources.iter().flat_map(Resource::all).map(|r| r.id.clone()).collect();
        return Err(NoResource { id: id.to_owned(), known });
    };
    Ok(Case { c, r, id, node }.decide())
}

struct Case<'c> {
    c: &'c Cluster,
    r: &'c Resource,
    id: &'c str,
    node: Option<&'c str>,
}

const NOTHING: &str = "nothing is to be done";

impl<'c> Case<'c> {
    fn decide(&self) -> Explanation {
        let steps: [&dyn Fn() -> Option<Explanation>; 15] = [
            &|| self.unclean(),
            &|| self.quorum(),
            &|| self.maintenance(),
            &|| self.blocked(),
            &|| self.disabled(),
            &|| self.pending(),
            &|| self.failed(),
            &|| self.banned(),
            &|| self.away(),
            &|| self.failing(),
            &|| self.partial(),
            &|| self.no_score(),
            &|| self.orphaned(),
            &|| self.fine(),
            &|| self.no_stonith(),
        ];
        steps.iter().find_map(|step| step()).unwrap_or_else(|| self.unsaid())
    }

    fn answer(
        &self,
        why: String,
        since: Option<String>,
        advice: impl Into<String>,
        well: bool,
    ) -> Explanation {
        Explanation {
            resource: self.id.to_owned(),
            state: self.state(),
            why,
            since,
            advice: advice.into(),
            well,
        }
    }

    fn primitives(&self) -> Vec<&'c Resource> {
        self.r.primitives()
    }

    /// The instances of a clone, wherever the id points into it.
    fn instances(&self) -> Vec<&'c Resource> {
        match self.c.top(self.id).filter(|t| matches!(t.kind, Kind::Clone | Kind::Promotable)) {
            Some(top) if top.id == self.id => top.primitives(),
            Some(top) => top
                .primitives()
                .into_iter()
                .filter(|p| p.id == self.r.id || base(&p.id) == base(&self.r.id))
                .collect(),
            None => self.primitives(),
        }
    }

    fn promotable(&self) -> bool {
        self.c.top(self.id).is_some_and(|t| t.all().iter().any(|r| r.kind == Kind::Promotable))
    }

    /// Where it is, in words.
    fn state(&self) -> String {
        let list = self.instances();
        let at = |role: &Role| -> Vec<String> {
            let mut nodes: Vec<String> =
                list.iter().filter(|r| r.active && r.role == *role).flat_map(|r| r.nodes.clone()).collect();
            nodes.sort();
            nodes.dedup();
            let node = |n: &String| self.c.node(n);
            // Of a bundle its hosts are told, not the containers that are nodes themselves.
            let bundle = self.r.kind == Kind::Bundle;
            nodes.retain(|n| !bundle || !node(n).is_some_and(Node::is_guest));
            // A role on a node that was lost is what was last heard of it.
            let lost = |n: &&Node| n.unclean || !n.online || n.pending;
            nodes
                .iter()
                .map(|n| node(n).filter(lost).map_or(n.clone(), |l| format!("{n} ({})", l.state())))
                .collect()
        };
        if let Some(node) = self.node {
            let here = list.iter().find(|r| r.active && r.nodes.iter().any(|n| n == node));
            return here.map_or(format!("not running on {node}"), |r| format!("{} on {node}", word(&r.role)));
        }
        let mut parts: Vec<String> = Vec::new();
        for role in [
            Role::Promoted,
            Role::Started,
            Role::Unpromoted,
            Role::Starting,
            Role::Stopping,
            Role::Promoting,
            Role::Demoting,
            Role::Migrating,
        ] {
            let nodes = at(&role);
            if !nodes.is_empty() {
                parts.push(format!("{} on {}", word(&role), nodes.join(" and ")));
            }
        }
        let others = list.iter().filter(|r| r.active && !r.role.is_known());
        parts.extend(others.map(|r| format!("{} on {}", r.role, r.nodes.join(" and "))));
        if parts.is_empty() {
            return "stopped".to_owned();
        }
        if self.promotable() && at(&Role::Promoted).is_empty() {
            parts.insert(0, "promoted nowhere".to_owned());
        }
        if self.r.kind == Kind::Group && list.iter().any(|r| !r.active) {
            let stopped: Vec<&str> = list.iter().filter(|r| !r.active).map(|r| r.id.as_str()).collect();
            parts.push(format!("without {}", stopped.join(" and ")));
        }
        parts.join(", ")
    }

    /// A stop that failed, and nobody to fence.
    fn blocked(&self) -> Option<Explanation> {
        let r = self.instances().into_iter().find(|r| r.blocked)?;
        let failure = self
            .failure_of(&r.id, |f| f.task == "stop" || f.task == "demote")
            .or_else(|| self.failure_of(&r.id, |_| true));
        let node = r.nodes.first().cloned().unwrap_or_default();
        let what = failure.map_or("an operation failed".to_owned(), |f| {
            format!("{} of {} failed on {}{}", f.task, r.id, f.node, reason(f))
        });
        let fence = if self.c.fencing_on() { "" } else { ", and without fencing nothing else may be done" };
        let advice = format!("stop it on {node} by hand, then `crm resource cleanup {}`", r.id);
        Some(self.answer(
            format!("{what}{fence}, so Pacemaker waits for an operator"),
            failure.and_then(|f| f.time.clone()),
            advice,
            false,
        ))
    }

    fn disabled(&self) -> Option<Explanation> {
        if self.c.option("stop-all-resources", false) {
            return Some(self.answer(
                "an operator switched everything off (stop-all-resources=true)".to_owned(),
                self.stopped_since().or_else(|| self.c.last_change.clone()),
                "end it with `crm configure property stop-all-resources=false`",
                false,
            ));
        }
        let top = self.c.top(self.id);
        let stopped = |r: &&Resource| r.disabled || r.target_role == Some(Role::Stopped);
        let mine = self.instances();
        let off = mine
            .iter()
            .copied()
            .find(|r| r.target_role == Some(Role::Stopped))
            .or_else(|| top.filter(stopped))
            .or(Some(self.r).filter(stopped))?;
        if mine.iter().any(|r| r.active) && !mine.iter().all(|r| !r.active || stopped(r)) {
            return None;
        }
        let advice = format!("start it with `crm resource start {}`", off.id);
        Some(self.answer(
            format!("an operator switched {} off (target-role=Stopped)", off.id),
            self.stopped_since().or_else(|| self.c.last_change.clone()),
            advice,
            false,
        ))
    }

    fn pending(&self) -> Option<Explanation> {
        let r = self.instances().into_iter().find(|r| r.busy())?;
        let what = r.pending.clone().unwrap_or_else(|| r.role.as_str().to_owned());
        let node = r.nodes.first().map(|n| format!(" on {n}")).unwrap_or_default();
        Some(self.answer(
            format!("an operation of {} is running{node} ({what})", r.id),
            self.c.time.clone(),
            "wait for it; Pacemaker stops waiting after the operation's time-out",
            false,
        ))
    }

    /// It is nowhere, and failed.
    fn failed(&self) -> Option<Explanation> {
        let list = self.instances();
        let wanted_here =
            self.node.is_some_and(|n| !list.iter().any(|r| r.active && r.nodes.iter().any(|x| x == n)));
        if list.iter().any(|r| r.active) && !wanted_here {
            return None;
        }
        let ids: Vec<&str> = list.iter().map(|r| base(&r.id)).collect();
        let mine = |f: &&Failure| ids.contains(&base(&f.resource)) && self.node.is_none_or(|n| f.node == n);
        let f = self.c.failures.iter().rfind(mine)?;
        let elsewhere = self
            .c
            .failures
            .iter()
            .filter(|x| base(&x.resource) == base(&f.resource) && x.exit_code == f.exit_code);
        let mut nodes: Vec<&str> = elsewhere.map(|f| f.node.as_str()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let often = self.c.history.iter().find(|o| {
            let most = o.migration_threshold.filter(|m| *m > 0);
            o.node == f.node
                && base(&o.resource) == base(&f.resource)
                && o.fail_count.zip(most).is_some_and(|(n, m)| n >= m)
        });
        let often = match often.and_then(|o| o.fail_count) {
            Some(n) if n < 1_000_000 => format!(", {n} times, and may not go back there"),
            Some(_) => ", and may not go back there".to_owned(),
            None => String::new(),
        };
        let advice = match f.exit_code {
            Some(5) => {
                format!("install what {} needs there, then `crm resource cleanup {}`", f.resource, f.resource)
            }
            Some(6) => {
                format!("mend the parameters of {}, then `crm resource cleanup {}`", f.resource, f.resource)
            }
            _ => format!("mend the cause, then `crm resource cleanup {}`", f.resource),
        };
        Some(self.answer(
            format!("{} of {} failed on {}{}{often}", f.task, f.resource, nodes.join(" and "), reason(f)),
            f.time.clone(),
            advice,
            false,
        ))
    }

    /// A constraint keeps it, or its promotion, away.
    fn banned(&self) -> Option<Explanation> {
        let list = self.instances();
        let ids: Vec<&str> = list
            .iter()
            .map(|r| base(&r.id))
            .chain(std::iter::once(self.id))
            .chain(self.c.top(self.id).map(|t| t.id.as_str()))
            .collect();
        let mut bans: Vec<&Ban> = self
            .c
            .bans
            .iter()
            .filter(|b| ids.contains(&base(&b.resource)) && b.weight.starts_with('-'))
            .collect();
        if let Some(node) = self.node {
            bans.retain(|b| b.node == node);
        }
        let first = *bans.first()?;
        let promoted = list.iter().any(|r| r.role == Role::Promoted);
        let running = list.iter().any(|r| r.active);
        let matters = if first.promoted_only {
            !promoted || self.node.is_some()
        } else {
            !running || self.node.is_some()
        };
        let drbd = bans.iter().find(|b| b.is_drbd());
        if !matters && drbd.is_none() {
            return None;
        }
        let b = drbd.copied().unwrap_or(first);
        let mut nodes: Vec<&str> = bans.iter().filter(|x| x.id == b.id).map(|b| b.node.as_str()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let (what, on) = (if b.promoted_only { "its promotion" } else { "it" }, nodes.join(" and "));
        let since = self.newest(&["promote", "start", "demote"]).or_else(|| self.c.last_change.clone());
        Some(if b.is_drbd() {
            let advice = "bring the peer back and let the resync end: the handler takes the constraint away; remove it by hand only when the data here is known to be the newest";
            self.answer(
                format!(
                    "DRBD's fence constraint {} keeps {what} off {on}, because the data there may be old",
                    b.id
                ),
                since,
                advice,
                false,
            )
        } else if b.is_manual() {
            self.answer(
                format!("the constraint {} of an earlier move or ban keeps {what} off {on}", b.id),
                since,
                format!("take it away with `crm resource clear {}`", b.resource),
                false,
            )
        } else {
            self.answer(
                format!("the constraint {} keeps {what} off {on}", b.id),
                since,
                "nothing is to be done where that is meant; else change the constraint",
                matters.eq(&false),
            )
        })
    }

    /// Every node that could run it is away, or the one that was asked about.
    fn away(&self) -> Option<Explanation> {
        if let Some(name) = self.node {
            let Some(n) = self.c.node(name) else {
                return Some(self.answer(
                    format!("{name} is no node of this cluster"),
                    None,
                    "look at the node's name",
                    false,
                ));
            };
            if !n.can_run() {
                return Some(self.answer(
                    format!("{name} is {}", n.phrase()),
                    self.c.time.clone(),
                    back(n),
                    false,
                ));
            }
        }
        if self.instances().iter().any(|r| r.active) || self.c.nodes.iter().any(Node::can_run) {
            return None;
        }
        let states: Vec<String> =
            self.c.nodes.iter().map(|n| format!("{} is {}", n.name, n.phrase())).collect();
        let why = if states.is_empty() { "no node is known".to_owned() } else { states.join(" and ") };
        Some(self.answer(
            format!("no node can run it: {why}"),
            self.c.time.clone(),
            "bring a node back (`crm node online NODE`)",
            false,
        ))
    }

    fn no_score(&self) -> Option<Explanation> {
        let list = self.instances();
        if !self.promotable()
            || list.iter().any(|r| r.role == Role::Promoted)
            || !list.iter().any(|r| r.active)
        {
            return None;
        }
        let scores = self.scores(&list);
        let good: Vec<&(String, i64)> = scores.iter().filter(|(_, s)| *s > 0).collect();
        let since = self.newest(&["demote", "start", "monitor"]);
        if good.is_empty() {
            let advice = "look at the agent on the nodes: DRBD gives a score only to UpToDate data, the SCST agent only to a box that could serve";
            return Some(self.answer(
                "no node has a promotion score: the agent says that none of them could serve".to_owned(),
                since,
                advice,
                false,
            ));
        }
        let nodes: Vec<String> = good.iter().map(|(n, s)| format!("{n} ({s})")).collect();
        Some(self.answer(format!("{} could be promoted, and is not: it waits for another resource, or the promotion is about to come", nodes.join(" and ")), since, format!("look at `crm_resource --why --resource {}`", self.id), false))
    }

    fn scores(&self, list: &[&Resource]) -> Vec<(String, i64)> {
        let mut out = Vec::new();
        for (node, attributes) in &self.c.attributes {
            for r in list {
                let value = ["master-", "promotion-"]
                    .iter()
                    .find_map(|p| attributes.get(&format!("{p}{}", base(&r.id))));
                let score =
                    value.and_then(|v| if v == "INFINITY" { Some(1_000_000) } else { v.parse().ok() });
                out.extend(score.map(|s| (node.clone(), s)));
            }
        }
        out.sort();
        out.dedup();
        out
    }
}

fn base(id: &str) -> &str {
    id.split(':').next().unwrap_or(id)
}

fn word(role: &Role) -> String {
    match role {
        Role::Started => "running".to_owned(),
        other => other.as_str().to_lowercase(),
    }
}

fn reason(f: &Failure) -> String {
    let exit = if f.status.is_empty() || f.status == "complete" { f.exit.clone() } else { f.status.clone() };
    match &f.reason {
        Some(r) => format!(" ({exit}: {r})"),
        None if exit.is_empty() => String::new(),
        None => format!(" ({exit})"),
    }
}

/// How a node comes back.
fn back(n: &Node) -> String {
    match n.state() {
        "standby" => format!("`crm node online {}` when it may run resources again", n.name),
        "maintenance" => format!("`crm node ready {}` when its work is done", n.name),
        "pending" => {
            format!("start Pacemaker on {} (its Corosync runs, its Pacemaker does not answer yet)", n.name)
        }
        "unclean" => format!("see to the fencing of {}", n.name),
        "shutting down" => format!("wait until {} has stopped", n.name),
        _ => format!("bring {} back, so that a second failure can be taken too", n.name),
    }
}
