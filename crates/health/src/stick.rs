//! The stick, and what is on it.
use crate::check::{Told, over};
use crate::machine::one;
use crate::{Before, Fact, Facts, Status};
use esos_layout::stick_state::{Presence, StickState};
use serde_json::Value;

pub(crate) fn present(facts: &Facts, _: &Before) -> Told {
    over(&facts.stick, |text| {
        let Ok(state) = serde_json::from_str::<StickState>(text) else {
            return Fact::Unknown("/run/esos/stick.json makes no sense".to_owned());
        };
        let object = state.device.unwrap_or_else(|| "stick".to_owned());
        match state.state {
            Presence::Present => Fact::Known(Vec::new()),
            Presence::Gone | Presence::Refused => Fact::Known(one(
                "stick",
                &object,
                "gone",
                Status::Crit,
                state.message,
                "put back the stick that was booted; esos stick show",
            )),
            _ => Fact::Unknown(state.message),
        }
    })
}

pub(crate) fn conf(facts: &Facts, _: &Before) -> Told {
    over(&facts.conf, |text| {
        let Ok(state) = serde_json::from_str::<Value>(text) else {
            return Fact::Unknown("/run/esos/conf.json makes no sense".to_owned());
        };
        let problem = state["problem"].as_str().unwrap_or_default();
        let status = if problem.is_empty() { Status::Ok } else { Status::Crit };
        let text = format!("changes are not on the stick: {problem}");
        Fact::Known(one("conf", "configuration", "pending", status, text, "esos stick show; esos conf sync"))
    })
}

pub(crate) fn restored(facts: &Facts, _: &Before) -> Told {
    over(&facts.restored, |text| {
        let Ok(state) = serde_json::from_str::<Value>(text) else {
            return Fact::Unknown("what was restored at boot makes no sense".to_owned());
        };
        let mut found = Vec::new();
        if state["complete"].as_bool() != Some(true) {
            let why = state["problem"].as_str().unwrap_or("things are missing");
            let text = format!("the configuration was not restored whole: {why}");
            found.extend(one(
                "restore",
                "configuration",
                "incomplete",
                Status::Crit,
                text,
                "esos conf status; esos conf restore",
            ));
        }
        let mut told = Vec::new();
        for passed in state["passed"].as_array().into_iter().flatten().filter(|p| p["damaged"] == true) {
            let (id, why) = (&passed["id"], passed["why"].as_str().unwrap_or("damaged"));
            told.extend([why.to_owned(), format!("generation @{id}: {why}")]);
            let text = format!("the configuration is an older one: @{id} could not be restored: {why}");
            found.extend(one(
                "restore",
                &format!("@{id}"),
                "passed",
                Status::Crit,
                text,
                "esos conf status; esos conf verify; replace the stick",
            ));
        }
        for damage in state["damaged"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if told.iter().any(|t| t == damage) {
                continue;
            }
            let object = damage.split(':').next().unwrap_or("store");
            found.extend(one(
                "restore",
                object,
                "damaged",
                Status::Warn,
                damage.to_owned(),
                "esos conf verify; replace the stick",
            ));
        }
        Fact::Known(found)
    })
}
