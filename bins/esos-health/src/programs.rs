//! Facts out of programs. One that is missing where it is needed makes its check unknown, never well.
use crate::files::has_stick;
use esos_exec::{Cmd, HostRunner, Runner};
use esos_health::{Fact, Facts};
use esos_hostfs::{Files, HostFiles};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// What a program printed, whatever its status, if it printed anything.
fn ask(program: &str, args: &[&str]) -> Fact<String> {
    let cmd = Cmd::new(program).args(args.iter().copied()).limit(LIMIT);
    match HostRunner.run(&cmd) {
        Err(e) => Fact::Unknown(e.to_string()),
        Ok(output) if output.stdout.is_empty() && !output.status.success() => {
            let said = output.error_text();
            Fact::Unknown(format!(
                "{cmd}: {}: {}",
                output.status,
                said.lines().next().unwrap_or("it says nothing")
            ))
        }
        Ok(output) => Fact::Known(output.text().into_owned()),
    }
}

pub(crate) fn gather(files: &HostFiles, live: bool, facts: &mut Facts) {
    let there = |path: &str| files.stat(path).is_ok();
    let names = |path: &str| files.list(path).unwrap_or_default();
    let drives: Vec<String> =
        names("/sys/block").into_iter().filter(|n| n.starts_with("sd") || n.starts_with("nvme")).collect();
    let mapped = names("/sys/block").into_iter().filter(|n| n.starts_with("dm-")).any(|n| {
        files.read(&format!("/sys/block/{n}/dm/uuid")).is_ok_and(|uuid| uuid.starts_with(b"mpath-"))
    });
    let stick = has_stick(files);
    let resources = names("/etc/drbd.d").iter().any(|n| n.ends_with(".res"));
    let cluster = there("/etc/corosync/corosync.conf");
    let controller = names("/sys/class/scsi_host").into_iter().find_map(|host| {
        let driver = files.read(&format!("/sys/class/scsi_host/{host}/proc_name")).ok()?;
        let driver = String::from_utf8_lossy(&driver).trim().to_owned();
        ["megaraid_sas", "aacraid", "hpsa", "smartpqi", "arcmsr", "3w-9xxx", "3w-sas"]
            .contains(&driver.as_str())
            .then_some(driver)
    });
    if !live {
        let copied = |program: &str, used: bool| {
            if used {
                Fact::Unknown(format!("{program} cannot be asked about a copied tree"))
            } else {
                Fact::Unused
            }
        };
        facts.multipath = copied("multipath", mapped);
        facts.drbd = copied("drbdsetup", resources);
        facts.cluster = copied("crm_mon", cluster);
        facts.time = copied("chronyc", there("/etc/chrony/chrony.conf"));
        facts.slots = copied("esos-image", stick);
        if !drives.is_empty() {
            facts.smart = Fact::Unknown("smartctl cannot be asked about a copied tree".to_owned());
        }
        if let Some(driver) = controller {
            facts.raid = Fact::Unknown(format!("the tool of {driver} cannot be asked about a copied tree"));
        }
        return;
    }
    if !drives.is_empty() {
        facts.smart = smart();
    }
    if mapped {
        facts.multipath = ask("/usr/sbin/multipath", &["-ll"]);
    }
    if stick {
        facts.slots = ask("/usr/sbin/esos-image", &["slots", "--json"]);
    }
    if resources {
        facts.drbd = ask("/usr/sbin/drbdsetup", &["status", "--json"]);
    }
    if cluster {
        facts.cluster = ask("/usr/sbin/crm_mon", &["-1"]);
    }
    facts.time = ask("/usr/bin/chronyc", &["-c", "tracking"]);
    facts.raid = raid(controller);
}

fn smart() -> Fact<Vec<(String, Fact<String>)>> {
    const PROGRAM: &str = "/usr/sbin/smartctl";
    let scanned = match ask(PROGRAM, &["--json", "--scan"]) {
        Fact::Known(text) => text,
        Fact::Unknown(why) => return Fact::Unknown(why),
        Fact::Unused => return Fact::Unused,
    };
    let Ok(json) = serde_json::from_str::<Value>(&scanned) else {
        return Fact::Unknown("the output of smartctl --scan makes no sense".to_owned());
    };
    let devices = json["devices"].as_array().cloned().unwrap_or_default();
    let one = |device: &Value| {
        let name = device["name"].as_str()?.to_owned();
        let kind = device["type"].as_str().unwrap_or("auto");
        let answer = ask(PROGRAM, &["--json", "-H", "-A", "-d", kind, &name]);
        Some((name, answer))
    };
    Fact::Known(devices.iter().filter_map(one).collect())
}

/// What `esos-raid` says of controllers; md is looked at by itself.
fn raid(controller: Option<String>) -> Fact<Vec<(String, String, bool, String)>> {
    let text = match ask("/usr/sbin/esos-raid", &["health", "--json"]) {
        Fact::Known(text) => text,
        Fact::Unknown(_) | Fact::Unused if controller.is_none() => return Fact::Unused,
        Fact::Unknown(why) => return Fact::Unknown(why),
        Fact::Unused => return Fact::Unused,
    };
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let rows = json["data"].as_array();
    let of_md = |tool: &str| tool == "mdadm" || tool == "mdstat";
    if let (None, Some(driver)) = (rows, &controller) {
        let why = json["error"]["message"].as_str().unwrap_or("its tool is missing");
        return Fact::Unknown(format!("a controller of {driver} is there, and {why}"));
    }
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let (tool, severity) = (text("tool"), text("severity"));
        let counts = !of_md(&tool) && severity != "note";
        counts.then(|| (tool, text("object"), severity == "crit", text("message")))
    };
    match rows {
        None => Fact::Unused,
        Some(rows) => Fact::Known(rows.iter().filter_map(row).collect()),
    }
}
