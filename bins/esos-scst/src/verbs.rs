//! The verbs that only look, and `save`.
use crate::args::Form;
use crate::{files, keep, machine};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_scst::conf::mask_secrets;
use esos_scst::lint::{Lint, lint};
use esos_scst::store::{CONF, Store};
use esos_scst::{Config, Document, Live, ObjectPath, Side};
use serde::Serialize;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[derive(Serialize)]
struct Checked {
    file: String,
    devices: usize,
    targets: usize,
    luns: usize,
    /// What the file itself says that is doubtful, with place, help and fix.
    diagnostics: Vec<serde_json::Value>,
    /// What initiators or this machine would make of it.
    findings: Vec<Lint>,
}

pub(crate) fn check(ui: &mut Ui, path: &Path, allow_empty: bool, live: bool) -> Result<Exit, Failure> {
    let (document, config) = files::wanted(ui, path, allow_empty)?;
    let facts = if live { Some(machine::facts(ui.global(), &config)?) } else { None };
    let findings = lint(&config, facts.as_ref());
    for f in &findings {
        ui.warn(format!("{}: {} [{}]", f.path, f.message, f.code));
    }
    let targets = || config.drivers.values().flat_map(|d| d.targets.values());
    let checked = Checked {
        file: path.display().to_string(),
        devices: config.handlers.values().map(|h| h.devices.len()).sum(),
        targets: targets().count(),
        luns: targets()
            .map(|t| t.luns.len().saturating_add(t.groups.values().map(|g| g.luns.len()).sum()))
            .sum(),
        diagnostics: esos_cli::diagnostics_json(document.diagnostics(), &mask_secrets(document.text())),
        findings,
    };
    let fits = checked.findings.is_empty() || !live;
    ui.emit("esos.scst.check/1", &checked, |human| {
        human.line(format!(
            "{}: no errors; {} devices, {} targets, {} LUNs",
            checked.file, checked.devices, checked.targets, checked.luns
        ));
    })?;
    Ok(if fits { Exit::Done } else { Exit::Differs })
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
        let mode = std::fs::metadata(path).map_or(0o600, |m| m.permissions().mode() & 0o7777);
        keep::replace(path, formatted.as_bytes(), mode)?;
    }
    let result = Formatted { file: path.display().to_string(), changed };
    ui.emit("esos.scst.fmt/1", &result, |human| {
        if changed {
            human.line(format!("{}: {}", result.file, if write { "formatted" } else { "would change" }));
        }
    })?;
    Ok(if check && changed { Exit::Differs } else { Exit::Done })
}

pub(crate) fn live(ui: &Ui, state: Option<&Path>) -> Result<Live, Failure> {
    match state {
        Some(state) => machine::live(&machine::simulator(state, &Config::default())?),
        None => machine::live(&machine::tree(ui.global())),
    }
}

/// The same with counters, connections and commands in flight.
pub(crate) fn everything(ui: &Ui, state: Option<&Path>) -> Result<Live, Failure> {
    match state {
        Some(state) => machine::everything(&machine::simulator(state, &Config::default())?),
        None => machine::everything(&machine::tree(ui.global())),
    }
}

pub(crate) fn show(
    ui: &mut Ui,
    path: Option<&str>,
    state: Option<&Path>,
    from: Option<&str>,
) -> Result<Exit, Failure> {
    let path: Option<ObjectPath> = path.map(|p| p.parse().or_exit(Exit::Usage)).transpose()?;
    if let Some(from) = from {
        let config = picked(part(ui, from, None)?.config(), path.as_ref())?;
        ui.emit("esos.scst.config/1", &config, |human| {
            masked(&config).lines().for_each(|l| human.line(l));
        })?;
        return Ok(Exit::Done);
    }
    let live = everything(ui, state)?;
    let config = picked(live.to_config(), path.as_ref())?;
    let text = masked(&config);
    let schema = if path.is_some() { "esos.scst.config/1" } else { "esos.scst.state/1" };
    let print = |human: &mut esos_cli::Human| text.lines().for_each(|l| human.line(l));
    match path {
        Some(_) => ui.emit(schema, &config, print)?,
        None => ui.emit(schema, &live, print)?,
    }
    Ok(Exit::Done)
}

/// A configuration as a file with CHAP secrets as `***`.
pub(crate) fn masked(config: &Config) -> String {
    let text = mask_secrets(&config.to_own_conf());
    let line = |line: &str| match line.trim_end().strip_suffix("***") {
        Some(rest) => format!("{}***\"\n", rest.trim_end_matches('*')),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// One object of a configuration with what is below it.
fn picked(config: Config, path: Option<&ObjectPath>) -> Result<Config, Failure> {
    let Some(path) = path else { return Ok(config) };
    config.only(path).ok_or_else(|| Failure::new(Exit::Failed, format!("there is no {path}")))
}

/// One side of a comparison.
enum Part {
    Live(Live),
    File(Config),
}

impl Part {
    fn side(&self) -> Side<'_> {
        match self {
            Self::Live(live) => Side::Live(live),
            Self::File(config) => Side::File(config),
        }
    }

    fn config(&self) -> Config {
        match self {
            Self::Live(live) => live.to_config(),
            Self::File(config) => config.clone(),
        }
    }
}

/// `live`, `saved`, `@42` or a file.
fn part(ui: &mut Ui, name: &str, state: Option<&Path>) -> Result<Part, Failure> {
    if name == "live" {
        return live(ui, state).map(Part::Live);
    }
    if name != "saved" && !name.starts_with('@') {
        return files::wanted(ui, Path::new(name), true).map(|(_, config)| Part::File(config));
    }
    let files = keep::files(ui);
    let store = Store::new(&files);
    if name == "saved" {
        let saved = store.saved().map_err(keep::failure)?;
        let saved = saved.ok_or_else(|| Failure::new(Exit::Failed, format!("there is no {CONF}")))?;
        return Ok(Part::File(saved.config().clone()));
    }
    let number = crate::args::generation(name).map_err(|e| Failure::new(Exit::Usage, e))?;
    let generation = store.generation(number).map_err(keep::failure)?;
    Ok(Part::File(Document::parse(name, generation.expose()).config().clone()))
}

pub(crate) fn diff(ui: &mut Ui, left: &str, right: &str, state: Option<&Path>) -> Result<Exit, Failure> {
    let (l, r) = (part(ui, left, state)?, part(ui, right, state)?);
    let found = esos_scst::diff(l.side(), r.side());
    ui.emit("esos.scst.diff/1", &found, |human| {
        for d in &found {
            let what = d.attribute.as_ref().map_or_else(|| d.path.clone(), |a| format!("{} {a}", d.path));
            match (&d.left, &d.right) {
                (None, Some(right)) => human.line(format!("+ {what}  {right}")),
                (Some(left), None) => human.line(format!("- {what}  {left}")),
                (left, right) => {
                    let text = |v: &Option<String>| v.clone().unwrap_or_default();
                    human.line(format!("~ {what}  {} -> {}", text(left), text(right)));
                }
            }
        }
    })?;
    Ok(if found.is_empty() { Exit::Done } else { Exit::Differs })
}

/// Writes what SCST has, together with what the file names and is not there now.
pub(crate) fn save(ui: &mut Ui, path: &Path, stdout: bool) -> Result<Exit, Failure> {
    let mut config = live(ui, None)?.to_config();
    let kept = match std::fs::read_to_string(path) {
        Ok(text) => keep_absent(&mut config, Document::parse(&path.display().to_string(), text).config()),
        Err(_) => Vec::new(),
    };
    let text = config.to_conf().or_exit(Exit::Refused)?;
    if stdout && ui.json() {
        ui.emit("esos.scst.config/1", &config, |_| {})?;
        return Ok(Exit::Done);
    }
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
    if path == Path::new(CONF) && ui.global().is_live() {
        let _lock = keep::hold(ui, 5)?;
        let files = keep::files(ui);
        let by = keep::who();
        let document = Document::parse(CONF, text);
        let kept = keep::keep(&document, &by, None);
        Store::new(&files).put(&kept).map_err(keep::failure)?;
    } else {
        keep::replace(path, text.as_bytes(), 0o600)?;
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
    if ui.json() {
        // One document with its envelope, whatever the form; secrets are masked in it.
        ui.emit("esos.scst.config/1", &config, |_| {})?;
        return Ok(Exit::Done);
    }
    match to {
        Form::ScstConf => ui.raw(config.to_conf().or_exit(Exit::Refused)?.as_bytes())?,
        Form::Toml => {
            let text = toml::to_string_pretty(&config).or_exit(Exit::Failed)?;
            ui.raw(text.as_bytes())?;
        }
        Form::Json => ui.raw(format!("{}\n", serde_json::to_string_pretty(&config)?).as_bytes())?,
    }
    Ok(Exit::Done)
}
