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
    let nvme = &json["nvme_smart_health_information_log"];
    let warns = nvme["critical_warning"].as_u64().filter(|bits| *bits > 0).map(warning);
    match json["smart_status"]["passed"].as_bool() {
        // A drive that warns has not passed; what it warns of says more.
        _ if warns.is_some() => {
            found.push(finding("failing", Status::Crit, warns.unwrap_or_default()));
        }
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

/// The bits of "Critical Warning" (NVMe Base Specification 2.0, figure 207).
fn warning(bits: u64) -> String {
    const BITS: [&str; 6] = [
        "its spare blocks are used up",
        "its temperature is beyond a limit",
        "it has become unreliable after errors",
        "it has become read-only",
        "the battery of its cache has failed",
        "its persistent memory region is unreliable or read-only",
    ];
    let known = BITS.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, text)| *text);
    let known: Vec<&str> = known.collect();
    if known.is_empty() || bits >> BITS.len() > 0 {
        return format!(
            "the drive warns: {}",
            [known.as_slice(), &[&format!("{bits:#x}")]].concat().join(", ")
        );
    }
    format!("the drive warns: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_that_warns_is_told_once_and_in_words() {
        let json = |warning: u64| {
            let text = format!(
                r#"{{"smart_status":{{"passed":false}},"nvme_smart_health_information_log":{{"critical_warning":{warning}}}}}"#
            );
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let found = drive("/dev/nvme0", &json(12), "r");
        let expected = "the drive warns: it has become unreliable after errors, it has become read-only";
        assert_eq!(found.iter().map(|f| f.message.as_str()).collect::<Vec<_>>(), [expected]);
        assert_eq!(
            drive("/dev/nvme0", &json(0x41), "r")[0].message,
            "the drive warns: its spare blocks are used up, 0x41"
        );
        assert_eq!(drive("/dev/nvme0", &json(0), "r")[0].message, "the drive says that it will fail");
    }
}
