//! `esos-image slots --json`: whether the box would start again, and from what.
use crate::check::{Told, over};
use crate::{Before, Fact, Facts, Finding, Status};
use serde_json::Value;

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    over(&facts.slots, |text| {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let data = &document["data"];
        let Some(slots) = data["slots"].as_array() else {
            let why = document["error"]["message"].as_str();
            return Fact::Unknown(why.unwrap_or("the output of esos-image slots makes no sense").to_owned());
        };
        let mut found = Vec::new();
        let mut add = |object: &str, kind: &str, status, text: String, remedy: &str| {
            found.push(Finding::new("slots", object, kind, status, text, remedy));
        };
        for slot in slots {
            let name = slot["slot"].as_str().unwrap_or("slot");
            if let Some(problem) = slot["problem"].as_str() {
                let text = format!("it cannot be read: {problem}");
                add(name, "damaged", Status::Crit, text, "esos image verify; esos image upgrade IMAGE");
            }
            if slot["state"] == "bad" {
                let why = data["fallback"]["text"].as_str().filter(|_| slot["running"] != true);
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                let text = format!("it is bad and is not started{why}");
                add(name, "bad", Status::Warn, text, "esos image slots; esos image upgrade IMAGE");
            }
        }
        if data["lost"] == true {
            let text = "both control records of the stick are broken: any slot is started".to_owned();
            add("control records", "lost", Status::Crit, text, "esos image mark-good");
        }
        if data["default"].is_null() {
            let text = "no slot would be started at the next boot".to_owned();
            add("next boot", "none", Status::Crit, text, "esos image slots; esos image upgrade IMAGE");
        }
        Fact::Known(found)
    })
}
