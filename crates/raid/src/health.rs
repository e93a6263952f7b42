//! What is not well.
use crate::{Array, ArrayState, Drive, DriveState, Facts, Level};
use serde::Serialize;
use serde_json::Value;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Redundancy or speed is at risk.
    Warn,
    /// Redundancy or data is lost.
    Crit,
}

/// One thing that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `array 0/1`, `drive 0/252:4`.
    pub object: String,
    /// What is the matter.
    pub message: String,
}

/// Everything that is not well, the worst first.
#[must_use]
pub fn health(facts: &Facts) -> Vec<Finding> {
    let mut list = Findings(Vec::new());
    facts.arrays.iter().for_each(|array| self::array(array, &mut list));
    for group in &facts.groups {
        let name = group.array.as_deref().or(group.name.as_deref()).unwrap_or("?");
        if let Some(ArrayState::Failed | ArrayState::Degraded) = group.state {
            let message = format!("is {}", group.state_raw.as_deref().unwrap_or("not well"));
            list.add(Severity::Crit, object("group", group.controller.as_deref(), name), message);
        }
    }
    facts.drives.iter().for_each(|drive| self::drive(drive, &mut list));
    for battery in &facts.bbu {
        let state = battery.state_raw.as_deref().unwrap_or_default();
        let good = [
            "optimal",
            "ok",
            "ready",
            "zmm optimal",
            "operational",
            "not installed",
            "not present",
            "zmm not installed",
        ];
        let about = object("battery", battery.controller.as_deref(), battery.model.as_deref().unwrap_or(""));
        if battery.replace_required == Some(true) {
            list.add(Severity::Warn, about, "is to be replaced".to_owned());
        } else if !state.is_empty() && !good.contains(&state.to_ascii_lowercase().as_str()) {
            list.add(Severity::Warn, about, format!("is {state}"));
        }
    }
    for (controller, count) in facts.foreign_configs.iter().filter(|(_, count)| **count > 0) {
        list.add(
            Severity::Warn,
            format!("controller {controller}"),
            format!("{count} foreign configurations wait"),
        );
    }
    spares(facts, &mut list);
    for row in &facts.malformed_rows {
        list.add(Severity::Warn, "tool".to_owned(), format!("printed a row that cannot be read: {row}"));
    }
    for problem in facts.error.iter().chain(&facts.more_errors) {
        // No arrays, and no battery, are what they are.
        if !problem.kind.is_normal() {
            list.add(Severity::Warn, "tool".to_owned(), problem.to_string());
        }
    }
    list.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    list.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, object: String, message: String) {
        self.0.push(Finding { severity, object, message });
    }
}

fn object(kind: &str, controller: Option<&str>, id: &str) -> String {
    match controller {
        Some(controller) if !id.is_empty() => format!("{kind} {controller}/{id}"),
        Some(controller) => format!("{kind} of {controller}"),
        None => format!("{kind} {id}"),
    }
}

fn array(array: &Array, list: &mut Findings) {
    let about = object("array", array.controller.as_deref(), &array.id);
    let progress = array.op.as_ref().map_or_else(String::new, |op| {
        let kind = op.kind.as_ref().map_or("task", crate::TaskKind::as_str);
        let percent = op.percent.as_ref().map_or_else(|| "waiting".to_owned(), |p| format!("{p} %"));
        let left = op.details.get("finish_min").map(|m| format!(", {m} min left")).unwrap_or_default();
        format!(" ({kind} {percent}{left})")
    });
    let word =
        array.state_raw.as_deref().or(array.state.as_ref().map(ArrayState::as_str)).unwrap_or_default();
    let container = array
        .details
        .get("metadata")
        .and_then(Value::as_str)
        .is_some_and(|m| m.starts_with("external:") && !m.contains('/'));
    match &array.state {
        Some(ArrayState::Failed | ArrayState::Degraded | ArrayState::PartiallyDegraded) => {
            list.add(Severity::Crit, about, format!("is {word}{progress}"));
        }
        // A container of external metadata is never started itself.
        Some(ArrayState::Inactive) if !container => {
            list.add(Severity::Crit, about, "is not started".to_owned());
        }
        Some(
            ArrayState::Rebuilding | ArrayState::Recovery | ArrayState::Impacted | ArrayState::Migrating,
        ) => {
            list.add(Severity::Warn, about, format!("is {word}{progress}"));
        }
        Some(ArrayState::Other(_)) => {
            list.add(Severity::Warn, about, format!("is `{word}`, a word that is not known"));
        }
        _ => {}
    }
    let policy = |name: &str| array.cache.get(name).and_then(Value::as_str);
    if policy("write_default") == Some("write_back") && policy("write_current") == Some("write_through") {
        let about = object("array", array.controller.as_deref(), &array.id);
        list.add(Severity::Warn, about, "has lost its write cache".to_owned());
    }
}

fn drive(drive: &Drive, list: &mut Findings) {
    let about = || object("drive", drive.controller.as_deref(), &drive.key);
    let word = drive.state_raw.as_deref().unwrap_or_default();
    match &drive.state {
        Some(DriveState::Failed | DriveState::Missing | DriveState::Offline | DriveState::Bad) => {
            list.add(Severity::Crit, about(), format!("is {word}"));
        }
        Some(DriveState::Rebuilding | DriveState::Copyback | DriveState::Degraded) => {
            list.add(Severity::Warn, about(), format!("is {word}"));
        }
        _ => {}
    }
    let predicted = drive.predictive_failures.unwrap_or(0);
    if drive.state == Some(DriveState::PredictiveFailure) || drive.smart_alert == Some(true) || predicted > 0
    {
        list.add(
            Severity::Warn,
            about(),
            format!("says that it will fail ({predicted} predictive failures)"),
        );
    }
    if let Some(errors) = drive.media_errors.filter(|n| *n > 0) {
        list.add(Severity::Warn, about(), format!("has {errors} media errors"));
    }
    if drive.foreign == Some(true) {
        list.add(Severity::Warn, about(), "carries a foreign configuration".to_owned());
    }
}

fn spares(facts: &Facts, list: &mut Findings) {
    let redundant = facts.arrays.iter().any(|array| {
        !matches!(
            array.level,
            None | Some(
                Level::Raid0
                    | Level::Linear
                    | Level::Jbod
                    | Level::Single
                    | Level::Spanned
                    | Level::Cachecade
            )
        )
    });
    let spare = facts.drives.iter().any(|drive| drive.state == Some(DriveState::Spare));
    if redundant && !facts.drives.is_empty() && !spare {
        list.add(Severity::Note, "drives".to_owned(), "no hot spare is ready".to_owned());
    }
}
