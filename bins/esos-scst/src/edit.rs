//! `add`, `rm`, `set`, `enable`, `disable`, `resize`, `lip`: one object at a time.
use crate::args::{EditArgs, How, SwitchArgs};
use crate::change::{Change, on_machine, on_tree, saved, show};
use crate::{keep, machine};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_hostfs::{Clock, HostClock};
use esos_scst::{
    Action, Attributes, Class, Config, DeviceName, Document, Live, ObjectPath, Operation, Plan, Policy, Step,
    Value, Write,
};
use esos_sysfs::AttrTree;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Add,
    Remove,
    Set,
}

fn pairs(words: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |w: &String| match w.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // The word may hold a secret.
        _ => Err(Failure::new(Exit::Usage, "an attribute is given as NAME=VALUE")),
    };
    words.iter().map(pair).collect()
}

pub(crate) fn edit(ui: &mut Ui, act: Act, args: &EditArgs) -> Result<Exit, Failure> {
    let path: ObjectPath = args.path.parse().or_exit(Exit::Usage)?;
    let attributes = pairs(&args.attributes)?;
    let place = Place { state: args.state.as_deref(), out: args.state_out.as_deref(), how: &args.how };
    object(ui, act, &path, attributes, &place)
}

pub(crate) fn switch(ui: &mut Ui, on: bool, args: &SwitchArgs) -> Result<Exit, Failure> {
    let path: ObjectPath = args.target.parse().or_exit(Exit::Usage)?;
    if !matches!(path, ObjectPath::Driver(_) | ObjectPath::Target(..)) {
        return Err(Failure::new(Exit::Usage, format!("{path} is neither a target nor a target driver")));
    }
    let attributes = vec![("enabled".to_owned(), if on { "1" } else { "0" }.to_owned())];
    let place = Place { state: args.state.as_deref(), out: args.state_out.as_deref(), how: &args.how };
    object(ui, Act::Set, &path, attributes, &place)
}

struct Place<'a> {
    state: Option<&'a Path>,
    out: Option<&'a Path>,
    how: &'a How,
}

fn object(
    ui: &mut Ui,
    act: Act,
    path: &ObjectPath,
    mut attributes: Vec<(String, String)>,
    place: &Place<'_>,
) -> Result<Exit, Failure> {
    let mut device = None;
    if matches!(path, ObjectPath::Lun { .. }) {
        let given = attributes.iter().position(|(n, _)| n == "device").map(|at| attributes.remove(at).1);
        device = given.map(|d| DeviceName::new(d).or_exit(Exit::Usage)).transpose()?;
        if act == Act::Add && device.is_none() {
            return Err(Failure::new(Exit::Usage, format!("{path} needs a device: device=NAME")));
        }
    }
    let mut set = Attributes::new();
    for (name, value) in &attributes {
        // A user that is set a second time is a second user.
        if set.get(name).is_some() { set.add(name, value.as_str()) } else { set.set(name, value.as_str()) }
    }
    let plan_for = |live: &Live| -> Result<(Config, Policy), Failure> {
        let there = live.contains(path);
        match act {
            Act::Remove if !there => {
                Err(Failure::new(Exit::Failed, format!("there is no {path}")).help("esos scst show"))
            }
            Act::Set if !there => Err(Failure::new(Exit::Failed, format!("there is no {path}"))
                .help(format!("make it with: esos scst add {path}"))),
            Act::Remove => {
                let mut wanted = live.to_config();
                wanted.remove(path);
                Ok((wanted, Policy { prune: true, only: vec![path.to_string()], ..Policy::default() }))
            }
            Act::Add | Act::Set => {
                let device = device.clone().or_else(|| device_of(live, path));
                Ok((Config::of(path, device, set.clone()), Policy::default()))
            }
        }
    };
    if let Some(state) = place.state {
        let sim = machine::simulator(state, &Config::of(path, device.clone(), set.clone()))?;
        let (wanted, policy) = plan_for(&machine::live(&sim)?)?;
        let change = Change { wanted: &wanted, policy: &policy, document: None, how: place.how };
        let exit = on_tree(ui, &sim, &change)?;
        if let Some(out) = place.out {
            keep::replace(out, serde_json::to_string_pretty(&sim.dump())?.as_bytes(), 0o600)?;
        }
        return Ok(exit);
    }
    if !ui.global().is_live() && !place.how.dry_run {
        return Err(Failure::new(Exit::Usage, "this changes this machine; --root is for --dry-run"));
    }
    let _lock = if place.how.dry_run { None } else { Some(keep::hold(ui, place.how.wait)?) };
    let live = machine::live(&machine::tree(ui.global()))?;
    let (wanted, policy) = plan_for(&live)?;
    let policy = Policy {
        numa_nodes: machine::numa_nodes(ui.global()),
        missing: machine::missing(ui.global(), &wanted),
        ..policy
    };
    let document =
        edited(&saved(ui)?, act, path, device.as_ref().or(device_of(&live, path).as_ref()), &attributes)?;
    let change = Change { wanted: &wanted, policy: &policy, document: Some(&document), how: place.how };
    on_machine(ui, &change)
}

/// Where a LUN leads that is there.
fn device_of(live: &Live, path: &ObjectPath) -> Option<DeviceName> {
    let ObjectPath::Lun { driver, target, group, lun } = path else { return None };
    let target = live.drivers.get(driver)?.targets.get(target)?;
    let luns = match group {
        Some(group) => &target.groups.get(group)?.luns,
        None => &target.luns,
    };
    luns.get(lun).map(|l| l.device.clone())
}

fn edited(
    document: &Document,
    act: Act,
    path: &ObjectPath,
    device: Option<&DeviceName>,
    attributes: &[(String, String)],
) -> Result<Document, Failure> {
    let edited = match act {
        Act::Remove => document.without_object(path),
        Act::Add | Act::Set => document.with_object(path, device.map(DeviceName::as_str), attributes),
    };
    edited.or_exit(Exit::Invalid).context("nothing was changed: /etc/scst.conf cannot be edited")
}

#[derive(Serialize)]
struct Resized {
    device: String,
    old_bytes: u64,
    new_bytes: u64,
}

pub(crate) fn resize(ui: &mut Ui, name: &str, size: Option<&str>, how: &How) -> Result<Exit, Failure> {
    let device = DeviceName::new(name).or_exit(Exit::Usage)?;
    let _lock = if how.dry_run || !ui.global().is_live() { None } else { Some(keep::hold(ui, how.wait)?) };
    let tree = machine::tree(ui.global());
    let live = machine::live(&tree)?;
    let missing =
        || Failure::new(Exit::Failed, format!("there is no device {device}")).help("esos scst show");
    let now = live.devices.get(&device).ok_or_else(missing)?;
    let bytes = |live: &Live| {
        let size = live.devices.get(&device).and_then(|d| d.attributes.get("size"));
        size.and_then(|a| a.value.as_ref()).and_then(|v| v.expose().parse::<u64>().ok()).unwrap_or(0)
    };
    if let Some(size) = size {
        let size: esos_units::Bytes = size.parse().or_exit(Exit::Usage)?;
        if now.attributes.contains_key("filename") {
            let why = "its size is its backing store's: enlarge that, then `esos scst resize` without a size";
            return Err(Failure::new(Exit::Usage, format!("{device}: {why}")));
        }
        let handler = now.handler.clone().ok_or_else(missing)?;
        let place = Place { state: None, out: None, how };
        drop(_lock);
        let set = vec![("size".to_owned(), size.get().to_string())];
        return object(ui, Act::Set, &ObjectPath::Device(handler, device), set, &place);
    }
    if !now.attributes.contains_key("resync_size") {
        return Err(Failure::new(Exit::Failed, format!("{device} cannot look at its size again; give one")));
    }
    let old_bytes = bytes(&live);
    if how.dry_run {
        let operation = Operation {
            path: now.handler.as_ref().map_or_else(String::new, |h| format!("dev/{h}/{device}")),
            action: Action::Change,
            attribute: Some("resync_size".to_owned()),
            from: None,
            to: Some("1".to_owned()),
            class: Class::Safe,
            why: None,
            steps: vec![Step {
                write: Write::new(format!("devices/{device}/resync_size"), "1"),
                undo: Vec::new(),
            }],
        };
        let planned = Plan { base: live.fingerprint(), operations: vec![operation], ..Plan::default() };
        show(ui, &planned)?;
        return Ok(Exit::Done);
    }
    if !ui.global().is_live() {
        return Err(Failure::new(Exit::Usage, "`resize` works on this machine; --root is for --dry-run"));
    }
    tree.write(&format!("devices/{device}/resync_size"), "1")?;
    let resized = Resized { device: device.to_string(), old_bytes, new_bytes: bytes(&machine::live(&tree)?) };
    ui.emit("esos.scst.resized/1", &resized, |human| {
        let size = |n| esos_units::Bytes::new(n).human();
        human.line(format!("{}: {} -> {}", resized.device, size(old_bytes), size(resized.new_bytes)));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn lip(ui: &mut Ui, target: Option<&str>, how: &How) -> Result<Exit, Failure> {
    let tree = machine::tree(ui.global());
    let live = machine::live(&tree)?;
    let mut done = Vec::new();
    for (driver, d) in &live.drivers {
        for (name, t) in &d.targets {
            let path = format!("{driver}/{name}");
            if t.attributes.contains_key("abort_isp") && target.is_none_or(|wanted| wanted == path) {
                done.push(path);
            }
        }
    }
    if let (Some(target), true) = (target, done.is_empty()) {
        return Err(Failure::new(
            Exit::Failed,
            format!("{target} is no Fibre Channel target that can issue a LIP"),
        ));
    }
    if !how.dry_run {
        if !ui.global().is_live() {
            return Err(Failure::new(Exit::Usage, "`lip` works on this machine; --root is for --dry-run"));
        }
        let _lock = keep::hold(ui, how.wait)?;
        for path in &done {
            tree.write(&format!("targets/{path}/abort_isp"), "1")?;
            HostClock.sleep(Duration::from_millis(100));
        }
    }
    ui.emit("esos.scst.lip/1", &done, |human| {
        done.iter().for_each(|path| human.line(format!("LIP on {path}")));
        if done.is_empty() {
            human.line("no target here can issue a LIP");
        }
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Attribute {
    name: String,
    value: Option<Value>,
    key: bool,
    writable: bool,
}

pub(crate) fn get(ui: &mut Ui, path: &str, names: &[String], state: Option<&Path>) -> Result<Exit, Failure> {
    let path: ObjectPath = path.parse().or_exit(Exit::Usage)?;
    let live = crate::verbs::everything(ui, state)?;
    let missing = || Failure::new(Exit::Failed, format!("there is no {path}")).help("esos scst show");
    if !live.contains(&path) {
        return Err(missing());
    }
    let none = Default::default();
    let attributes = live.attributes_of(&path).unwrap_or(&none);
    if let Some(unknown) = names.iter().find(|n| !attributes.contains_key(*n)) {
        return Err(Failure::new(Exit::Failed, format!("{path} has no attribute `{unknown}`")));
    }
    let wanted = attributes.iter().filter(|(n, _)| names.is_empty() || names.contains(n));
    let found: Vec<Attribute> = wanted
        .map(|(n, a)| Attribute { name: n.clone(), value: a.value.clone(), key: a.key, writable: a.writable })
        .collect();
    ui.emit("esos.scst.attributes/1", &found, |human| {
        for a in &found {
            let value = a.value.as_ref().map(ToString::to_string).unwrap_or_default();
            match names.len() {
                1 => human.line(value),
                _ => human.line(format!("{} {value}", a.name).trim_end()),
            }
        }
    })?;
    Ok(Exit::Done)
}
