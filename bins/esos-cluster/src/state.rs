//! `status`, `explain`, `watch`, and the part of `esos status`.
use crate::args::{Explain, From, Watch};
use crate::machine;
use esos_cli::{Exit, Failure, Global, Health, Human, Section, Ui};
use esos_cluster::{Cluster, Explanation, Fencing, Kind, Resource, explain as why, monitor};
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct Shown<'c> {
    #[serde(flatten)]
    cluster: &'c Cluster,
    explanations: Vec<Explanation>,
}

fn explanations(c: &Cluster) -> Vec<Explanation> {
    c.resources.iter().filter_map(|r| why(c, &r.id, None).ok()).collect()
}

pub(crate) fn status(from: &From, ui: &mut Ui) -> Result<Exit, Failure> {
    let cluster = machine::cluster(from, ui)?;
    let shown = Shown { explanations: explanations(&cluster), cluster: &cluster };
    ui.emit("esos.cluster.status/1", &shown, |human| {
        lines(&cluster, human);
        for e in shown.explanations.iter().filter(|e| !e.well) {
            human.line(format!("! {}", e.sentence()));
        }
    })?;
    Ok(Exit::Done)
}

fn lines(c: &Cluster, human: &mut Human) {
    let quorum = match c.quorum {
        Some(true) => "quorum",
        Some(false) => "NO quorum",
        None => "quorum not told",
    };
    let dc = c.dc.as_ref().map_or("no node decides yet".to_owned(), |d| format!("{} decides", d.name));
    human.line(format!("cluster: {quorum}, {dc}"));
    for n in &c.nodes {
        human.line(format!("node {}: {}", n.name, n.state()));
    }
    for r in &c.resources {
        tree(r, 0, human);
    }
    for f in &c.failures {
        let reason = f.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        human.line(format!("failed: {} of {} on {} ({}{reason})", f.task, f.resource, f.node, f.exit));
    }
    for e in c.fencing.iter().filter(|e| e.state != Fencing::Success) {
        human.line(format!("fencing: {} of {} {}", e.action, e.target, e.state));
    }
    for b in &c.bans {
        human.line(format!("ban: {} keeps {} off {}", b.id, b.resource, b.node));
    }
}

fn tree(r: &Resource, depth: usize, human: &mut Human) {
    let indent = "  ".repeat(depth);
    if r.kind == Kind::Primitive {
        let at = if r.nodes.is_empty() { String::new() } else { format!(" on {}", r.nodes.join(", ")) };
        let mut flags = Vec::new();
        for (on, word) in [
            (r.failed, "failed"),
            (r.blocked, "blocked"),
            (!r.managed, "unmanaged"),
            (r.orphaned, "orphaned"),
        ] {
            flags.extend(on.then_some(word));
        }
        let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
        human.line(format!("{indent}{} {}{at}{flags}", r.id, r.role));
    } else {
        human.line(format!("{indent}{}:", r.id));
    }
    r.members.iter().for_each(|m| tree(m, depth.saturating_add(1), human));
}

pub(crate) fn explain(args: &Explain, ui: &mut Ui) -> Result<Exit, Failure> {
    let cluster = machine::cluster(&args.from, ui)?;
    let answer = why(&cluster, &args.resource, args.node.as_deref()).map_err(|e| {
        Failure::new(Exit::Failed, e.to_string())
            .code("cluster::no-such-object")
            .help(format!("known: {}", e.known.join(", ")))
    })?;
    let data = serde_json::json!({
        "resource": answer.resource, "state": answer.state, "why": answer.why, "since": answer.since,
        "advice": answer.advice, "well": answer.well, "sentence": answer.sentence(),
    });
    ui.emit("esos.cluster.explain/1", &data, |human| human.line(answer.sentence()))?;
    Ok(Exit::Done)
}

pub(crate) fn watch(watch: &Watch, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut last = String::new();
    let mut n = 0u64;
    loop {
        let c = machine::cluster(&From { from: None, rc: None }, ui)?;
        let mut now = String::new();
        let nodes: Vec<String> = c.nodes.iter().map(|n| format!("{} {}", n.name, n.state())).collect();
        now.push_str(&format!("nodes: {}\n", nodes.join(", ")));
        explanations(&c).iter().for_each(|e| now.push_str(&format!("{}\n", e.sentence())));
        now.push_str(&resync());
        if now != last {
            ui.raw(now.as_bytes())?;
            last = now;
        }
        n = n.saturating_add(1);
        if watch.times.is_some_and(|times| n >= times) {
            return Ok(Exit::Done);
        }
        std::thread::sleep(Duration::from_secs(watch.every));
    }
}

/// How far resyncs are, where DRBD is there.
fn resync() -> String {
    let Ok(out) = machine::run("/usr/sbin/drbdsetup", &["status", "--verbose", "--statistics"]) else {
        return String::new();
    };
    let Ok(report) = esos_drbd::read(None, "drbdsetup", &String::from_utf8_lossy(&out.stdout)) else {
        return String::new();
    };
    let mut text = String::new();
    for r in &report.status.resources {
        for d in r.connections.iter().flat_map(|p| &p.peer_devices).filter(|d| d.replication.is_resync()) {
            let done = d.done_percent.map(|p| format!(" {p:.1} %")).unwrap_or_default();
            text.push_str(&format!("{} volume {}: {}{done}\n", r.label(), d.volume, d.replication));
        }
    }
    text
}

pub(crate) fn section(global: &Global) -> Section {
    if !global.root.join("etc/corosync/corosync.conf").exists() {
        return Section::unused("cluster", "no cluster is configured");
    }
    let section = Section::new("cluster");
    if !global.is_live() {
        return section.line("a cluster is configured");
    }
    let out = match machine::run("/usr/sbin/crm_mon", &["--one-shot", "--inactive", "--output-as=xml"]) {
        Ok(out) => out,
        Err(e) => return section.finding(Health::Unknown, e.message().to_owned(), None),
    };
    match monitor("crm_mon", &String::from_utf8_lossy(&out.stdout)) {
        Err(e) => section.finding(
            Health::Crit,
            e.to_string(),
            Some("service corosync start && service pacemaker start"),
        ),
        Ok(seen) => findings(section, &seen.cluster),
    }
}

fn findings(mut section: Section, c: &Cluster) -> Section {
    let nodes: Vec<String> = c.nodes.iter().map(|n| format!("{} {}", n.name, n.state())).collect();
    section = section.line(nodes.join(", "));
    if c.quorum == Some(false) {
        section = section.finding(Health::Crit, "this partition has no quorum", None);
    }
    for n in c.nodes.iter().filter(|n| !n.can_run()) {
        let health = if n.unclean { Health::Crit } else { Health::Warn };
        section = section.finding(health, format!("{} is {}", n.name, n.state()), None);
    }
    for e in explanations(c).iter().filter(|e| !e.well) {
        section = section.finding(Health::Warn, e.sentence(), None);
    }
    section
}
