//! The stick, and what is on it.
use crate::check::{Told, over};
use crate::limits::{longer, was};
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

/// A change waits a minute at most until it is written, and a sync that takes longer than 20 seconds is a problem of its
/// own: seconds until nothing having been written is one.
const OLD: [u64; 2] = [300, 3600];

pub(crate) fn conf(facts: &Facts, before: &Before) -> Told {
    over(&facts.conf, |text| {
        let Ok(state) = serde_json::from_str::<Value>(text) else {
            return Fact::Unknown("/run/esos/conf.json makes no sense".to_owned());
        };
        let problem = state["problem"].as_str().unwrap_or_default();
        if problem.is_empty() {
            return age(&state, &facts.uptime, before);
        }
        let text = format!("changes are not on the stick: {problem}");
        let remedy = "esos stick show; esos conf sync";
        Fact::Known(one("conf", "configuration", "pending", Status::Crit, text, remedy))
    })
}

/// How long the stick may lack something: since a change that waits was seen, or since anybody looked for changes.
fn age(state: &Value, uptime: &Fact<u64>, before: &Before) -> Told {
    over(uptime, |now| {
        let Some(looked) = state["looked"].as_u64() else {
            return Fact::Unknown("the watcher of the configuration does not say when it looked".to_owned());
        };
        let unseen = now.saturating_sub(looked);
        let waits = state["since"].as_u64().map_or(0, |since| now.saturating_sub(since));
        let status = longer(unseen.max(waits), OLD, was(before, ["conf", "configuration", "old"]));
        let last = state["last"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok());
        let last = last.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let text = match waits > unseen {
            true => format!("changes wait for {waits} s to be written to the stick; its last sync: {last}"),
            false => format!("its watcher has not looked for changes for {unseen} s; its last sync: {last}"),
        };
        let remedy =
            "esos conf sync; then end the watcher, which init starts anew: pkill -9 -f 'esos-conf watch'";
        Fact::Known(one("conf", "configuration", "old", status, text, remedy))
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
