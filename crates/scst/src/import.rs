//! Configurations of other targets, as SCST's: what could be carried, and a list of what could not.
mod targetcli;

pub use targetcli::{ImportError, targetcli};

use crate::model::Config;

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// The configuration.
    pub config: Config,
    /// What was left behind or means something else now, one sentence each; never a secret.
    pub left: Vec<String>,
}

/// Takes what SCST makes by itself out of a configuration that another manager rendered (TrueNAS): its
/// copy_manager LUNs have numbers of their own on every start.
#[must_use]
pub fn scst(mut config: Config) -> Imported {
    let mut left = Vec::new();
    let automatic = config.drivers.iter_mut().filter(|(n, _)| n.as_str() == "copy_manager");
    for (name, target) in automatic.flat_map(|(_, d)| d.targets.iter_mut()) {
        if !target.luns.is_empty() {
            let n = target.luns.len();
            left.push(format!("copy_manager/{name}: {n} LUNs are left out; SCST makes them itself"));
            target.luns.clear();
        }
    }
    for (name, driver) in &config.drivers {
        for portal in driver.attributes.all("internal_portal") {
            left.push(format!("{name}: internal_portal {} is the old box's own address", portal.expose()));
        }
    }
    config.drivers.retain(|n, d| n.as_str() != "copy_manager" || !d.attributes.is_empty());
    for (handler, h) in &mut config.handlers {
        if handler.as_str().starts_with("dev_") && !h.devices.is_empty() {
            let n = h.devices.len();
            left.push(format!(
                "dev/{handler}: {n} SCSI devices are named by their addresses on the old box; they are pending until \
                 this box has them"
            ));
        }
        for (device, d) in &mut h.devices {
            if d.attributes.get("filename").is_some_and(|f| f.expose().starts_with("/dev/zvol/")) {
                left.push(format!(
                    "dev/{handler}/{device}: its ZFS volume must be there under the same name"
                ));
            }
            if d.attributes.get("cluster_mode").is_some_and(|v| v.expose() == "1") {
                left.push(format!("dev/{handler}/{device}: cluster_mode needs a DLM that runs on this box"));
            }
        }
    }
    Imported { config, left }
}
