//! Which kernel modules a configuration needs.
//!
//! SCST's core, `scst_vdisk` and iSCSI are loaded wherever they exist; the others when the configuration
//! names what they bring, or when the machine has the adapters that they drive. Names as of SCST 3.11.
use crate::model::Config;

/// Adapters of the machine that have a target driver of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hardware {
    /// QLogic Fibre Channel.
    pub qlogic: bool,
    /// InfiniBand or another RDMA device.
    pub rdma: bool,
}

/// A module to load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleWish {
    /// Its name, as modprobe takes it.
    pub name: &'static str,
    /// What it is loaded for, for people.
    pub why: String,
    /// Whether the configuration, or SCST itself, cannot do without it.
    pub needed: bool,
}

/// Device handlers and the modules that bring them.
const HANDLERS: &[(&str, &str)] = &[
    ("dev_cdrom", "scst_cdrom"),
    ("dev_changer", "scst_changer"),
    ("dev_disk", "scst_disk"),
    ("dev_disk_perf", "scst_disk"),
    ("dev_modisk", "scst_modisk"),
    ("dev_modisk_perf", "scst_modisk"),
    ("dev_processor", "scst_processor"),
    ("dev_raid", "scst_raid"),
    ("dev_tape", "scst_tape"),
    ("dev_tape_perf", "scst_tape"),
    ("dev_user", "scst_user"),
];
/// Target drivers and their modules.
const DRIVERS: &[(&str, &str)] =
    &[("fcst", "fcst"), ("ib_srpt", "ib_srpt"), ("qla2x00t", "qla2x00tgt"), ("scst_local", "scst_local")];

/// The modules, in the order of loading.
///
/// ```
/// use esos_scst::{Document, Hardware, modules};
///
/// let conf = Document::parse("x", "TARGET_DRIVER ib_srpt {\n\tenabled 1\n}\n".to_owned());
/// let names: Vec<_> = modules(conf.config(), Hardware::default()).iter().map(|m| m.name).collect();
/// assert_eq!(names, ["scst", "scst_vdisk", "iscsi_scst", "isert_scst", "ib_srpt"]);
/// ```
#[must_use]
pub fn modules(config: &Config, hardware: Hardware) -> Vec<ModuleWish> {
    let names_iscsi = config.drivers.keys().any(|d| d.as_str() == "iscsi");
    let mut all = vec![
        wish("scst", "SCST itself", true),
        wish("scst_vdisk", "virtual disks", true),
        wish("iscsi_scst", "iSCSI", names_iscsi),
        wish("isert_scst", "iSER, iSCSI over RDMA", false),
    ];
    let mut add = |name: &'static str, why: String, needed: bool| {
        if !all.iter().any(|m| m.name == name) {
            all.push(ModuleWish { name, why, needed });
        }
    };
    for handler in config.handlers.keys() {
        for (_, module) in HANDLERS.iter().filter(|(h, _)| *h == handler.as_str()) {
            add(module, format!("handler {handler}"), true);
        }
    }
    for driver in config.drivers.keys() {
        for (_, module) in DRIVERS.iter().filter(|(d, _)| *d == driver.as_str()) {
            add(module, format!("target driver {driver}"), true);
        }
    }
    if hardware.qlogic {
        add("qla2x00tgt", "QLogic adapters of this machine".to_owned(), false);
    }
    if hardware.rdma {
        add("ib_srpt", "RDMA devices of this machine".to_owned(), false);
    }
    all
}

fn wish(name: &'static str, why: &str, needed: bool) -> ModuleWish {
    ModuleWish { name, why: why.to_owned(), needed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    fn names(conf: &str, hardware: Hardware) -> Vec<(&'static str, bool)> {
        let conf = Document::parse("x", conf.to_owned());
        modules(conf.config(), hardware).into_iter().map(|m| (m.name, m.needed)).skip(2).collect()
    }

    #[test]
    fn what_the_configuration_names_is_needed() {
        let conf =
            "HANDLER dev_disk {\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n}\nTARGET_DRIVER qla2x00t {\n}\n";
        let both = Hardware { qlogic: true, rdma: true };
        let expected = [
            ("iscsi_scst", true),
            ("isert_scst", false),
            ("scst_disk", true),
            ("qla2x00tgt", true),
            ("ib_srpt", false),
        ];
        assert_eq!(names(conf, both), expected);
    }

    #[test]
    fn nothing_more_is_loaded_for_an_empty_box() {
        assert_eq!(names("", Hardware::default()), [("iscsi_scst", false), ("isert_scst", false)]);
    }
}
