//! `smartctl --json -H -A` of each drive.
use crate::check::{Told, over};
use crate::{Before, Fact, Facts, Finding, Status};
use serde_json::Value;

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    over(&facts.smart, |drives| {
        let mut found = Vec::new();
        for (device, answer) in drives {
            let remedy = format!("smartctl -x {device}; replace the drive");
            let unknown =
                |why: String| Finding::new("smart", device, "unknown", Status::Unknown, why, remedy.as_str());
            match answer {
                Fact::Unused => {}
                Fact::Unknown(why) => found.push(unknown(why.clone())),
                Fact::Known(text) => match serde_json::from_str::<Value>(text) {
                    Err(e) => found.push(unknown(format!("smartctl's answer makes no sense: {e}"))),
                    Ok(json) => found.extend(drive(device, &json, &remedy)),
                },
            }
        }
        Fact::Known(found)
    })
}

fn drive(device: &str, json: &Value, remedy: &str) -> Vec<Finding> {
    let finding = |kind, status, text: String| Finding::new("smart", device, kind, status, text, remedy);
    let mut found = Vec::new();
    match json["smart_status"]["passed"].as_bool() {
        Some(true) => {}
        Some(false) => {
            found.push(finding("failing", Status::Crit, "the drive says that it will fail".to_owned()));
        }
        None => {
            found.push(finding("unknown", Status::Unknown, "the drive does not say how it is".to_owned()));
        }
    }
    let table = json["ata_smart_attributes"]["table"].as_array();
    for row in table.into_iter().flatten() {
        let (name, raw) =
            (row["name"].as_str().unwrap_or_default(), row["raw"]["value"].as_u64().unwrap_or(0));
        let watched = ["Current_Pending_Sector", "Offline_Uncorrectable", "Reported_Uncorrect"];
        if watched.contains(&name) && raw > 0 {
            found.push(finding(name, Status::Warn, format!("{name} is {raw}")));
        }
    }
    let nvme = &json["nvme_smart_health_information_log"];
    if nvme["critical_warning"].as_u64().is_some_and(|w| w > 0) {
        found.push(finding(
            "failing",
            Status::Crit,
            format!("the drive warns: {}", nvme["critical_warning"]),
        ));
    }
    if nvme["percentage_used"].as_u64().is_some_and(|p| p >= 90) {
        found.push(finding(
            "worn",
            Status::Warn,
            format!("{} % of its life are used", nvme["percentage_used"]),
        ));
    }
    if nvme["media_errors"].as_u64().is_some_and(|e| e > 0) {
        found.push(finding("media", Status::Warn, format!("{} media errors", nvme["media_errors"])));
    }
    let grown = &json["scsi_grown_defect_list"];
    if grown.as_u64().is_some_and(|n| n > 100) {
        found.push(finding("defects", Status::Warn, format!("{grown} grown defects")));
    }
    found
}
