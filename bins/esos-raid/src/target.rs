//! What a name means: `0/252:4`, `storcli:0/1`, `md0`, `/dev/sdb`.
use crate::machine::{self, Everything};
use esos_cli::{Exit, Failure, Ui};
use esos_raid::{Facts, Place, Tool};
use std::path::PathBuf;

/// A name in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    tool: Option<Tool>,
    controller: Option<String>,
    pub(crate) id: String,
}

impl Name {
    pub(crate) fn parse(text: &str) -> Self {
        let (tool, rest) = match text.split_once(':') {
            Some((word, rest)) => match word.parse::<Tool>() {
                Ok(tool) => (Some(tool), rest),
                Err(_) => (None, text),
            },
            None => (None, text),
        };
        if let Some(device) = rest.strip_prefix("/dev/") {
            // The kernel's name of `/dev/cciss/c0d0` and of `/dev/md/data` is another matter: links are followed.
            let real = std::fs::canonicalize(rest).ok();
            let real = real
                .as_deref()
                .and_then(|p| p.strip_prefix("/dev/").ok())
                .map(|p| p.to_string_lossy().replace('/', "!"));
            return Self { tool, controller: None, id: real.unwrap_or_else(|| device.replace('/', "!")) };
        }
        // Areca's drives have a `/` in their keys: the first part alone may be the controller.
        match rest.split_once('/') {
            Some((controller, id)) => {
                Self { tool, controller: Some(controller.to_owned()), id: id.to_owned() }
            }
            None => Self { tool, controller: None, id: rest.to_owned() },
        }
    }
}

/// What a name is looked for among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Array,
    Drive,
    Controller,
}

/// The tool, its controller and its facts, and the ids that the names mean there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) program: PathBuf,
    pub(crate) facts: Facts,
    pub(crate) ids: Vec<String>,
}

/// Finds what the names mean. All must be of one controller.
pub(crate) fn find(ui: &mut Ui, kind: Kind, names: &[&str]) -> Result<Target, Failure> {
    let names: Vec<Name> = names.iter().map(|text| Name::parse(text)).collect();
    let tools: Vec<Tool> = match names.iter().find_map(|name| name.tool) {
        Some(tool) => vec![tool],
        None => Tool::ALL.into_iter().filter(|tool| *tool != Tool::Mdstat).collect(),
    };
    let root = ui.root().to_owned();
    let everything = machine::ask(ui, &tools)?;
    let mut found: Vec<(Tool, String, Vec<String>)> = Vec::new();
    for answer in &everything.answers {
        for controller in controllers(answer.tool, &answer.facts) {
            let ids: Option<Vec<String>> =
                names.iter().map(|name| here(kind, answer.tool, &answer.facts, &controller, name)).collect();
            found.extend(ids.map(|ids| (answer.tool, controller, ids)));
        }
    }
    if found.is_empty() && kind == Kind::Drive && tools.contains(&Tool::Mdadm) {
        found.extend(block_devices(&names, &root).map(|ids| (Tool::Mdadm, String::new(), ids)));
    }
    let said: Vec<&str> = names.iter().map(|n| n.id.as_str()).collect();
    let (tool, controller, ids) = match found.as_slice() {
        [one] => one.clone(),
        [] => return Err(nothing(kind, &said, &everything)),
        many => {
            let list: Vec<String> = many.iter().map(|(t, c, ids)| full(*t, c, ids)).collect();
            let message = format!("`{}` may be {}", said.join(" "), list.join(", or "));
            return Err(Failure::new(Exit::Usage, message).help("put the tool and the controller in front"));
        }
    };
    let missing = || Failure::new(Exit::Unavailable, format!("{tool} is not installed"));
    let program = machine::program(tool, &root).ok_or_else(missing)?;
    let answer = everything.answers.into_iter().find(|a| a.tool == tool);
    let place = Place::new(tool, &program.to_string_lossy(), &controller);
    Ok(Target { place, program, facts: answer.map(|a| a.facts).unwrap_or_default(), ids })
}

fn full(tool: Tool, controller: &str, ids: &[String]) -> String {
    let one = |id: &String| {
        if controller.is_empty() { format!("{tool}:{id}") } else { format!("{tool}:{controller}/{id}") }
    };
    ids.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn nothing(kind: Kind, names: &[&str], everything: &Everything) -> Failure {
    let what = match kind {
        Kind::Array => "array",
        Kind::Drive => "drive",
        Kind::Controller => "controller",
    };
    let message = format!("there is no {what} `{}` on one controller", names.join("`, `"));
    let failure = if everything.answers.is_empty() && everything.failed.is_empty() {
        Failure::new(Exit::Unavailable, format!("{message}: no RAID tool is installed"))
    } else {
        Failure::new(Exit::Invalid, message)
    };
    failure.help("`esos-raid list` prints the names")
}

/// The controllers of a tool; one without a name for tools whose lists name none.
fn controllers(tool: Tool, facts: &Facts) -> Vec<String> {
    if matches!(tool, Tool::Mdadm | Tool::Mdstat) {
        return vec![String::new()];
    }
    let mut list: Vec<String> = facts.controllers.iter().map(|c| c.id.clone()).collect();
    let named = facts.arrays.iter().map(|a| &a.controller).chain(facts.drives.iter().map(|d| &d.controller));
    list.extend(named.map(|c| c.clone().unwrap_or_default()));
    list.sort();
    list.dedup();
    if list.iter().any(|c| !c.is_empty()) {
        list.retain(|c| !c.is_empty() || tool == Tool::Areca);
    }
    list
}

/// The id of what a name means on that controller.
fn here(kind: Kind, tool: Tool, facts: &Facts, controller: &str, name: &Name) -> Option<String> {
    if name.tool.is_some_and(|t| t != tool) {
        return None;
    }
    let id = (!controller.is_empty()).then_some(controller);
    if kind == Kind::Controller {
        let wanted = name.controller.as_deref().unwrap_or(&name.id);
        return (wanted == controller).then(|| controller.to_owned());
    }
    // A key may hold the mark itself.
    let whole = name.controller.as_ref().map(|c| format!("{c}/{}", name.id));
    let named = |key: &str| match &name.controller {
        None => key == name.id,
        Some(c) => (c == controller && key == name.id) || whole.as_deref() == Some(key),
    };
    match kind {
        Kind::Array => {
            let mut mine = facts.arrays.iter().filter(|a| a.controller.as_deref() == id);
            // `/dev/sdb` is the array that the kernel shows so; md's own names are links.
            let array = mine.clone().find(|a| named(&a.id)).or_else(|| {
                mine.find(|a| {
                    a.os_device.as_deref().is_some_and(|d| d.trim_start_matches("/dev/") == name.id)
                })
            });
            array.map(|a| a.id.clone())
        }
        _ => {
            let drive = facts.drives.iter().find(|d| d.controller.as_deref() == id && named(&d.key));
            drive.map(|d| d.key.clone())
        }
    }
}

/// md's drives are the kernel's block devices.
fn block_devices(names: &[Name], root: &std::path::Path) -> Option<Vec<String>> {
    let known = |name: &Name| {
        let plain = name.controller.is_none() && name.tool.is_none_or(|t| t == Tool::Mdadm);
        let node = root.join("sys/class/block").join(&name.id);
        (plain && !name.id.is_empty() && std::fs::symlink_metadata(node).is_ok()).then(|| name.id.clone())
    };
    names.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_parts() {
        let name = |tool, controller: Option<&str>, id: &str| Name {
            tool,
            controller: controller.map(str::to_owned),
            id: id.to_owned(),
        };
        assert_eq!(Name::parse("0/252:4"), name(None, Some("0"), "252:4"));
        assert_eq!(Name::parse("252:4"), name(None, None, "252:4"));
        assert_eq!(Name::parse("storcli:0/1"), name(Some(Tool::Storcli), Some("0"), "1"));
        assert_eq!(Name::parse("/dev/nowhere0"), name(None, None, "nowhere0"));
        assert_eq!(Name::parse("md0"), name(None, None, "md0"));
        assert_eq!(Name::parse("1I:1:4"), name(None, None, "1I:1:4"));
    }
}
