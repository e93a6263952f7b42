//! `alua`: groups, states, two boxes.
use crate::args::AluaVerb;
use crate::change::{Change, on_machine, saved};
use crate::{files, keep, machine, verbs};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_scst::alua::{Box as On, lint, takeover};
use esos_scst::{Attributes, Config, Live, ObjectPath, Policy};
use serde::Serialize;
use std::path::Path;

pub(crate) fn verb(ui: &mut Ui, verb: &AluaVerb) -> Result<Exit, Failure> {
    match verb {
        AluaVerb::Show { state } => show(ui, state.as_deref()),
        AluaVerb::Plan { group, active, others, state } => {
            let live = verbs::live(ui, state.as_deref())?;
            let steps = takeover(&live, group, active, others)?;
            ui.emit("esos.scst.alua-plan/1", &steps, |human| {
                for (n, step) in steps.iter().enumerate() {
                    let on = match step.on {
                        On::Old => "old box",
                        On::New => "new box",
                        _ => "both",
                    };
                    human.line(format!("{}. {on}: {}", n.saturating_add(1), step.what));
                    step.writes.iter().for_each(|w| human.line(format!("     {w}")));
                }
            })?;
            Ok(Exit::Done)
        }
        AluaVerb::SetState { group, target_group, state, how } => {
            let path =
                format!("dgrp/{group}/tgrp/{target_group}").parse::<ObjectPath>().or_exit(Exit::Usage)?;
            let _lock = if how.dry_run { None } else { Some(keep::hold(ui, how.wait)?) };
            let live = machine::live(&machine::tree(ui.global()))?;
            if !live.contains(&path) {
                return Err(
                    Failure::new(Exit::Failed, format!("there is no {path}")).help("esos scst alua show")
                );
            }
            let mut set = Attributes::new();
            set.set("state", state.as_str());
            let wanted = Config::of(&path, None, set);
            let pair = [("state".to_owned(), state.clone())];
            let document = saved(ui)?.with_object(&path, None, &pair).or_exit(Exit::Invalid)?;
            let policy = Policy::default();
            on_machine(ui, &Change { wanted: &wanted, policy: &policy, document: Some(&document), how })
        }
        AluaVerb::Lint { one, other } => {
            let (_, a) = files::wanted(ui, one, false)?;
            let (_, b) = files::wanted(ui, other, false)?;
            let found = lint(&a, &b);
            ui.emit("esos.scst.alua-lint/1", &found, |human| {
                found.iter().for_each(|m| human.line(format!("{}: {} [{}]", m.path, m.message, m.code)));
                if found.is_empty() {
                    human.line("the two boxes fit");
                }
            })?;
            Ok(if found.is_empty() { Exit::Done } else { Exit::Differs })
        }
    }
}

#[derive(Serialize)]
struct Row {
    group: String,
    devices: Vec<String>,
    target_group: String,
    group_id: String,
    state: String,
    preferred: bool,
    targets: Vec<String>,
}

fn rows(live: &Live) -> Vec<Row> {
    let mut rows = Vec::new();
    for (group, g) in &live.device_groups {
        for (tg, t) in &g.target_groups {
            let text = |name: &str| {
                let value = t.attributes.get(name).and_then(|a| a.value.as_ref());
                value.map(|v| v.expose().to_owned()).unwrap_or_default()
            };
            rows.push(Row {
                group: group.to_string(),
                devices: g.devices.iter().map(ToString::to_string).collect(),
                target_group: tg.to_string(),
                group_id: text("group_id"),
                state: text("state"),
                preferred: text("preferred") == "1",
                targets: t.targets.keys().map(ToString::to_string).collect(),
            });
        }
    }
    rows
}

fn show(ui: &mut Ui, state: Option<&Path>) -> Result<Exit, Failure> {
    let rows = rows(&verbs::live(ui, state)?);
    ui.emit("esos.scst.alua/1", &rows, |human| {
        let mut table = esos_cli::Table::new(["GROUP", "TARGET GROUP", "ID", "STATE", "DEVICES", "TARGETS"]);
        for r in &rows {
            let state = if r.preferred { format!("{} (preferred)", r.state) } else { r.state.clone() };
            let (devices, targets) = (r.devices.join(" "), r.targets.join(" "));
            table.row([r.group.clone(), r.target_group.clone(), r.group_id.clone(), state, devices, targets]);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}
