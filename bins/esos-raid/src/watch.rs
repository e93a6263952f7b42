//! `esos-raid rebuild watch`: until nothing is being rebuilt.
use crate::machine;
use crate::target::Name;
use esos_cli::{Exit, Failure, Ui};
use esos_raid::{Answer, ArrayState, Facts, Tool};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

/// One thing that goes on.
#[derive(Debug, Clone, PartialEq)]
struct Going {
    object: String,
    kind: String,
    percent: Option<f64>,
    left: Option<String>,
}

impl Going {
    fn line(&self) -> String {
        let percent = self.percent.map_or_else(|| "waiting".to_owned(), |p| format!("{p:.1} %"));
        let left = self.left.as_ref().map(|l| format!(", {l} left")).unwrap_or_default();
        format!("{}: {} {percent}{left}", self.object, self.kind)
    }
}

fn going(answer: &Answer, only: Option<&Name>) -> Vec<Going> {
    let facts = &answer.facts;
    let name = |controller: &Option<String>, id: &str| match controller {
        Some(c) => format!("{}:{c}/{id}", answer.tool),
        None => format!("{}:{id}", answer.tool),
    };
    let wanted = |id: &str| only.is_none_or(|only| only.id == id);
    let arrays = facts.arrays.iter().filter(|a| wanted(&a.id)).filter_map(|a| {
        let op = a.op.as_ref()?;
        Some(Going {
            object: name(&a.controller, &a.id),
            kind: op.kind.as_ref().map_or("task", esos_raid::TaskKind::as_str).to_owned(),
            percent: op.percent.as_ref().and_then(serde_json::Number::as_f64),
            left: op.details.get("finish_min").map(|m| format!("{m} min")),
        })
    });
    let tasks =
        facts.ops.iter().filter(|op| only.is_none() || op.array.as_deref().is_some_and(wanted)).filter_map(
            |op| {
                let percent = op.percent.as_ref().and_then(serde_json::Number::as_f64)?;
                let target = op.array.as_deref().or(op.target.as_deref()).unwrap_or("?");
                Some(Going {
                    object: name(&op.controller, target),
                    kind: op.kind.as_ref().map_or("task", esos_raid::TaskKind::as_str).to_owned(),
                    percent: Some(percent),
                    left: op.details.get("eta_raw").and_then(Value::as_str).map(str::to_owned),
                })
            },
        );
    arrays.chain(tasks).collect()
}

fn whole(facts: &Facts, only: Option<&Name>) -> bool {
    facts.arrays.iter().filter(|a| only.is_none_or(|only| only.id == a.id)).all(|a| {
        !matches!(
            a.state,
            Some(
                ArrayState::Degraded
                    | ArrayState::PartiallyDegraded
                    | ArrayState::Failed
                    | ArrayState::Rebuilding
            )
        )
    })
}

pub(crate) fn watch(ui: &mut Ui, array: Option<&str>, interval: u64) -> Result<Exit, Failure> {
    let only = array.map(Name::parse);
    let mut last = Vec::new();
    let everything = loop {
        let everything = machine::ask(ui, &Tool::ALL)?;
        let now: Vec<Going> = everything
            .answers
            .iter()
            .filter(|a| a.tool != Tool::Mdstat)
            .flat_map(|a| going(a, only.as_ref()))
            .collect();
        if now != last {
            now.iter().for_each(|g| ui.say(g.line()));
        }
        if now.is_empty() || everything.answers.is_empty() {
            break everything;
        }
        last = now;
        sleep(Duration::from_secs(interval.max(1)));
    };
    if let Some(only) = &only
        && !everything.answers.iter().any(|a| a.facts.arrays.iter().any(|x| x.id == only.id))
    {
        return Err(Failure::new(Exit::Invalid, format!("there is no array `{}`", only.id)));
    }
    let whole = everything.answers.iter().all(|a| whole(&a.facts, only.as_ref()));
    ui.emit("esos.raid.watch/1", &json!({ "whole": whole }), |human| {
        human.line(if whole {
            "nothing is being rebuilt"
        } else {
            "nothing is being rebuilt, but not all arrays are whole"
        });
    })?;
    Ok(if !whole { Exit::Differs } else { everything.exit() })
}
