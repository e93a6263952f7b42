//! The verbs that only look, and `save`.
use crate::args::Form;
use crate::change::{HISTORY, generations};
use crate::{files, machine};
use esos_cli::{Exit, Failure, OrExit, Table, Ui};
use esos_hostfs::{Files, HostFiles};
use esos_scst::{Config, Document, Live};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Checked {
    file: String,
    devices: usize,
    targets: usize,
    luns: usize,
}

pub(crate) fn check(ui: &mut Ui, path: &Path, allow_empty: bool) -> Result<Exit, Failure> {
    let (_, config) = files::wanted(ui, path, allow_empty)?;
    let targets = || config.drivers.values().flat_map(|d| d.targets.values());
    let checked = Checked {
        file: path.display().to_string(),
        devices: config.handlers.values().map(|h| h.devices.len()).sum(),
        targets: targets().count(),
        luns: targets()
            .map(|t| t.luns.len().saturating_add(t.groups.values().map(|g| g.luns.len()).sum()))
            .sum(),
    };
    ui.emit("esos.scst.check/1", &checked, |human| {
        human.line(format!(
            "{}: no errors; {} devices, {} targets, {} LUNs",
            checked.file, checked.devices, checked.targets, checked.luns
        ));
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Formatted {
    file: String,
    changed: bool,
}

pub(crate) fn fmt(ui: &mut Ui, path: &Path, check: bool, write: bool) -> Result<Exit, Failure> {
    let (document, _) = files::wanted(ui, path, true)?;
    let formatted = document.formatted();
    let changed = formatted != document.text();
    if !check && !write && !ui.json() {
        ui.raw(formatted.as_bytes())?;
        return Ok(Exit::Done);
    }
    if write && changed {
        let (dir, name) = (path.parent().unwrap_or(Path::new(".")), path.file_name().unwrap_or_default());
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let files = HostFiles::new(dir);
        let mode = files.stat(&name.to_string_lossy()).map_or(0o600, |m| m.mode);
        files.replace(&format!("/{}", name.to_string_lossy()), formatted.as_bytes(), mode)?;
    }
    let result = Formatted { file: path.display().to_string(), changed };
    ui.emit("esos.scst.fmt/1", &result, |human| {
        if changed {
            human.line(format!("{}: {}", result.file, if write { "formatted" } else { "would change" }));
        }
    })?;
    Ok(if check && changed { Exit::Differs } else { Exit::Done })
}

fn live(ui: &Ui, state: Option<&Path>) -> Result<Live, Failure> {
    match state {
        Some(state) => machine::live(&machine::simulator(state, &Config::default())?),
        None => machine::live(&machine::tree(ui.global())),
    }
}

pub(crate) fn show(ui: &mut Ui, state: Option<&Path>) -> Result<Exit, Failure> {
    let live = live(ui, state)?;
    let config = live.to_config();
    ui.emit("esos.scst.state/1", &live, |human| match config.to_conf() {
        Ok(text) => esos_scst::conf::mask_secrets(&text).lines().for_each(|l| human.line(l)),
        Err(e) => human.line(format!("{e}: {}", e.source)),
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Row {
    driver: String,
    target: String,
    session: String,
    initiator: String,
    group: Option<String>,
    connections: Vec<String>,
    read_bytes: u64,
    write_bytes: u64,
}

pub(crate) fn sessions(ui: &mut Ui, state: Option<&Path>) -> Result<Exit, Failure> {
    let live = live(ui, state)?;
    let mut rows = Vec::new();
    for (driver, d) in live.drivers.iter().filter(|(n, _)| n.as_str() != "copy_manager") {
        for (target, t) in &d.targets {
            for (session, s) in &t.sessions {
                // SCST counts KiB.
                let bytes = |name: &str| {
                    let value = s.attributes.get(name).and_then(|a| a.value.as_ref());
                    value.and_then(|v| v.expose().parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024)
                };
                rows.push(Row {
                    driver: driver.to_string(),
                    target: target.to_string(),
                    session: session.clone(),
                    initiator: s.initiator.clone(),
                    group: s.group.clone(),
                    connections: s.connections.clone(),
                    read_bytes: bytes("read_io_count_kb"),
                    write_bytes: bytes("write_io_count_kb"),
                });
            }
        }
    }
    ui.emit("esos.scst.sessions/1", &rows, |human| {
        let mut table =
            Table::new(["DRIVER", "TARGET", "INITIATOR", "GROUP", "READ", "WRITTEN"]).right(4).right(5);
        for r in &rows {
            let size = |n| esos_units_human(n);
            let group = r.group.clone().unwrap_or_default();
            table.row([
                r.driver.clone(),
                r.target.clone(),
                r.initiator.clone(),
                group,
                size(r.read_bytes),
                size(r.write_bytes),
            ]);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}

fn esos_units_human(bytes: u64) -> String {
    esos_units::Bytes::new(bytes).human()
}

/// Writes what SCST has, together with what the file names and is not there now.
pub(crate) fn save(ui: &mut Ui, path: &Path, stdout: bool) -> Result<Exit, Failure> {
    let mut config = live(ui, None)?.to_config();
    let kept = match std::fs::read_to_string(path) {
        Ok(text) => keep_absent(&mut config, Document::parse(&path.display().to_string(), text).config()),
        Err(_) => Vec::new(),
    };
    let text = config.to_conf().or_exit(Exit::Refused)?;
    if stdout {
        ui.raw(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    for name in &kept {
        ui.warn(format!("{name} is not there now; it stays in the file"));
    }
    if config.is_empty() {
        return Err(Failure::new(
            Exit::Refused,
            format!("SCST has nothing configured; {} is kept", path.display()),
        ));
    }
    let document = Document::parse(&path.display().to_string(), text);
    if path == Path::new(crate::change::CONF) {
        crate::change::persist(ui, &document)?;
    } else {
        let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        HostFiles::new(dir).replace(&format!("/{name}"), document.text().as_bytes(), 0o600)?;
    }
    ui.emit("esos.scst.saved/1", &kept, |human| human.line(format!("saved {}", path.display())))?;
    Ok(Exit::Done)
}

/// Adds what a file names and the running configuration lacks: devices that are pending, and the LUNs
/// that lead to them.
fn keep_absent(config: &mut Config, file: &Config) -> Vec<String> {
    let mut kept = Vec::new();
    for (name, handler) in &file.handlers {
        for (device, wanted) in &handler.devices {
            if !config.handlers.values().any(|h| h.devices.contains_key(device)) {
                let handler = config.handlers.entry(name.clone()).or_default();
                handler.devices.insert(device.clone(), wanted.clone());
                kept.push(format!("dev/{name}/{device}"));
                for (driver, d) in &file.drivers {
                    for (target, t) in &d.targets {
                        let Some(live) =
                            config.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target))
                        else {
                            continue;
                        };
                        for (lun, map) in t.luns.iter().filter(|(_, m)| m.device == *device) {
                            live.luns.entry(*lun).or_insert_with(|| map.clone());
                        }
                        for (group, g) in &t.groups {
                            let Some(live) = live.groups.get_mut(group) else { continue };
                            for (lun, map) in g.luns.iter().filter(|(_, m)| m.device == *device) {
                                live.luns.entry(*lun).or_insert_with(|| map.clone());
                            }
                        }
                    }
                }
            }
        }
    }
    kept
}

pub(crate) fn export(ui: &mut Ui, path: &Path, to: Form) -> Result<Exit, Failure> {
    let (_, config) = files::wanted(ui, path, false)?;
    match to {
        Form::ScstConf => ui.raw(config.to_conf().or_exit(Exit::Refused)?.as_bytes())?,
        Form::Json => ui.raw(format!("{}\n", serde_json::to_string_pretty(&config)?).as_bytes())?,
    }
    Ok(Exit::Done)
}

pub(crate) fn history(ui: &mut Ui) -> Result<Exit, Failure> {
    let mut kept = generations(&HostFiles::new(ui.root()));
    kept.sort_unstable();
    ui.emit("esos.scst.history/1", &kept, |human| {
        kept.iter().rev().for_each(|n| human.line(format!("@{n}  {HISTORY}/{n:06}.conf")));
    })?;
    Ok(Exit::Done)
}
