//! Which tools there are.
use esos_cli::{Exit, Failure, Table, Ui};
use serde::Serialize;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A tool that we ship.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// Its name without `esos-`.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
    /// Whether a box has it and it tells a section of `esos status`.
    pub(crate) tells: Tells,
}

/// What a tool adds to `esos status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    /// Nothing.
    Nothing,
    /// A section.
    Section,
    /// Findings; its lines would repeat the box's own facts.
    Findings,
}

/// All tools that belong to ESOS. `esos-init` is none: it is the first program of a box.
pub(crate) const SHIPPED: &[Shipped] = &[
    Shipped { name: "net", about: "the network: /etc/network.conf", tells: Tells::Findings },
    Shipped { name: "stick", about: "the boot stick, and the watch over it", tells: Tells::Findings },
    Shipped {
        name: "setup",
        about: "the first login: password, name, network, time zone",
        tells: Tells::Nothing,
    },
    Shipped { name: "scst", about: "targets, LUNs, groups and sessions of SCST", tells: Tells::Section },
    Shipped {
        name: "raid",
        about: "RAID controllers, arrays and drives of all makers, and md",
        tells: Tells::Section,
    },
    Shipped { name: "drbd", about: "DRBD resources: status, events, split brain", tells: Tells::Section },
    Shipped {
        name: "cluster",
        about: "Pacemaker and Corosync: set up, check, explain",
        tells: Tells::Section,
    },
    Shipped { name: "conf", about: "the configuration and its history on the stick", tells: Tells::Section },
    Shipped { name: "crash", about: "crash dumps: arm, save, list, report", tells: Tells::Section },
    Shipped { name: "logs", about: "log archives and the support bundle", tells: Tells::Section },
    Shipped { name: "health", about: "findings, for monitoring", tells: Tells::Section },
    Shipped {
        name: "monitor",
        about: "the daemon for mails, metrics and the status page",
        tells: Tells::Nothing,
    },
    Shipped {
        name: "image",
        about: "build, inspect, verify, write, run and upgrade images",
        tells: Tells::Section,
    },
    Shipped { name: "agent", about: "OCF resource agents for the cluster", tells: Tells::Nothing },
    Shipped { name: "tui", about: "the console interface", tells: Tells::Nothing },
];

/// Where tools lie, by name without `esos-`.
pub(crate) type Tools = BTreeMap<String, PathBuf>;

/// Programs `esos-*` beside this one and on the `PATH`; those beside this one win.
pub(crate) fn installed() -> Tools {
    let beside = std::env::current_exe().ok().and_then(|me| me.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut tools = Tools::new();
    for dir in beside.into_iter().chain(std::env::split_paths(&path)) {
        let listed = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        // Where a directory lies on a stick that is gone, it cannot be listed, and still has what is in memory.
        let ours = SHIPPED.iter().map(|shipped| dir.join(format!("esos-{}", shipped.name)));
        for path in listed.chain(ours) {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(name) = name.and_then(|name| name.strip_prefix("esos-")) else { continue };
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if plain && name != "init" && !tools.contains_key(name) && is_program(&path) {
                tools.insert(name.to_owned(), path);
            }
        }
    }
    tools
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// What a tool is for; empty for tools that are not ours.
pub(crate) fn about(name: &str) -> &'static str {
    SHIPPED.iter().find(|s| s.name == name).map_or("", |s| s.about)
}

#[derive(Serialize)]
struct Row<'t> {
    name: &'t str,
    path: &'t Path,
    about: &'static str,
}

pub(crate) fn list(tools: &Tools, ui: &mut Ui) -> Result<Exit, Failure> {
    let rows: Vec<Row<'_>> =
        tools.iter().map(|(name, path)| Row { name, path, about: about(name) }).collect();
    ui.emit("esos.tools/1", &rows, |human| {
        let mut table = Table::new(["TOOL", "WHAT FOR", "WHERE"]);
        for row in &rows {
            table.row([row.name.to_owned(), row.about.to_owned(), row.path.display().to_string()]);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}
