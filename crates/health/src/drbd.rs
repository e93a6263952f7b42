//! `drbdsetup status --json`.
use crate::check::{Told, over};
use crate::machine::one;
use crate::{Before, Fact, Facts, Status};
use serde_json::Value;

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    over(&facts.drbd, |text| {
        let Ok(Value::Array(resources)) = serde_json::from_str::<Value>(text) else {
            return Fact::Unknown("the output of drbdsetup makes no sense".to_owned());
        };
        let mut found = Vec::new();
        for resource in &resources {
            let name = resource["name"].as_str().unwrap_or("?");
            let remedy = format!("esos drbd status; drbdadm status {name}");
            for device in resource["devices"].as_array().into_iter().flatten() {
                let (volume, state) = (&device["volume"], device["disk-state"].as_str().unwrap_or("?"));
                let status = match state {
                    "UpToDate" | "Diskless" if device["client"].as_bool() == Some(true) => Status::Ok,
                    "UpToDate" => Status::Ok,
                    "Inconsistent" | "Negotiating" | "Attaching" => Status::Warn,
                    _ => Status::Crit,
                };
                let text = format!("its disk is {state}");
                found.extend(one("drbd", &format!("{name}/{volume}"), "disk", status, text, &remedy));
            }
            for peer in resource["connections"].as_array().into_iter().flatten() {
                let who = peer["name"].as_str().unwrap_or("?");
                let state = peer["connection-state"].as_str().unwrap_or("?");
                let status = match state {
                    "Connected" => Status::Ok,
                    "StandAlone" => Status::Crit,
                    _ => Status::Warn,
                };
                let text = format!("the connection to {who} is {state}");
                found.extend(one("drbd", &format!("{name}/{who}"), "connection", status, text, &remedy));
                for device in peer["peer_devices"].as_array().into_iter().flatten() {
                    let disk = device["peer-disk-state"].as_str().unwrap_or("?");
                    let bad = state == "Connected" && !matches!(disk, "UpToDate" | "Diskless");
                    let status = if bad { Status::Warn } else { Status::Ok };
                    let object = format!("{name}/{who}/{}", device["volume"]);
                    found.extend(one(
                        "drbd",
                        &object,
                        "peer-disk",
                        status,
                        format!("the peer's disk is {disk}"),
                        &remedy,
                    ));
                }
            }
        }
        Fact::Known(found)
    })
}
