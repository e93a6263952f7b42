//! LIO's `saveconfig.json`, as targetcli and rtslib write it.
use super::Imported;
use crate::attributes::Attributes;
use crate::model::{Device, Group, LunMap, Target};
use crate::name::{DeviceName, DriverName, GroupName, HandlerName, InitiatorName, TargetName};
use esos_units::Lun;
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a text is no `saveconfig.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Not JSON at all.
    #[error("the file is no JSON")]
    Json {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// It has neither `storage_objects` nor `targets`.
    #[error("the file has neither `storage_objects` nor `targets`; expected targetcli's saveconfig.json")]
    Other,
}

/// Parameters that have the same name and meaning in SCST.
const PARAMETERS: [&str; 8] = [
    "DataDigest",
    "FirstBurstLength",
    "HeaderDigest",
    "ImmediateData",
    "InitialR2T",
    "MaxBurstLength",
    "MaxOutstandingR2T",
    "MaxXmitDataSegmentLength",
];

/// Reads a `saveconfig.json`. Initiators see the same disks: a device's NAA identifier is the one that LIO
/// made of its serial number.
///
/// # Errors
/// [`ImportError`] for a text that is none. What SCST has no place for is listed, not an error.
pub fn targetcli(text: &str) -> Result<Imported, ImportError> {
    let json: Value = serde_json::from_str(text).map_err(|source| ImportError::Json { source })?;
    let objects = json.get("storage_objects").and_then(Value::as_array);
    let targets = json.get("targets").and_then(Value::as_array);
    if objects.is_none() && targets.is_none() {
        return Err(ImportError::Other);
    }
    let mut reader = Reader { out: Imported::default(), devices: BTreeMap::new() };
    for object in objects.into_iter().flatten() {
        reader.storage(object);
    }
    for target in targets.into_iter().flatten() {
        reader.target(target);
    }
    for (name, driver) in &mut reader.out.config.drivers {
        if name.as_str() == "iscsi" {
            driver.attributes.set("enabled", "1");
        }
    }
    for module in list(&json, "fabric_modules") {
        reader.discovery(module);
    }
    Ok(reader.out)
}

struct Reader {
    out: Imported,
    /// Devices by LIO's path of the storage object.
    devices: BTreeMap<String, DeviceName>,
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}

fn flag(value: &Value, key: &str) -> bool {
    let value = value.get(key);
    value.and_then(Value::as_bool).unwrap_or_else(|| value.and_then(Value::as_u64) == Some(1))
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A port's WWN as SCST writes it: `21:00:…` for LIO's `naa.2100…`; other names as they are.
fn port_name(wwn: &str) -> String {
    let digits =
        wwn.strip_prefix("naa.").filter(|d| d.len() == 16 && d.chars().all(|c| c.is_ascii_hexdigit()));
    let Some(digits) = digits else { return wwn.to_owned() };
    let pairs: Vec<String> =
        digits.as_bytes().chunks(2).map(|p| String::from_utf8_lossy(p).to_ascii_lowercase()).collect();
    pairs.join(":")
}

impl Reader {
    fn left(&mut self, what: impl Into<String>) {
        self.out.left.push(what.into());
    }

    fn storage(&mut self, object: &Value) {
        let (name, plugin) = (text(object, "name"), text(object, "plugin"));
        let file = text(object, "dev");
        let handler = match plugin {
            "block" | "fileio" if !file.starts_with('/') || file.contains([' ', '\t', ';', '=']) => {
                self.left(format!("backstore {plugin}/{name}: SCST takes no file name such as `{file}`"));
                return;
            }
            "block" => "vdisk_blockio",
            "fileio" => "vdisk_fileio",
            "ramdisk" if flag(object, "nullio") => "vdisk_nullio",
            _ => {
                let why = match plugin {
                    "pscsi" => {
                        "SCST takes SCSI devices by their address: load scst_disk and use HANDLER dev_disk"
                    }
                    "ramdisk" => "SCST has no RAM disk",
                    _ => "SCST has no such backstore",
                };
                self.left(format!("backstore {plugin}/{name}: {why}"));
                return;
            }
        };
        let Some(device) = self.device_name(name, plugin) else { return };
        let attributes = object.get("attributes").unwrap_or(&Value::Null);
        let mut set = Attributes::new();
        if handler == "vdisk_nullio" {
            set.set("size", number(object, "size").unwrap_or(0).to_string());
        } else {
            set.set("filename", file);
        }
        if let Some(size) = number(attributes, "block_size").filter(|s| *s != 512) {
            set.set("blocksize", size.to_string());
        }
        if flag(object, "readonly") {
            set.set("read_only", "1");
        }
        if number(attributes, "is_nonrot") == Some(1) {
            set.set("rotational", "0");
        }
        // LIO's write_back of a file is a volatile cache, which both then tell initiators.
        if plugin == "fileio" && !flag(object, "write_back") {
            set.set("write_through", "1");
        }
        if number(attributes, "emulate_tpu") == Some(1) {
            set.set("thin_provisioned", "1");
        }
        let serial = text(object, "wwn");
        if !serial.is_empty() {
            let hex: String = serial.chars().filter(char::is_ascii_hexdigit).take(25).collect();
            if hex.len() == 25 {
                set.set("naa_id", format!("0x6001405{}", hex.to_ascii_lowercase()));
            }
            set.set("usn", serial.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>());
            self.left(format!(
                "dev/{handler}/{device}: SCST's serial has at most 20 characters, LIO's has {}",
                serial.len()
            ));
        }
        set.set("t10_vend_id", "LIO-ORG");
        set.set("prod_id", name.chars().take(16).collect::<String>());
        if let Ok(handler) = HandlerName::new(handler) {
            let handler = self.out.config.handlers.entry(handler).or_default();
            handler.devices.insert(device.clone(), Device { attributes: set });
        }
        self.devices.insert(format!("/backstores/{plugin}/{name}"), device);
    }

    /// A name that SCST takes, and that no other device has.
    fn device_name(&mut self, name: &str, plugin: &str) -> Option<DeviceName> {
        let allowed =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':') { c } else { '_' };
        let base: String = name.chars().map(allowed).take(56).collect();
        let taken = |n: &DeviceName| self.devices.values().any(|d| d == n);
        let mut names = [base.clone()].into_iter().chain((2..99).map(|n| format!("{base}_{n}")));
        let found = names.find_map(|n| DeviceName::new(n).ok().filter(|n| !taken(n)));
        match &found {
            Some(device) if device.as_str() != name => {
                self.left(format!("backstore {plugin}/{name} is called {device} now"));
            }
            None => self.left(format!("backstore {plugin}/{name}: no name for it can be found")),
            Some(_) => {}
        }
        found
    }

    fn target(&mut self, target: &Value) {
        let (fabric, wwn) = (text(target, "fabric"), text(target, "wwn"));
        let driver = match fabric {
            "iscsi" => "iscsi",
            "qla2xxx" => "qla2x00t",
            "fcoe" | "tcm_fc" => "fcst",
            "srpt" => {
                self.left(format!("target {fabric}/{wwn}: configure it below TARGET_DRIVER ib_srpt"));
                return;
            }
            _ => {
                self.left(format!("target {fabric}/{wwn}: SCST has no such driver"));
                return;
            }
        };
        let Ok(name) = TargetName::new(port_name(wwn)) else {
            self.left(format!("target {fabric}/{wwn}: SCST takes no such name"));
            return;
        };
        let mut tpgs = list(target, "tpgs");
        let Some(tpg) = tpgs.next() else {
            self.left(format!("target {wwn}: it has no portal group"));
            return;
        };
        for more in tpgs {
            let tag = number(more, "tag").unwrap_or(0);
            self.left(format!("target {wwn}: portal group {tag} is left out; an SCST target has one"));
        }
        let mut made = self.portal_group(wwn, tpg);
        made.hardware = driver != "iscsi";
        if let Ok(driver) = DriverName::new(driver) {
            self.out.config.drivers.entry(driver).or_default().targets.insert(name, made);
        }
    }

    fn portal_group(&mut self, wwn: &str, tpg: &Value) -> Target {
        let mut made = Target::default();
        let null = Value::Null;
        let attributes = tpg.get("attributes").unwrap_or(&null);
        made.attributes.set("enabled", if flag(tpg, "enable") { "1" } else { "0" });
        for portal in list(tpg, "portals") {
            let (ip, port) = (text(portal, "ip_address").trim_matches(['[', ']']), number(portal, "port"));
            if port.is_some_and(|p| p != 3260) {
                self.left(format!(
                    "{wwn}: portal {ip} port {}; iscsi-scstd listens on one port for all targets (-p)",
                    port.unwrap_or(0)
                ));
            }
            if flag(portal, "iser") {
                self.left(format!("{wwn}: portal {ip} serves iSER; load isert_scst for it"));
            }
            if !matches!(ip, "0.0.0.0" | "::0" | "::" | "") {
                made.attributes.add("allowed_portal", ip);
            }
        }
        let parameters = tpg.get("parameters").unwrap_or(&null);
        for name in PARAMETERS {
            let value = text(parameters, name);
            if !value.is_empty() {
                made.attributes.set(name, value);
            }
        }
        let luns = self.luns(wwn, tpg);
        if flag(attributes, "generate_node_acls") {
            made.luns.extend(luns.iter().map(|(lun, map)| (*lun, map.clone())));
            // Initiators that LIO knows nothing of may read only, unless it was told otherwise.
            if flag(attributes, "demo_mode_write_protect") {
                made.luns.values_mut().for_each(|map| map.attributes.set("read_only", "1"));
            }
        }
        let wanted = flag(attributes, "authentication");
        self.users(wwn, tpg, wanted, &mut made);
        for acl in list(tpg, "node_acls") {
            self.users(wwn, acl, wanted, &mut made);
            self.acl(wwn, acl, &luns, &mut made);
        }
        made
    }

    fn luns(&mut self, wwn: &str, tpg: &Value) -> BTreeMap<Lun, LunMap> {
        let mut luns = BTreeMap::new();
        for lun in list(tpg, "luns") {
            let index = number(lun, "index").unwrap_or(u64::MAX);
            let object = text(lun, "storage_object");
            let number = u32::try_from(index).ok().and_then(|n| Lun::new(n).ok());
            match (number, self.devices.get(object)) {
                (Some(number), Some(device)) => {
                    luns.insert(number, LunMap { device: device.clone(), attributes: Attributes::new() });
                }
                (None, _) => self.left(format!("{wwn}: LUN {index} is no LUN of SCST (0 to 16383)")),
                (_, None) => self.left(format!("{wwn}: LUN {index} leads to {object}, which is not carried")),
            }
            let group = text(lun, "alua_tg_pt_gp_name");
            if !matches!(group, "" | "default_tg_pt_gp") {
                self.left(format!(
                    "{wwn}: LUN {index} is in ALUA group {group}; make device and target groups"
                ));
            }
        }
        luns
    }

    fn users(&mut self, wwn: &str, place: &Value, wanted: bool, made: &mut Target) {
        let pairs = [
            ("IncomingUser", "chap_userid", "chap_password"),
            ("OutgoingUser", "chap_mutual_userid", "chap_mutual_password"),
        ];
        for (name, user, password) in pairs {
            let (user, password) = (text(place, user), text(place, password));
            if user.is_empty() {
                continue;
            }
            let why = match password.chars().count() {
                _ if !wanted => "authentication was off",
                0..12 => "its password has less than 12 characters, which SCST refuses; set another",
                _ if name == "OutgoingUser"
                    && made
                        .attributes
                        .get(name)
                        .is_some_and(|v| v.expose() != format!("{user} {password}")) =>
                {
                    "SCST has one OutgoingUser for a target"
                }
                _ => {
                    made.attributes.add(name, format!("{user} {password}"));
                    continue;
                }
            };
            self.left(format!("{wwn}: {name} `{user}` is left out: {why}"));
        }
    }

    /// Users that discovery asks for are the driver's.
    fn discovery(&mut self, module: &Value) {
        let name = text(module, "name");
        if name != "iscsi" || !flag(module, "discovery_enable_auth") {
            return;
        }
        let pairs = [
            ("IncomingUser", "discovery_userid", "discovery_password"),
            ("OutgoingUser", "discovery_mutual_userid", "discovery_mutual_password"),
        ];
        for (kind, user, password) in pairs {
            let (user, password) = (text(module, user), text(module, password));
            if user.is_empty() {
                continue;
            }
            if password.chars().count() < 12 {
                let why = "its password has less than 12 characters, which SCST refuses; set another";
                self.left(format!("discovery: {kind} `{user}` is left out: {why}"));
            } else if let Ok(driver) = DriverName::new("iscsi") {
                let driver = self.out.config.drivers.entry(driver).or_default();
                driver.attributes.add(kind, format!("{user} {password}"));
                driver.attributes.set("enabled", "1");
            }
        }
    }

    fn acl(&mut self, wwn: &str, acl: &Value, luns: &BTreeMap<Lun, LunMap>, made: &mut Target) {
        let node = port_name(text(acl, "node_wwn"));
        let node = node.as_str();
        let (Ok(initiator), Ok(name)) = (InitiatorName::new(node), GroupName::new(node)) else {
            self.left(format!("{wwn}: initiator {node} has a name that SCST does not take"));
            return;
        };
        if !text(acl, "chap_userid").is_empty() {
            self.left(format!(
                "{wwn}: SCST's CHAP users are the target's: {node}'s is good for every initiator of it"
            ));
        }
        let mut group = Group::default();
        group.initiators.insert(initiator);
        for mapped in list(acl, "mapped_luns") {
            let lun =
                |key| number(mapped, key).and_then(|n| u32::try_from(n).ok()).and_then(|n| Lun::new(n).ok());
            let (Some(index), Some(from)) = (lun("index"), lun("tpg_lun")) else { continue };
            let Some(map) = luns.get(&from) else { continue };
            let mut map = map.clone();
            if flag(mapped, "write_protect") {
                map.attributes.set("read_only", "1");
            }
            group.luns.insert(index, map);
        }
        made.groups.insert(name, group);
    }
}
