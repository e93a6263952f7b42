//! `status`, `events`, `watch`, and the part of `esos status`.
use crate::args::{From, Watch};
use crate::source;
use esos_cli::{Exit, Failure, Global, Health, Human, OrExit, Section, Ui};
use esos_drbd::{Connection, Kind, Promotable, Report, Resource, Status, dual_primary, promotable};
use esos_units::Bytes;
use serde::Serialize;
use std::time::Duration;

/// A report with, for each resource, whether it may be promoted.
#[derive(Serialize)]
struct Shown<'r> {
    #[serde(flatten)]
    report: &'r Report,
    promotable: Vec<Promotable>,
}

fn shown(report: &Report) -> Shown<'_> {
    Shown { promotable: report.status.resources.iter().map(promotable).collect(), report }
}

pub(crate) fn status(from: &From, ui: &mut Ui) -> Result<Exit, Failure> {
    let report = source::any(from, ui)?;
    ui.emit("esos.drbd.status/1", &shown(&report), |human| human_report(human, &report))?;
    Ok(Exit::Done)
}

pub(crate) fn events(from: &From, ui: &mut Ui) -> Result<Exit, Failure> {
    let (origin, text) = match &from.from {
        Some(path) => (path.display().to_string(), source::text(path)?),
        None => {
            let out =
                source::run("/usr/sbin/drbdsetup", &["events2", "--now", "--statistics", "--timestamps"])?;
            if !out.status.success() {
                return Err(source::failed(&out));
            }
            ("drbdsetup events2".to_owned(), String::from_utf8_lossy(&out.stdout).into_owned())
        }
    };
    let kind: Option<Kind> = from.kind.as_deref().map(str::parse).transpose().or_exit(Exit::Usage)?;
    let kind = kind.or_else(|| Kind::recognise(&text));
    if kind != Some(Kind::Events2) {
        let found = kind.map_or("nothing that is known".to_owned(), |k| format!("`{k}`"));
        if kind == Some(Kind::Error) {
            return Err(source::told(kind, &origin, &text, ui)
                .err()
                .unwrap_or_else(|| Failure::new(Exit::Invalid, found)));
        }
        return Err(Failure::new(Exit::Invalid, format!("{origin} is {found} and no stream of events"))
            .help("`esos-drbd status --from` reads the other kinds"));
    }
    let events = esos_drbd::events(&origin, &text)
        .map_err(|e| Failure::findings(vec![e.diagnostic("drbd::unreadable")], &text))?;
    // What a stream leaves open is told by the other reading.
    let report = source::told(Some(Kind::Events2), &origin, &text, ui)?;
    ui.emit("esos.drbd.events/1", &events, |human| {
        for t in &events.transitions {
            let of = t.of.as_ref().map(|o| format!(" {o}")).unwrap_or_default();
            let odd = if t.expected { "" } else { "  (not a step that DRBD takes: lines are missing)" };
            let time = t.time.clone().unwrap_or_else(|| format!("line {}", t.line));
            human.line(format!("{time}  {}{of}: {} {} -> {}{odd}", t.resource, t.what, t.from, t.to));
            if let Some(meaning) = &t.meaning {
                human.line(format!("    {meaning}"));
            }
        }
        human.line("");
        human_report(human, &report);
    })?;
    Ok(Exit::Done)
}

pub(crate) fn watch(watch: &Watch, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut last = String::new();
    let mut n = 0u64;
    loop {
        let report = source::live(ui)?;
        let line = report.status.resources.iter().map(line).collect::<Vec<_>>().join("; ");
        if line != last {
            ui.raw(format!("{line}\n").as_bytes())?;
            last = line;
        }
        n = n.saturating_add(1);
        if watch.times.is_some_and(|times| n >= times) {
            return Ok(Exit::Done);
        }
        std::thread::sleep(Duration::from_secs(watch.every));
    }
}

fn human_report(human: &mut Human, report: &Report) {
    if let Some(v) = &report.status.version {
        let utils = v.utils.as_ref().map(|u| format!(", utilities {u}")).unwrap_or_default();
        human.line(format!("DRBD {}{utils}", v.module.as_deref().unwrap_or("(no module loaded)")));
    }
    for r in &report.status.resources {
        human.line(line(r));
        let answer = promotable(r);
        human.line(format!("    promotable: {}, {}", if answer.yes { "yes" } else { "no" }, answer.reason));
    }
    if let Some(g) = &report.identifiers {
        let owes = if g.owes() { ", has changes that the peer has not got" } else { "" };
        human.line(format!("generation {}{owes}", g.current));
    }
    if let Some(c) = &report.config {
        for r in &c.resources {
            let hosts: Vec<String> = r.hosts.iter().map(|h| h.names.join(" ")).collect();
            human.line(format!("resource {} on {}", r.name, hosts.join(", ")));
        }
    }
    report.commands.iter().for_each(|c| human.line(c.join(" ")));
    report.names.iter().chain(&report.messages).for_each(|n| human.line(n.clone()));
    if let Some(log) = &report.log {
        human.line(if log.split_brain {
            "a split brain was found and not resolved"
        } else {
            "no split brain in these lines"
        });
        if let Some(h) = &log.handshake {
            let bytes = |bits: u64| Bytes::new(bits.saturating_mul(4096)).human();
            human.line(format!(
                "    this side has {} of changes, the peer {}",
                bytes(h.own_bits),
                bytes(h.peer_bits)
            ));
        }
    }
}

/// `r0 Primary UpToDate; n2 Connected Secondary UpToDate SyncSource 14.1 % (0:01:30 to go)`.
fn line(r: &Resource) -> String {
    let disks: Vec<String> = r
        .devices
        .iter()
        .map(|d| format!("{}{}", d.disk, if d.quorum == Some(false) { " without quorum" } else { "" }))
        .collect();
    let mut out = format!("{} {} {}", r.label(), r.role, disks.join(", "));
    if let Some(why) = r.suspended.as_ref().filter(|s| !s.is_empty()) {
        out.push_str(&format!(", I/O suspended ({})", why.join(", ")));
    }
    for p in &r.connections {
        out.push_str(&format!("; {} {}", p.label(), p.connection));
        if p.connection != Connection::Connected {
            // What was last known of it.
            let known = p.peer_devices.iter().filter(|d| d.peer_disk != esos_drbd::Disk::Unknown);
            known.for_each(|d| out.push_str(&format!(" {}", d.peer_disk)));
            continue;
        }
        out.push_str(&format!(" {}", p.peer_role));
        for d in &p.peer_devices {
            out.push_str(&format!(" {}", d.peer_disk));
            if d.replication != esos_drbd::Replication::Established {
                out.push_str(&format!(" {}", d.replication));
            }
            if let Some(done) = d.done_percent {
                out.push_str(&format!(" {done:.1} %"));
            }
            if let Some(why) = d.resync_suspended.as_ref().filter(|s| !s.is_empty()) {
                out.push_str(&format!(" (held back: {})", why.join(", ")));
            }
            if d.extra.contains_key("stalled") {
                out.push_str(" (stalled)");
            }
            if let Some(eta) = d.eta_seconds {
                out.push_str(&format!(" ({}:{:02}:{:02} to go)", eta / 3600, eta / 60 % 60, eta % 60));
            }
        }
    }
    out
}

pub(crate) fn section(global: &Global) -> Section {
    if !global.root.join("proc/drbd").exists() {
        return Section::unused("drbd", "DRBD is not loaded");
    }
    let text = if global.is_live() {
        source::run("/usr/sbin/drbdsetup", &["events2", "--now", "--statistics"])
            .map(|o| (Kind::Events2, String::from_utf8_lossy(&o.stdout).into_owned()))
    } else {
        source::text(&global.root.join("proc/drbd")).map(|t| (Kind::Proc, t))
    };
    let section = Section::new("drbd");
    match text {
        Err(e) => section.finding(Health::Unknown, e.message().to_owned(), None),
        Ok((kind, text)) => match esos_drbd::read(Some(kind), "drbd", &text) {
            Err(e) => section.finding(Health::Unknown, e.to_string(), None),
            Ok(report) => {
                let section =
                    report.warnings.iter().fold(section, |s, w| s.finding(Health::Unknown, w.clone(), None));
                findings(section, &report.status)
            }
        },
    }
}

fn findings(mut section: Section, status: &Status) -> Section {
    if status.resources.is_empty() {
        return section.line("no resource is up");
    }
    for r in &status.resources {
        section = section.line(line(r));
        let name = r.label();
        if dual_primary(r) {
            section = section.finding(Health::Crit, format!("{name} is Primary on two nodes"), None);
        }
        if r.suspended.as_ref().is_some_and(|s| !s.is_empty()) {
            section = section.finding(Health::Crit, format!("I/O of {name} is suspended"), None);
        }
        // A node without a disk on purpose has nothing to lose.
        for d in r.devices.iter().filter(|d| !d.disk.is_up_to_date() && d.client != Some(true)) {
            section =
                section.finding(Health::Crit, format!("{name}: volume {} is {}", d.volume, d.disk), None);
        }
        for d in r.devices.iter().filter(|d| d.quorum == Some(false)) {
            section =
                section.finding(Health::Crit, format!("{name}: volume {} has no quorum", d.volume), None);
        }
        if r.connections.is_empty() {
            section =
                section.finding(Health::Warn, format!("{name} has no connection"), Some("esos drbd connect"));
        }
        for p in r.connections.iter().filter(|p| p.connection != Connection::Connected) {
            let remedy =
                (p.connection == Connection::StandAlone).then_some("esos drbd resolve, or esos drbd connect");
            section =
                section.finding(Health::Warn, format!("{name}: {} is {}", p.label(), p.connection), remedy);
        }
        for d in r.connections.iter().flat_map(|p| &p.peer_devices).filter(|d| d.replication.is_resync()) {
            section = section.finding(
                Health::Warn,
                format!("{name}: volume {} is {}", d.volume, d.replication),
                None,
            );
        }
    }
    section
}
