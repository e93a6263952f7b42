//! Single changes: one object, one write.
use super::{Done, End, Flags, Run};
use crate::apply::StepError;
use crate::executor::Executor;
use crate::live::Live;
use crate::mgmt::Command;
use crate::plan::Write;

/// What a refusal of the kernel means for one kind of change, in scstadmin's words: for "it exists", for "it
/// does not exist", for anything else that is invalid.
struct Words {
    exists: &'static str,
    missing: &'static str,
    invalid: &'static str,
}

const DEVICE: Words = Words {
    exists: "Device already exists.",
    missing: "No such device exists.",
    invalid: "Bad attributes given for device.",
};
const TARGET: Words = Words {
    exists: "Target already exists.",
    missing: "No such target exists.",
    invalid: "Bad attributes given for target.",
};
const GROUP: Words = Words {
    exists: "Group already exists.",
    missing: "No such group exists.",
    invalid: "Invalid group name.",
};
const INITIATOR: Words = Words {
    exists: "Initiator already exists.",
    missing: "No such initiator exists.",
    invalid: "Invalid initiator name.",
};
const LUN: Words = Words {
    exists: "LUN already exists.",
    missing: "No such LUN exists.",
    invalid: "Bad attributes given for LUN.",
};
const ATTRIBUTE: Words = Words {
    exists: "Attribute already exists.",
    missing: "No such attribute exists.",
    invalid: "Attribute has an invalid value.",
};
const FATAL: &str = "A fatal error occurred. See \"dmesg\" for more information.";

impl Run<'_> {
    fn step(&mut self, doing: &str, write: &Write, words: &Words) -> Done {
        self.line(&format!("\t-> {doing}: done."));
        let outcome = Executor::new(self.tree, self.host.journal()).write(write);
        outcome.map_err(|e| {
            let StepError::Write(e) = e else { return End::Fatal(e.to_string()) };
            End::Fatal(match e.errno_name().as_str() {
                "EEXIST" => words.exists.to_owned(),
                "ENOENT" | "ENODEV" => words.missing.to_owned(),
                "EINVAL" => words.invalid.to_owned(),
                "EBUSY" => "It is in use.".to_owned(),
                _ => FATAL.to_owned(),
            })
        })
    }

    fn command(&mut self, doing: &str, file: String, command: &Command, words: &Words) -> Done {
        self.step(doing, &Write::command(file, command), words)
    }

    pub(super) fn single(&mut self, live: &Live, what: &str, name: &str, flags: &Flags) -> Done {
        if what != "issue_lip" {
            self.line("\n\n-> Making requested changes.");
        }
        let (driver, target, group) = (flags.driver.as_str(), flags.target.as_str(), flags.group.as_str());
        let dir = format!("targets/{driver}/{target}");
        let at = if group.is_empty() { dir.clone() } else { format!("{dir}/ini_groups/{group}") };
        let shown = if group.is_empty() {
            format!("driver/target '{driver}/{target}'")
        } else {
            format!("driver/target/group '{driver}/{target}/{group}'")
        };
        let mgmt = format!("targets/{driver}/mgmt");
        let dgrp = format!("device_groups/{}", flags.dev_group);
        let tgrp = format!("{dgrp}/target_groups/{}", flags.tgt_group);
        let own = name.to_owned();
        let parameters = || flags.attributes.clone();
        match what {
            "open_dev" => self.open(live, name, flags)?,
            "close_dev" => self.close(live, name, flags)?,
            "resync_dev" => {
                let write = Write::new(format!("devices/{name}/resync_size"), "1");
                self.step(&format!("Resynchronizing device '{name}'"), &write, &DEVICE)?;
            }
            "add_target" => {
                let command = Command::AddTarget { name: own, parameters: parameters() };
                self.command(
                    &format!("Creating target '{name}' for driver '{driver}'"),
                    mgmt,
                    &command,
                    &TARGET,
                )?;
            }
            "rem_target" => self.remove_target(live, name, flags)?,
            "enable_target" | "disable_target" => {
                let (word, value) =
                    if what == "enable_target" { ("Enabling", "1") } else { ("Disabling", "0") };
                let write = Write::new(format!("targets/{driver}/{name}/enabled"), value);
                self.step(&format!("{word} driver/target '{driver}/{name}'"), &write, &TARGET)?;
            }
            "add_group" => {
                let doing = format!("Adding new group '{name}' to driver/target '{driver}/{target}'");
                self.command(
                    &doing,
                    format!("{dir}/ini_groups/mgmt"),
                    &Command::Create { name: own },
                    &GROUP,
                )?;
            }
            "rem_group" => {
                let doing = format!("Removing group '{name}' from driver/target '{driver}/{target}'");
                self.command(&doing, format!("{dir}/ini_groups/mgmt"), &Command::Del { name: own }, &GROUP)?;
            }
            "add_init" => {
                let doing = format!("Adding new initiator '{name}' to {shown}");
                self.command(
                    &doing,
                    format!("{at}/initiators/mgmt"),
                    &Command::Add { name: own },
                    &INITIATOR,
                )?;
            }
            "rem_init" => {
                let doing = format!("Removing initiator '{name}' from {shown}");
                self.command(
                    &doing,
                    format!("{at}/initiators/mgmt"),
                    &Command::Del { name: own },
                    &INITIATOR,
                )?;
            }
            "move_init" => {
                let command = Command::Move { initiator: own, group: flags.to.clone() };
                let doing = format!("Moving initiator '{name}' to group '{}'", flags.to);
                self.command(&doing, format!("{at}/initiators/mgmt"), &command, &INITIATOR)?;
            }
            "clear_inits" => {
                let doing = format!("Removing all initiators from {shown}");
                self.command(&doing, format!("{at}/initiators/mgmt"), &Command::Clear, &INITIATOR)?;
            }
            "add_lun" | "replace_lun" => {
                let (device, lun) = (flags.device.clone(), own);
                let doing = format!("Adding device '{device}' at LUN {name} to {shown}");
                if !live.devices.keys().any(|d| d.as_str() == device) {
                    self.line(&format!("\t-> {doing}: done."));
                    return Err(End::Fatal("No such device exists.".to_owned()));
                }
                let command = match what {
                    "add_lun" => Command::AddLun { device, lun, parameters: parameters() },
                    _ => Command::ReplaceLun { device, lun, parameters: parameters(), unit_attention: true },
                };
                self.command(&doing, format!("{at}/luns/mgmt"), &command, &LUN)?;
            }
            "rem_lun" => {
                let doing = format!("Removing LUN {name} from {shown}");
                self.command(&doing, format!("{at}/luns/mgmt"), &Command::Del { name: own }, &LUN)?;
            }
            "clear_luns" => {
                let doing = format!("Clearing all LUNs from {shown}");
                self.command(&doing, format!("{at}/luns/mgmt"), &Command::Clear, &LUN)?;
            }
            "add_dgrp" => {
                let doing = format!("Adding new device group '{name}'");
                self.command(
                    &doing,
                    "device_groups/mgmt".to_owned(),
                    &Command::Create { name: own },
                    &GROUP,
                )?;
            }
            "rem_dgrp" => {
                let doing = format!("Removing device group '{name}'");
                self.command(&doing, "device_groups/mgmt".to_owned(), &Command::Del { name: own }, &GROUP)?;
            }
            "add_dgrp_dev" | "rem_dgrp_dev" => {
                let add = what == "add_dgrp_dev";
                let command = if add { Command::Add { name: own } } else { Command::Del { name: own } };
                let doing = format!("{} device '{name}'", if add { "Adding" } else { "Removing" });
                self.command(&doing, format!("{dgrp}/devices/mgmt"), &command, &DEVICE)?;
            }
            "add_tgrp" | "rem_tgrp" => {
                let add = what == "add_tgrp";
                let command = if add { Command::Create { name: own } } else { Command::Del { name: own } };
                let doing = format!("{} target group '{name}'", if add { "Adding" } else { "Removing" });
                self.command(&doing, format!("{dgrp}/target_groups/mgmt"), &command, &GROUP)?;
            }
            "add_tgrp_tgt" | "rem_tgrp_tgt" => {
                let add = what == "add_tgrp_tgt";
                let command = if add { Command::Add { name: own } } else { Command::Del { name: own } };
                let doing = format!("{} target '{name}'", if add { "Adding" } else { "Removing" });
                self.command(&doing, format!("{tgrp}/mgmt"), &command, &TARGET)?;
            }
            "add_drv_attr" | "rem_drv_attr" | "add_tgt_attr" | "rem_tgt_attr" => {
                self.dynamic(what, name, flags)?;
            }
            "issue_lip" => return self.lip(live, name),
            set => return self.set(live, set, name, flags),
        }
        self.line("\t-> Done.");
        Ok(())
    }

    fn open(&mut self, live: &Live, name: &str, flags: &Flags) -> Done {
        let doing = format!("Opening device '{name}' using handler '{}'", flags.handler);
        let node =
            flags.attributes.iter().find(|(n, _)| n == "numa_node_id").map(|(_, v)| v.trim().to_owned());
        let online = self.host.policy(&crate::model::Config::default()).numa_nodes;
        let fits = |n: &String| n.parse().is_ok_and(|n: i64| n == -1 || online.contains(&n));
        let known = live.handlers.keys().any(|h| h.as_str() == flags.handler);
        let bad =
            node.filter(|n| !fits(n)).map(|n| format!("NUMA node {n} is not online; the kernel would oops."));
        let bad = bad.or_else(|| (!known).then(|| "No such handler exists.".to_owned()));
        if let Some(why) = bad {
            self.line(&format!("\t-> {doing}: done."));
            return Err(End::Fatal(why));
        }
        let command = Command::AddDevice { name: name.to_owned(), parameters: flags.attributes.clone() };
        let words = Words { missing: FATAL, ..DEVICE };
        self.command(&doing, format!("handlers/{}/mgmt", flags.handler), &command, &words)
    }

    fn close(&mut self, live: &Live, name: &str, flags: &Flags) -> Done {
        let used: Vec<[String; 4]> = uses(live, name);
        if !used.is_empty() && !flags.force {
            self.line(&format!("Device '{name}' is currently in use by the following:\n"));
            for [driver, target, group, lun] in used {
                self.line(&format!("\t{driver} {target} {group} {lun}"));
            }
            let why = format!("Device '{name}' still in use, aborting. Use -force to override.");
            return Err(End::Fatal(why));
        }
        let doing = format!("Closing device '{name}' using handler '{}'", flags.handler);
        let words = Words { invalid: "No such device exists.", ..DEVICE };
        let command = Command::DelDevice { name: name.to_owned() };
        self.command(&doing, format!("handlers/{}/mgmt", flags.handler), &command, &words)
    }

    fn remove_target(&mut self, live: &Live, name: &str, flags: &Flags) -> Done {
        let driver = &flags.driver;
        let found = live.drivers.iter().find(|(d, _)| d.as_str() == driver);
        let target = found.and_then(|(_, d)| d.targets.iter().find(|(t, _)| t.as_str() == name));
        let enabled = target.and_then(|(_, t)| t.attributes.get("enabled")).and_then(|a| a.value.as_ref());
        if enabled.is_some_and(|v| v.expose() == "1") {
            // A target that serves cannot go; its sessions end with it.
            let write = Write::new(format!("targets/{driver}/{name}/enabled"), "0");
            self.step(&format!("Disabling driver/target '{driver}/{name}'"), &write, &TARGET)?;
        }
        let doing = format!("Removing virtual target '{name}' from driver '{driver}'");
        self.command(
            &doing,
            format!("targets/{driver}/mgmt"),
            &Command::DelTarget { name: name.to_owned() },
            &TARGET,
        )
    }

    fn dynamic(&mut self, what: &str, name: &str, flags: &Flags) -> Done {
        let (add, of_target) = (what.starts_with("add"), what.ends_with("tgt_attr"));
        for (attribute, value) in flags.attributes.clone() {
            let (name_, value) = (attribute.clone(), value.clone());
            let target = name.to_owned();
            let command = match (add, of_target) {
                (true, true) => Command::AddTargetAttribute { target, name: name_, value },
                (false, true) => Command::DelTargetAttribute { target, name: name_, value },
                (true, false) => Command::AddAttribute { name: name_, value },
                (false, false) => Command::DelAttribute { name: name_, value },
            };
            let driver = if of_target { flags.driver.as_str() } else { name };
            let word = if add { "Adding" } else { "Removing" };
            let doing = format!("{word} attribute '{attribute}' of '{name}'");
            self.command(&doing, format!("targets/{driver}/mgmt"), &command, &ATTRIBUTE)?;
        }
        Ok(())
    }

    /// `-set_…_attr`: what is not there, or cannot be set, is said and left out.
    fn set(&mut self, live: &Live, what: &str, name: &str, flags: &Flags) -> Done {
        let (kind, dir, attributes) = match what {
            "set_dev_attr" => {
                let device = live.devices.iter().find(|(n, _)| n.as_str() == name);
                ("Device", format!("devices/{name}"), device.map(|(_, d)| &d.attributes))
            }
            _ => {
                let path = self.object(what, name, flags);
                let dir = path.as_ref().map(directory).unwrap_or_default();
                ("Object", dir, path.and_then(|p| live.attributes_of(&p)))
            }
        };
        let Some(attributes) = attributes else {
            return Err(End::Fatal(format!("No such {} exists.", kind.to_ascii_lowercase())));
        };
        let mut changes = 0usize;
        for (attribute, value) in flags.attributes.clone() {
            if !attributes.get(&attribute).is_some_and(|a| a.writable) {
                let what = format!("{kind} '{name}' lacks the settable attribute '{attribute}', ignoring.");
                self.line(&format!("\t-> WARNING: {what}\n"));
                continue;
            }
            let file = if dir.is_empty() { attribute.clone() } else { format!("{dir}/{attribute}") };
            let written = if value.is_empty() { "\n".to_owned() } else { value.clone() };
            let shown = crate::Value::of(&attribute, value.as_str()).to_string();
            let write = Write::masked(file, written, shown.clone());
            let doing = format!("Setting attribute '{attribute}' to value '{shown}' for '{name}'");
            self.step(&doing, &write, &ATTRIBUTE)?;
            changes = changes.saturating_add(1);
        }
        self.line(&format!("\t-> Done, {changes} change(s) made."));
        Ok(())
    }

    fn lip(&mut self, live: &Live, name: &str) -> Done {
        for (driver, d) in &live.drivers {
            let ports = d.targets.iter().filter(|(t, _)| name.is_empty() || t.as_str() == name);
            for (target, _) in ports.filter(|(_, t)| t.attributes.contains_key("abort_isp")) {
                let write = Write::new(format!("targets/{driver}/{target}/abort_isp"), "1");
                self.step(
                    &format!("Issuing LIP on fibre channel driver/target '{driver}/{target}'"),
                    &write,
                    &TARGET,
                )?;
            }
        }
        Ok(())
    }
}

/// The directory of an object below `/sys/kernel/scst_tgt`.
fn directory(path: &crate::ObjectPath) -> String {
    use crate::ObjectPath as P;
    match path {
        P::Handler(h) => format!("handlers/{h}"),
        P::Device(_, d) => format!("devices/{d}"),
        P::Driver(d) => format!("targets/{d}"),
        P::Target(d, t) => format!("targets/{d}/{t}"),
        P::Group(d, t, g) => format!("targets/{d}/{t}/ini_groups/{g}"),
        P::Lun { driver, target, group: None, lun } => format!("targets/{driver}/{target}/luns/{lun}"),
        P::Lun { driver, target, group: Some(g), lun } => {
            format!("targets/{driver}/{target}/ini_groups/{g}/luns/{lun}")
        }
        P::DeviceGroup(g) => format!("device_groups/{g}"),
        P::TargetGroup(g, t) => format!("device_groups/{g}/target_groups/{t}"),
        P::GroupTarget(g, t, x) => format!("device_groups/{g}/target_groups/{t}/{x}"),
        _ => String::new(),
    }
}

/// Where a device is shown, but for copy_manager.
fn uses(live: &Live, device: &str) -> Vec<[String; 4]> {
    let mut used = Vec::new();
    for (driver, d) in live.drivers.iter().filter(|(n, _)| n.as_str() != "copy_manager") {
        for (target, t) in &d.targets {
            let own = t.luns.iter().map(|(n, l)| (String::new(), n, l));
            let groups = t
                .groups
                .iter()
                .flat_map(|(g, live)| live.luns.iter().map(move |(n, l)| (g.to_string(), n, l)));
            for (group, lun, _) in own.chain(groups).filter(|(.., l)| l.device.as_str() == device) {
                used.push([driver.to_string(), target.to_string(), group, lun.to_string()]);
            }
        }
    }
    used
}
