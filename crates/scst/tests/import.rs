//! Configurations of other targets: what becomes of them on SCST, and what is said of the rest.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
mod support;

use esos_scst::import::{Imported, scst, targetcli};
use esos_scst::{Config, Document, Policy, Value, observe, plan};
use esos_scst_sim::{Environment, Sim};
use support::{ALL, run};

const SAVECONFIG: &str = include_str!("import/saveconfig.json");
const TRUENAS: &str = include_str!("import/truenas.conf");

/// A box with the backing stores of a configuration and both fabrics.
fn box_for(config: &Config) -> Sim {
    let mut env = Environment::default();
    for (handler, h) in &config.handlers {
        for file in h.devices.values().filter_map(|d| d.attributes.get("filename")) {
            env = match handler.as_str() {
                "vdisk_blockio" => env.block(file.expose(), 1 << 30),
                _ => env.file(file.expose(), 1 << 30),
            };
        }
    }
    let sim = Sim::new(env);
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    sim.load_hardware("qla2x00t", &["21:00:00:24:ff:00:00:01"]);
    sim
}

/// The file that comes of it is applied, and nothing is left to do then.
fn applies(imported: &Imported) -> Config {
    let text = imported.config.to_conf().unwrap();
    let document = Document::parse("imported", text.as_str());
    let wanted = document.to_config().unwrap_or_else(|d| panic!("{d:#?}\n{text}"));
    assert_eq!(wanted, imported.config, "the file says what was imported");
    let sim = box_for(&wanted);
    run(&sim, &wanted, &Policy::default(), ALL)
        .unwrap_or_else(|e| panic!("{e} {:?}", std::error::Error::source(&e)));
    let planned = plan(&observe(&sim).unwrap(), &wanted, &Policy::default());
    assert!(planned.is_empty() && planned.pending.is_empty(), "{planned}");
    wanted
}

fn says(left: &[String], parts: &[&str]) {
    let found = left.iter().any(|l| parts.iter().all(|p| l.contains(p)));
    assert!(found, "nothing says {parts:?} in {left:#?}");
}

fn target<'c>(config: &'c Config, driver: &str, name: &str) -> &'c esos_scst::Target {
    let driver = config.drivers.iter().find(|(n, _)| n.as_str() == driver).unwrap().1;
    driver.targets.iter().find(|(n, _)| n.as_str().ends_with(name)).unwrap().1
}

fn value<'c>(attributes: &'c esos_scst::Attributes, name: &str) -> Option<&'c str> {
    attributes.get(name).map(Value::expose)
}

#[test]
fn targetclis_configuration_is_carried() {
    let imported = targetcli(SAVECONFIG).unwrap();
    let config = applies(&imported);
    let devices: Vec<String> = config
        .handlers
        .iter()
        .flat_map(|(h, handler)| handler.devices.keys().map(move |d| format!("{h}/{d}")))
        .collect();
    assert_eq!(devices, ["vdisk_blockio/db01", "vdisk_fileio/archive_v2", "vdisk_nullio/zero"]);
    let db01 = &config.handlers.values().next().unwrap().devices.values().next().unwrap().attributes;
    // Initiators see the disk that they saw: LIO's NAA identifier is made of the serial number.
    assert_eq!(value(db01, "naa_id"), Some("0x60014059c6a1f5308d44c1eb2a75d3e6"));
    assert_eq!((value(db01, "rotational"), value(db01, "thin_provisioned")), (Some("0"), Some("1")));
    let store = target(&config, "iscsi", "4d2c0b1a9f8e");
    assert!(store.luns.is_empty(), "nobody without an entry of its own sees a LUN");
    assert_eq!(value(&store.attributes, "IncomingUser"), Some("esx1 esx1-secret-pw"));
    assert_eq!(value(&store.attributes, "OutgoingUser"), Some("array mutualpw-2026"));
    let esx1 = store.groups.iter().find(|(n, _)| n.as_str().contains("esx1")).unwrap().1;
    let luns: Vec<String> = esx1
        .luns
        .iter()
        .map(|(n, l)| format!("{n} {} {}", l.device, value(&l.attributes, "read_only").unwrap_or("0")))
        .collect();
    assert_eq!(luns, ["0 db01 0", "4 archive_v2 1"]);
    // Demo mode protects from writing unless it was told otherwise.
    let open = target(&config, "iscsi", "sn.open");
    assert!(open.luns.values().all(|l| value(&l.attributes, "read_only") == Some("1")));
    let iscsi = config.drivers.iter().find(|(n, _)| n.as_str() == "iscsi").unwrap().1;
    assert_eq!(value(&iscsi.attributes, "IncomingUser"), Some("finder discoverme-2026"));
    let port = target(&config, "qla2x00t", "21:00:00:24:ff:00:00:01");
    assert!(port.hardware);
    assert!(
        port.groups
            .values()
            .next()
            .unwrap()
            .initiators
            .iter()
            .any(|i| i.as_str() == "21:00:00:e0:8b:00:00:01")
    );
}

#[test]
fn what_targetcli_had_and_scst_has_not_is_listed() {
    let left = targetcli(SAVECONFIG).unwrap().left;
    says(&left, &["fileio/blank", "file name"]);
    says(&left, &["ramdisk/scratch"]);
    says(&left, &["pscsi/library", "dev_disk"]);
    says(&left, &["user/vm7"]);
    says(&left, &["LUN 2", "user/vm7", "not carried"]);
    says(&left, &["fileio/archive.v2", "archive_v2"]);
    says(&left, &["portal group 2"]);
    says(&left, &["port 3261"]);
    says(&left, &["ALUA group nodeb"]);
    says(&left, &["esx2", "less than 12 characters"]);
    says(&left, &["vhost"]);
    let all = left.join("\n");
    for secret in ["esx1-secret-pw", "mutualpw-2026", "discoverme-2026"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn truenas_file_is_carried() {
    let document = Document::parse("truenas", TRUENAS);
    let imported = scst(document.to_config().unwrap_or_else(|d| panic!("{d:#?}")));
    let config = applies(&imported);
    let vms = target(&config, "iscsi", "ctl:vms");
    // `\\#` in the file separates an initiator from the portal that it may use.
    let group = vms.groups.values().next().unwrap();
    assert!(group.initiators.iter().any(|i| i.as_str() == "iqn.1998-01.com.vmware:esx1#192.0.2.20"));
    assert_eq!(value(&vms.attributes, "alias"), Some("VM store, rack 4"));
    assert_eq!(config.device_groups.values().next().unwrap().target_groups.len(), 2);
    says(&imported.left, &["copy_manager", "2 LUNs"]);
    says(&imported.left, &["vm-store", "ZFS"]);
    says(&imported.left, &["internal_portal 169.254.10.1"]);
}

#[test]
fn what_is_no_saveconfig_is_refused() {
    assert!(targetcli("{").is_err() && targetcli("[]").is_err() && targetcli("{\"a\": 1}").is_err());
    assert!(targetcli("{\"targets\": [], \"storage_objects\": []}").unwrap().config.is_empty());
}
