//! Facts of SCST: what is configured, what it has, and who has a session.
use crate::files::{text, trimmed};
use esos_health::{Fact, Facts, Lun, Session};
use esos_hostfs::{FileError, FileOp, Files, HostFiles, read_link};
use esos_layout::run;
use esos_scst::{Config, Document};

const CONF: &str = "/etc/scst.conf";
const TARGETS: &str = "/sys/kernel/scst_tgt/targets";
const DEVICES: &str = "/sys/kernel/scst_tgt/devices";

/// The driver whose sessions are the kernel's own.
const COPIES: &str = "copy_manager";

/// Sessions of earlier looks. In memory: after a boot everybody has to come anew.
const SEEN: &str = "/run/esos/sessions.json";

pub(crate) fn gather(files: &HostFiles, facts: &mut Facts) {
    let Fact::Known(text) = text(files, CONF, Fact::Unused) else { return };
    let document = Document::parse(CONF, text);
    if document.has_errors() {
        facts.scst_wanted = Fact::Unknown(format!("{CONF} has errors: esos scst check {CONF}"));
        return;
    }
    let config = document.config();
    let devices = config.handlers.values().flat_map(|h| h.devices.keys()).map(|d| format!("dev/{d}"));
    let targets = config
        .drivers
        .iter()
        .flat_map(|(driver, d)| d.targets.keys().map(move |t| format!("tgt/{driver}/{t}")));
    facts.scst_wanted = Fact::Known(devices.chain(targets).collect());
    let runs = files.stat(TARGETS).is_ok();
    facts.scst_running = Fact::Known(runs);
    facts.sessions_before = before(files);
    if !runs {
        return;
    }
    let mut has: Vec<(String, bool)> = Vec::new();
    has.extend(files.list(DEVICES).unwrap_or_default().into_iter().map(|d| (format!("dev/{d}"), true)));
    let mut sessions = Vec::new();
    for driver in files.list(TARGETS).unwrap_or_default() {
        for target in files.list(&format!("{TARGETS}/{driver}")).unwrap_or_default() {
            let enabled = trimmed(files, &format!("{TARGETS}/{driver}/{target}/enabled"));
            let on = enabled.is_none_or(|e| e.lines().next() == Some("1"));
            has.push((format!("tgt/{driver}/{target}"), on));
            if driver != COPIES {
                sessions.extend(sessions_of(files, &format!("{driver}/{target}")));
            }
        }
    }
    sessions.sort();
    sessions.dedup();
    facts.scst_has = Fact::Known(has);
    facts.scst_luns = Fact::Known(luns(files, config));
    facts.sessions = Fact::Known(sessions);
}

/// A second session of an initiator has `_1` in its name; whose it is says an attribute. One that ends meanwhile is none.
fn sessions_of(files: &HostFiles, target: &str) -> Vec<Session> {
    let dir = format!("{TARGETS}/{target}/sessions");
    let names = files.list(&dir).unwrap_or_default();
    let initiators = names.iter().filter_map(|name| trimmed(files, &format!("{dir}/{name}/initiator_name")));
    initiators.map(|initiator| Session { target: target.to_owned(), initiator }).collect()
}

fn luns(files: &HostFiles, config: &Config) -> Vec<Lun> {
    let mut found = Vec::new();
    for (driver, of_driver) in &config.drivers {
        for (name, target) in &of_driver.targets {
            let path = format!("{driver}/{name}");
            let own = target.luns.iter().map(|(n, lun)| (path.clone(), format!("{path}/luns"), n, lun));
            let grouped = target.groups.iter().flat_map(|(group, g)| {
                let place = (format!("{path}/{group}"), format!("{path}/ini_groups/{group}/luns"));
                g.luns.iter().map(move |(n, lun)| (place.0.clone(), place.1.clone(), n, lun))
            });
            for (place, dir, number, lun) in own.chain(grouped) {
                // A link to the device's directory.
                let link = files.path(&format!("{TARGETS}/{dir}/{number}/device"), FileOp::Read);
                let leads_to = link.and_then(|path| read_link(&path)).ok();
                let leads_to = leads_to.and_then(|l| Some(l.file_name()?.to_string_lossy().into_owned()));
                let (place, device) = (format!("{place}/{number}"), lun.device.to_string());
                found.push(Lun { place, target: path.clone(), device, leads_to });
            }
        }
    }
    found
}

fn before(files: &HostFiles) -> Fact<Vec<Session>> {
    match text(files, SEEN, Fact::Known("[]".to_owned())) {
        Fact::Known(text) => serde_json::from_str(&text)
            .map_or_else(|e| Fact::Unknown(format!("{SEEN} makes no sense: {e}")), Fact::Known),
        Fact::Unknown(why) => Fact::Unknown(why),
        Fact::Unused => Fact::Unused,
    }
}

/// These initiators are not missed any more: whether each was.
pub(crate) fn forget(initiators: &[String], facts: &mut Facts) -> Result<(), String> {
    let Fact::Known(before) = &mut facts.sessions_before else { return Err("nobody is missed".to_owned()) };
    for name in initiators {
        let many = before.len();
        before.retain(|s| s.initiator != *name);
        if before.len() == many {
            return Err(format!("no initiator of the name {name} is known"));
        }
    }
    Ok(())
}

/// Keeps who is to be missed.
pub(crate) fn remember(files: &HostFiles, sessions: &[Session]) -> Result<(), FileError> {
    let text = serde_json::to_vec_pretty(sessions).unwrap_or_default();
    files.make_dir(run::DIR)?;
    files.replace(SEEN, &text, 0o600)
}
