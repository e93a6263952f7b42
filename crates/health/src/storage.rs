//! md, RAID controllers, multipath.
use crate::check::{Told, over};
use crate::machine::one;
use crate::{Before, Fact, Facts, Finding, Status};
use esos_raid::{Capture, Severity, Tool, health, parse};

pub(crate) fn md(facts: &Facts, _: &Before) -> Told {
    over(&facts.mdstat, |text| {
        let read = parse(Tool::Mdstat, &[Capture::new("mdstat", "cat /proc/mdstat", text.as_str())]);
        if let Some(problem) = &read.error {
            return Fact::Unknown(format!("/proc/mdstat: {problem:?}"));
        }
        Fact::Known(
            health(&read)
                .into_iter()
                .filter_map(|f| finding("md", f.object, f.severity, f.message))
                .collect(),
        )
    })
}

fn finding(check: &str, object: String, severity: Severity, message: String) -> Option<Finding> {
    let status = match severity {
        Severity::Crit => Status::Crit,
        Severity::Warn => Status::Warn,
        _ => return None,
    };
    // `array md0`: the object is the array.
    let object = object.rsplit(' ').next().unwrap_or(&object).to_owned();
    let remedy = format!("esos raid show {object}; esos raid health");
    Some(Finding::new(check, object, "state", status, message, remedy))
}

pub(crate) fn raid(facts: &Facts, _: &Before) -> Told {
    over(&facts.raid, |found| {
        let row = |(tool, object, crit, message): &(String, String, bool, String)| {
            let status = if *crit { Status::Crit } else { Status::Warn };
            Finding::new(
                "raid",
                format!("{tool}/{object}"),
                "state",
                status,
                message.clone(),
                "esos raid health; esos raid show",
            )
        };
        Fact::Known(found.iter().map(row).collect())
    })
}

/// `multipath -ll`: a map's line begins at the left margin, its paths are indented: `|- 2:0:0:1 sdb 8:16 failed faulty running`.
pub(crate) fn multipath(facts: &Facts, _: &Before) -> Told {
    over(&facts.multipath, |text| {
        let mut found = Vec::new();
        let (mut map, mut good, mut bad) = (String::new(), 0u32, Vec::new());
        let mut flush = |map: &str, good: u32, bad: &mut Vec<String>| {
            if !bad.is_empty() {
                let status = if good == 0 { Status::Crit } else { Status::Warn };
                let text = format!(
                    "{} of {} paths failed: {}",
                    bad.len(),
                    bad.len() + good as usize,
                    bad.join(", ")
                );
                found.extend(one(
                    "multipath",
                    map,
                    "paths",
                    status,
                    text,
                    "multipath -ll; cables, switches, zoning",
                ));
            }
            bad.clear();
        };
        for line in text.lines() {
            if line.starts_with(|c: char| c.is_ascii_alphanumeric()) && line.contains(" dm-") {
                flush(&map, good, &mut bad);
                map = line.split_whitespace().next().unwrap_or_default().to_owned();
                good = 0;
                continue;
            }
            let words: Vec<&str> = line.trim_start_matches(['|', '`', '-', ' ']).split_whitespace().collect();
            if let [address, device, number, state, checker, ..] = words.as_slice()
                && address.matches(':').count() == 3
                && number.contains(':')
            {
                if *state == "active" && *checker == "ready" {
                    good += 1;
                } else {
                    bad.push((*device).to_owned());
                }
            }
        }
        flush(&map, good, &mut bad);
        Fact::Known(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_fail() {
        let text = "mpatha (3600508b4000156d700012000000b0000) dm-0 HP,HSV210\nsize=50G features='0' hwhandler='0' wp=rw\n\
                    |-+- policy='service-time 0' prio=50 status=active\n| |- 2:0:0:1 sdb 8:16 active ready running\n\
                    `-+- policy='service-time 0' prio=10 status=enabled\n  `- 3:0:0:1 sdc 8:32 failed faulty running\n";
        let mut facts = Facts::unused();
        facts.multipath = Fact::Known(text.into());
        let Fact::Known(found) = multipath(&facts, &Before::default()) else { panic!() };
        assert_eq!((found[0].object.as_str(), found[0].status), ("mpatha", Status::Warn));
        assert!(found[0].message.contains("1 of 2 paths failed: sdc"), "{}", found[0].message);
        facts.multipath = Fact::Known(text.replace("failed faulty", "active ready"));
        assert_eq!(multipath(&facts, &Before::default()), Fact::Known(vec![]));
    }
}
