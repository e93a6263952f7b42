//! What a device is made of: the command, the attributes after it, and what makes it the same again.
use super::Planner;
use super::attrs::{same, set, text};
use crate::attributes::{Attributes, Value};
use crate::live::{LiveDevice, LiveHandler};
use crate::mgmt::Command;
use crate::model::Device;
use crate::name::{DeviceName, HandlerName};
use crate::plan::{Step, Write};

/// What can be a parameter of `add_device`: SCST separates by blanks, `;` and `=`.
fn fits_in_command(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == ';' || c == '=')
}

impl Planner<'_> {
    /// The writes that make a device with its attributes.
    pub(super) fn making(
        &self,
        handler: &HandlerName,
        live: &LiveHandler,
        name: &DeviceName,
        wanted: &Attributes,
    ) -> Vec<Step> {
        let mgmt = format!("handlers/{handler}/mgmt");
        let mut parameters = Vec::new();
        let mut later = Vec::new();
        for (attribute, values) in wanted.iter() {
            let Some(value) = values.first().map(Value::expose) else { continue };
            // cluster_mode must come after t10_dev_id; what has blanks cannot be a parameter.
            let early =
                attribute != "cluster_mode" && live.create.contains(attribute) && fits_in_command(value);
            if early {
                parameters.push((attribute.to_owned(), value.to_owned()));
            } else {
                later.push((attribute.to_owned(), value.to_owned()));
            }
        }
        // `size` says it in bytes; both would be one too many.
        for given in [&mut parameters, &mut later] {
            if given.iter().any(|(n, _)| n == "size") {
                given.retain(|(n, _)| n != "size_mb");
            }
        }
        later.sort_by_key(|(n, _)| n == "cluster_mode");
        let command = Command::AddDevice { name: name.to_string(), parameters };
        let undo = Command::DelDevice { name: name.to_string() };
        let mut steps = vec![Step {
            write: Write::command(mgmt.clone(), &command),
            undo: vec![Write::command(mgmt, &undo)],
        }];
        for (attribute, value) in later {
            let write = set(format!("devices/{name}/{attribute}"), &attribute, &value);
            steps.push(Step { write, undo: Vec::new() });
        }
        steps
    }

    pub(super) fn cannot_make(&self, live: &LiveHandler, device: &Device) -> Option<String> {
        let get = |n: &str| device.attributes.get(n).map(Value::expose);
        if let Some(node) = get("numa_node_id").filter(|n| !self.node_is_online(n)) {
            return Some(format!("NUMA node {node} is not online; the kernel would oops"));
        }
        match get("filename") {
            None if live.create.contains("filename") => Some("it has no `filename`".to_owned()),
            Some(f) if live.create.contains("filename") && !fits_in_command(f) => {
                Some("SCST takes no file name with blanks, `;` or `=`".to_owned())
            }
            Some(f) if !f.starts_with('/') => Some(format!("`{f}` is no absolute path")),
            _ => None,
        }
    }
}

/// Whether SCST does nothing with an attribute, and does not show it: data integrity without `dif_mode`.
pub(super) fn has_no_effect(name: &str, wanted: &Attributes) -> bool {
    matches!(name, "dif_type" | "dif_static_app_tag" | "dif_filename") && wanted.get("dif_mode").is_none()
}

/// Whether a device is not to open its backing store.
pub(super) fn is_inactive(attributes: &Attributes) -> bool {
    attributes.get("active").is_some_and(|v| same("active", v.expose(), "0"))
}

/// What of a file's attributes a new device can be given: a size that its handler does not take is
/// found, not set; but an inactive blockio device finds none, and is told.
pub(super) fn settable(handler: &HandlerName, live: &LiveHandler, wanted: &Attributes) -> Attributes {
    let told = handler.as_str() == "vdisk_blockio" && is_inactive(wanted);
    let mut kept = Attributes::new();
    for (name, values) in wanted.iter() {
        let found = matches!(name, "size" | "size_mb") && !live.create.contains(name) && !told;
        if let Some(value) = values.first().filter(|_| !found && !has_no_effect(name, wanted)) {
            kept.set(name, value.expose());
        }
    }
    kept
}

/// What makes a device the same again.
pub(super) fn saved(live: &LiveDevice) -> Attributes {
    let mut attributes = Attributes::new();
    let active = text(&live.attributes, "active") != "0";
    for (name, attr) in live.attributes.iter().filter(|(_, a)| a.key) {
        if let Some(value) = &attr.value {
            // What is open has its size from what is behind it; what is not may have been told one.
            let own = attr.writable && !active;
            let found = matches!(name.as_str(), "size" | "size_mb")
                && live.attributes.contains_key("filename")
                && !own;
            if !found {
                attributes.set(name, value.expose());
            }
        }
    }
    attributes
}
