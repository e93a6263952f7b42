//! What can be done to a controller, and the exact command lines for it.
//!
//! The grammar of each tool is in its own function; no shell is ever involved, so names with blanks,
//! quotes or `$()` reach the tool as one argument.
use crate::shape::{ShapeError, data_drives, distinct, natural_spans};
use crate::{Level, Tool};
use esos_exec::Cmd;
use std::time::Duration;

/// An array to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewArray {
    /// Its level.
    pub level: Level,
    /// Its drives, by key.
    pub drives: Vec<String>,
    /// Spans; 0 is the level's own.
    pub spans: u64,
    /// Strip size in KiB.
    pub strip_kib: Option<u64>,
    /// Its name.
    pub name: Option<String>,
    /// Whether writes are cached.
    pub write_back: Option<bool>,
    /// Whether reads are cached ahead.
    pub read_ahead: Option<bool>,
}

impl NewArray {
    /// An array of that level on those drives; the tool chooses the rest.
    #[must_use]
    pub fn new(level: Level, drives: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            level,
            drives: drives.into_iter().map(Into::into).collect(),
            spans: 0,
            strip_kib: None,
            name: None,
            write_back: None,
            read_ahead: None,
        }
    }
}

/// What to do. Ids are those of the tool's own facts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Make an array. Destroys what is on the drives.
    Create(NewArray),
    /// Delete an array. Destroys what is on it.
    Delete {
        /// Its id.
        array: String,
    },
    /// Make a drive a hot spare, for one array or group, or for all.
    AddSpare {
        /// The drive.
        drive: String,
        /// The array, drive group or HP array; `None` is all.
        of: Option<String>,
    },
    /// Make a hot spare a free drive again.
    RemoveSpare {
        /// The drive.
        drive: String,
        /// The HP array or md device that it serves.
        of: Option<String>,
    },
    /// Switch the locate light of a drive.
    Locate {
        /// The drive.
        drive: String,
        /// On or off.
        on: bool,
    },
    /// Change the cache policy of an array.
    Cache {
        /// Its id.
        array: String,
        /// Whether writes are cached.
        write_back: Option<bool>,
        /// Whether reads are cached ahead.
        read_ahead: Option<bool>,
    },
    /// Give an array another name.
    Rename {
        /// Its id.
        array: String,
        /// The name.
        name: String,
    },
    /// Start to rebuild onto a drive.
    Rebuild {
        /// The drive.
        drive: String,
        /// The array (3ware, md).
        array: Option<String>,
    },
    /// Check, and mend, an array.
    Check {
        /// Its id.
        array: String,
    },
    /// List foreign configurations.
    ForeignScan,
    /// Take foreign configurations over.
    ForeignImport,
    /// Remove foreign configurations. Destroys the arrays that they describe.
    ForeignClear,
    /// Set how much of the controller's time rebuilding may take, in percent.
    RebuildRate {
        /// 0 to 100.
        percent: u64,
    },
}

impl Change {
    /// Whether data can be lost.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Delete { .. } | Self::ForeignClear | Self::AddSpare { .. })
    }
}

/// Why there is no command line for a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The tool has no command for it.
    #[error("{tool} cannot do this")]
    Unsupported {
        /// The tool.
        tool: Tool,
    },
    /// A drive or array whose name is not one of this tool.
    #[error("`{id}` is no {what} of {tool}")]
    Id {
        /// What was given.
        id: String,
        /// What it should be.
        what: &'static str,
        /// The tool.
        tool: Tool,
    },
    /// A name that the controller would not keep.
    #[error("a name is 1 to {longest} characters without control characters, `{name}` is not")]
    Name {
        /// The name.
        name: String,
        /// The longest.
        longest: usize,
    },
    /// The drives cannot become that array.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Something that this change needs was not given.
    #[error("{tool} needs {what} for this")]
    Needs {
        /// The tool.
        tool: Tool,
        /// What is missing.
        what: &'static str,
    },
}

/// The command lines that do it, in order: each must succeed before the next is run.
///
/// # Errors
/// The tool cannot do it, an id is none of this tool's, or the drives cannot become that array. No tool
/// is started by this function.
pub fn commands(
    tool: Tool,
    program: &str,
    controller: &str,
    change: &Change,
) -> Result<Vec<Cmd>, ChangeError> {
    if let Change::Create(new) = change {
        distinct(&new.drives)?;
        let count = u64::try_from(new.drives.len()).unwrap_or(u64::MAX);
        data_drives(&new.level, count, spans(new))?;
        name(tool, new.name.as_deref())?;
        for drive in &new.drives {
            id(tool, drive)?;
        }
    }
    if let Change::Rename { name: new, .. } = change {
        name(tool, Some(new))?;
    }
    if let Change::AddSpare { drive, .. }
    | Change::RemoveSpare { drive, .. }
    | Change::Locate { drive, .. }
    | Change::Rebuild { drive, .. } = change
    {
        id(tool, drive)?;
    }
    if !controller_is(tool, controller) {
        return Err(ChangeError::Id { id: controller.to_owned(), what: "controller", tool });
    }
    if let Change::Delete { array }
    | Change::Cache { array, .. }
    | Change::Rename { array, .. }
    | Change::Check { array } = change
        && !array_is(tool, array)
    {
        return Err(ChangeError::Id { id: array.clone(), what: "array", tool });
    }
    let lines = match tool {
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli => storcli(controller, change),
        Tool::Megacli => megacli(controller, change),
        Tool::Arcconf => arcconf(controller, change),
        Tool::Hpacucli | Tool::Ssacli => hp(tool, controller, change)?,
        Tool::Areca => areca(change),
        Tool::TwCli => tw_cli(controller, change),
        Tool::Mdadm | Tool::Mdstat => md(tool, change)?,
    };
    let lines = lines.ok_or(ChangeError::Unsupported { tool })?;
    Ok(lines.into_iter().map(|args| Cmd::new(program).args(args).limit(Duration::from_secs(120))).collect())
}

type Lines = Option<Vec<Vec<String>>>;

fn spans(new: &NewArray) -> u64 {
    let count = u64::try_from(new.drives.len()).unwrap_or(u64::MAX);
    if new.spans == 0 { natural_spans(&new.level, count) } else { new.spans }
}

fn name(tool: Tool, name: Option<&str>) -> Result<(), ChangeError> {
    let Some(name) = name else { return Ok(()) };
    let longest = match tool {
        Tool::Megacli | Tool::Storcli | Tool::Storcli2 | Tool::Perccli | Tool::Areca => 15,
        Tool::TwCli => 21,
        Tool::Mdadm | Tool::Mdstat => 32,
        _ => 64,
    };
    let length = name.chars().count();
    if length == 0 || length > longest || name.chars().any(char::is_control) {
        return Err(ChangeError::Name { name: name.to_owned(), longest });
    }
    Ok(())
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn array_is(tool: Tool, array: &str) -> bool {
    match tool {
        Tool::TwCli => array.strip_prefix('u').is_some_and(digits),
        Tool::Mdadm | Tool::Mdstat => array.starts_with("md") && plain(array),
        _ => digits(array),
    }
}

fn controller_is(tool: Tool, controller: &str) -> bool {
    match tool {
        Tool::TwCli => controller.strip_prefix('c').is_some_and(digits),
        Tool::Hpacucli | Tool::Ssacli => {
            !controller.is_empty() && controller.bytes().all(|b| b.is_ascii_alphanumeric())
        }
        // It has no controllers, or works on the current one.
        Tool::Mdadm | Tool::Mdstat | Tool::Areca => true,
        _ => digits(controller),
    }
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// That a drive's key is one of this tool: nothing else may reach a command line in its place.
fn id(tool: Tool, key: &str) -> Result<(), ChangeError> {
    let good = match tool {
        Tool::Megacli | Tool::Storcli | Tool::Storcli2 | Tool::Perccli => {
            key.split_once(':').is_some_and(|(e, s)| (e.is_empty() || digits(e)) && digits(s))
        }
        Tool::Arcconf => key.split_once(',').is_some_and(|(c, d)| digits(c) && digits(d)),
        Tool::Hpacucli | Tool::Ssacli => key.split(':').count() >= 2 && key.split(':').all(plain),
        Tool::Areca => digits(key),
        Tool::TwCli => key.strip_prefix('p').is_some_and(digits),
        Tool::Mdadm | Tool::Mdstat => plain(key),
    };
    if good { Ok(()) } else { Err(ChangeError::Id { id: key.to_owned(), what: "drive", tool }) }
}

/// One command line from words.
macro_rules! line {
    ($($word:expr),* $(,)?) => { vec![$($word.to_string()),*] };
}

fn level_digits(level: &Level) -> &str {
    level.as_str().trim_start_matches("raid")
}

fn storcli(controller: &str, change: &Change) -> Lines {
    let c = format!("/c{controller}");
    let slot = |key: &str| {
        let (enclosure, slot) = key.split_once(':').unwrap_or(("", key));
        if enclosure.is_empty() { format!("{c}/s{slot}") } else { format!("{c}/e{enclosure}/s{slot}") }
    };
    Some(vec![match change {
        Change::Create(new) => {
            let mut args = line![c, "add", "vd", format!("r{}", level_digits(&new.level)), "size=all"];
            args.extend(new.name.as_ref().map(|n| format!("name={n}")));
            args.push(format!("drives={}", new.drives.join(",")));
            if spans(new) > 1 {
                let each = u64::try_from(new.drives.len()).unwrap_or(0) / spans(new);
                args.push(format!("pdperarray={each}"));
            }
            args.extend(new.strip_kib.map(|k| format!("strip={k}")));
            args.extend(new.write_back.map(|yes| if yes { "wb" } else { "wt" }.to_owned()));
            args.extend(new.read_ahead.map(|yes| if yes { "ra" } else { "nora" }.to_owned()));
            args
        }
        Change::Delete { array } => line![format!("{c}/v{array}"), "del", "force"],
        Change::AddSpare { drive, of } => {
            let mut args = line![slot(drive), "add", "hotsparedrive"];
            args.extend(of.as_ref().map(|group| format!("dgs={group}")));
            args
        }
        Change::RemoveSpare { drive, .. } => line![slot(drive), "delete", "hotsparedrive"],
        Change::Locate { drive, on } => line![slot(drive), if *on { "start" } else { "stop" }, "locate"],
        Change::Cache { array, write_back, read_ahead } => {
            let mut args = line![format!("{c}/v{array}"), "set"];
            args.extend(write_back.map(|yes| format!("wrcache={}", if yes { "wb" } else { "wt" })));
            args.extend(read_ahead.map(|yes| format!("rdcache={}", if yes { "ra" } else { "nora" })));
            args
        }
        Change::Rename { array, name } => line![format!("{c}/v{array}"), "set", format!("name={name}")],
        Change::Rebuild { drive, .. } => line![slot(drive), "start", "rebuild"],
        Change::Check { array } => line![format!("{c}/v{array}"), "start", "cc"],
        Change::ForeignScan => line![format!("{c}/fall"), "show"],
        Change::ForeignImport => line![format!("{c}/fall"), "import"],
        Change::ForeignClear => line![format!("{c}/fall"), "del"],
        Change::RebuildRate { percent } => line![c, "set", format!("rebuildrate={percent}")],
    }])
    .map(|lines| {
        lines
            .into_iter()
            .map(|mut args| {
                args.extend(line!["J", "nolog"]);
                args
            })
            .collect()
    })
}

fn megacli(controller: &str, change: &Change) -> Lines {
    let a = format!("-a{controller}");
    let args = match change {
        Change::Create(new) => {
            let mut args = if spans(new) > 1 {
                let each = new.drives.len() / usize::try_from(spans(new)).unwrap_or(1).max(1);
                let mut args = line!["-CfgSpanAdd", format!("-r{}", level_digits(&new.level))];
                for (i, span) in new.drives.chunks(each.max(1)).enumerate() {
                    args.push(format!("-Array{i}[{}]", span.join(",")));
                }
                args
            } else {
                line!["-CfgLdAdd", format!("-r{}[{}]", level_digits(&new.level), new.drives.join(","))]
            };
            args.extend(new.write_back.map(|yes| if yes { "WB" } else { "WT" }.to_owned()));
            args.extend(new.read_ahead.map(|yes| if yes { "RA" } else { "NORA" }.to_owned()));
            args.extend(new.strip_kib.map(|k| format!("-strpsz{k}")));
            args.extend(line![a, "-Silent"]);
            args
        }
        Change::Delete { array } => line!["-CfgLdDel", format!("-L{array}"), a, "-Silent"],
        Change::AddSpare { drive, of } => {
            let mut args = line!["-PDHSP", "-Set"];
            if let Some(group) = of {
                args.extend(line!["-Dedicated", format!("-Array{group}")]);
            }
            args.extend(line!["-PhysDrv", format!("[{drive}]"), a]);
            args
        }
        Change::RemoveSpare { drive, .. } => line!["-PDHSP", "-Rmv", "-PhysDrv", format!("[{drive}]"), a],
        Change::Locate { drive, on } => {
            line!["-PdLocate", if *on { "-start" } else { "-stop" }, format!("-physdrv[{drive}]"), a]
        }
        // One property for each call.
        Change::Cache { array, write_back, read_ahead } => {
            let words = [
                write_back.map(|yes| if yes { "WB" } else { "WT" }),
                read_ahead.map(|yes| if yes { "RA" } else { "NORA" }),
            ];
            let each = words.into_iter().flatten();
            return Some(
                each.map(|word| line!["-LDSetProp", word, format!("-L{array}"), a, "-NoLog"]).collect(),
            );
        }
        Change::Rename { array, name } => line!["-LDSetProp", "-Name", name, format!("-L{array}"), a],
        Change::Rebuild { drive, .. } => line!["-PDRbld", "-Start", "-PhysDrv", format!("[{drive}]"), a],
        Change::Check { array } => line!["-LDCC", "-Start", format!("-L{array}"), a],
        Change::ForeignScan => line!["-CfgForeign", "-Scan", a],
        Change::ForeignImport => line!["-CfgForeign", "-Import", a],
        Change::ForeignClear => line!["-CfgForeign", "-Clear", a],
        Change::RebuildRate { percent } => line!["-AdpSetProp", "RebuildRate", percent, a],
    };
    let mut args = args;
    if args.last().is_none_or(|word| word != "-NoLog") {
        args.push("-NoLog".to_owned());
    }
    Some(vec![args])
}

fn arcconf(controller: &str, change: &Change) -> Lines {
    let device = |key: &str| key.split(',').map(str::to_owned).collect::<Vec<_>>();
    Some(vec![match change {
        Change::Create(new) => {
            let mut args = line!["CREATE", controller, "LOGICALDRIVE"];
            args.extend(new.strip_kib.map(|k| line!["Stripesize", k]).into_iter().flatten());
            args.extend(
                new.read_ahead
                    .map(|yes| line!["Rcache", if yes { "RON" } else { "ROFF" }])
                    .into_iter()
                    .flatten(),
            );
            args.extend(
                new.write_back
                    .map(|yes| line!["Wcache", if yes { "WB" } else { "WT" }])
                    .into_iter()
                    .flatten(),
            );
            args.extend(new.name.as_ref().map(|n| line!["Name", n]).into_iter().flatten());
            args.extend(line!["MAX", level_digits(&new.level)]);
            args.extend(new.drives.iter().flat_map(|key| device(key)));
            args.push("noprompt".to_owned());
            args
        }
        Change::Delete { array } => line!["DELETE", controller, "LOGICALDRIVE", array, "noprompt"],
        Change::AddSpare { drive, of } => {
            let mut args = line!["SETSTATE", controller, "DEVICE"];
            args.extend(device(drive));
            args.push("HSP".to_owned());
            args.extend(of.as_ref().map(|array| line!["LOGICALDRIVE", array]).into_iter().flatten());
            args.push("noprompt".to_owned());
            args
        }
        Change::RemoveSpare { drive, .. } => {
            let mut args = line!["SETSTATE", controller, "DEVICE"];
            args.extend(device(drive));
            args.extend(line!["RDY", "noprompt"]);
            args
        }
        Change::Locate { drive, on } => {
            let mut args = line!["IDENTIFY", controller, "DEVICE"];
            args.extend(device(drive));
            // Without START it waits for a key.
            args.push(if *on { "START" } else { "STOP" }.to_owned());
            args
        }
        Change::Cache { array, write_back, read_ahead } => {
            let words = [
                read_ahead.map(|yes| if yes { "RON" } else { "ROFF" }),
                write_back.map(|yes| if yes { "WB" } else { "WT" }),
            ];
            let each = words.into_iter().flatten();
            return Some(
                each.map(|word| line!["SETCACHE", controller, "LOGICALDRIVE", array, word, "noprompt"])
                    .collect(),
            );
        }
        Change::Check { array } => {
            line!["TASK", "START", controller, "LOGICALDRIVE", array, "VERIFY_FIX", "noprompt"]
        }
        _ => return None,
    }])
}

fn hp(tool: Tool, controller: &str, change: &Change) -> Result<Lines, ChangeError> {
    let slot = format!("slot={controller}");
    let group = |of: &Option<String>| {
        let letter = of.clone().ok_or(ChangeError::Needs { tool, what: "the array's letter" })?;
        let good = !letter.is_empty() && letter.bytes().all(|b| b.is_ascii_uppercase());
        if good { Ok(letter) } else { Err(ChangeError::Id { id: letter, what: "array", tool }) }
    };
    Ok(Some(vec![match change {
        Change::Create(new) => {
            let raid = if new.level == Level::Raid10 { "1+0" } else { level_digits(&new.level) };
            let mut args = line![
                "ctrl",
                slot,
                "create",
                "type=ld",
                format!("drives={}", new.drives.join(",")),
                "size=max"
            ];
            args.push(format!("raid={raid}"));
            args.extend(new.strip_kib.map(|k| format!("ss={k}")));
            args.extend(new.write_back.map(|yes| format!("aa={}", if yes { "enable" } else { "disable" })));
            args.push("forced".to_owned());
            args
        }
        Change::Delete { array } => line!["ctrl", slot, "ld", array, "delete", "forced"],
        Change::AddSpare { drive, of } => {
            line!["ctrl", slot, "array", group(of)?, "add", format!("spares={drive}")]
        }
        Change::RemoveSpare { drive, of } => {
            line!["ctrl", slot, "array", group(of)?, "remove", format!("spares={drive}")]
        }
        Change::Locate { drive, on } => {
            line!["ctrl", slot, "pd", drive, "modify", format!("led={}", if *on { "on" } else { "off" })]
        }
        Change::Cache { array, write_back: Some(yes), read_ahead: None } => {
            line![
                "ctrl",
                slot,
                "ld",
                array,
                "modify",
                format!("aa={}", if *yes { "enable" } else { "disable" })
            ]
        }
        Change::RebuildRate { percent } => {
            let word = match percent {
                0..=33 => "low",
                34..=66 => "medium",
                _ => "high",
            };
            line!["ctrl", slot, "modify", format!("rp={word}")]
        }
        // Rebuilding starts by itself.
        _ => return Ok(None),
    }]))
}

fn areca(change: &Change) -> Lines {
    Some(vec![match change {
        Change::AddSpare { drive, of: None } => line!["rsf", "createhs", format!("drv={drive}")],
        Change::RemoveSpare { drive, .. } => line!["rsf", "deletehs", format!("drv={drive}")],
        Change::Locate { drive, on: true } => line!["disk", "identify", format!("drv={drive}")],
        Change::Delete { array } => line!["vsf", "delete", format!("vol={array}")],
        _ => return None,
    }])
}

fn tw_cli(controller: &str, change: &Change) -> Lines {
    let c = format!("/{controller}");
    let port = |key: &str| key.trim_start_matches('p').to_owned();
    Some(vec![match change {
        Change::Create(new) => {
            let ports: Vec<String> = new.drives.iter().map(|key| port(key)).collect();
            let mut args =
                line![c, "add", format!("type={}", new.level.as_str()), format!("disk={}", ports.join(":"))];
            args.extend(new.strip_kib.map(|k| format!("stripe={k}")));
            args.extend((new.write_back == Some(false)).then(|| "nocache".to_owned()));
            args.extend(new.name.as_ref().map(|n| format!("name={n}")));
            args
        }
        Change::Delete { array } => line![format!("{c}/{array}"), "del", "noscan", "quiet"],
        Change::AddSpare { drive, of: None } => {
            line![c, "add", "type=spare", format!("disk={}", port(drive))]
        }
        Change::Locate { drive, on } => {
            line![format!("{c}/{drive}"), "set", format!("identify={}", if *on { "on" } else { "off" })]
        }
        Change::Cache { array, write_back: Some(yes), read_ahead: None } => {
            line![
                format!("{c}/{array}"),
                "set",
                format!("cache={}", if *yes { "on" } else { "off" }),
                "quiet"
            ]
        }
        Change::Rebuild { drive, array: Some(array) } => {
            line![format!("{c}/{array}"), "start", "rebuild", format!("disk={}", port(drive))]
        }
        Change::Check { array } => line![format!("{c}/{array}"), "start", "verify"],
        // Its scale is 1, the fastest, to 5.
        Change::RebuildRate { percent } => {
            line![c, "set", format!("rebuild={}", 5 - (percent.min(&100) * 4 / 100))]
        }
        _ => return None,
    }])
}

fn md(tool: Tool, change: &Change) -> Result<Lines, ChangeError> {
    let device = |of: &Option<String>| {
        of.as_ref().map(|id| format!("/dev/{id}")).ok_or(ChangeError::Needs { tool, what: "the md device" })
    };
    Ok(Some(vec![match change {
        Change::Create(new) => {
            let name = new.name.clone().ok_or(ChangeError::Needs { tool, what: "a name" })?;
            if !plain(&name) {
                return Err(ChangeError::Id { id: name, what: "md name", tool });
            }
            let mut args = line!["--create", format!("/dev/md/{name}"), "--run"];
            args.push(format!("--level={}", level_digits(&new.level)));
            args.push(format!("--raid-devices={}", new.drives.len()));
            args.extend(new.strip_kib.map(|k| format!("--chunk={k}")));
            if !matches!(new.level, Level::Raid0) {
                args.push("--bitmap=internal".to_owned());
            }
            args.push(format!("--name={name}"));
            args.extend(new.drives.iter().map(|key| format!("/dev/{key}")));
            args
        }
        Change::Delete { array } => line!["--stop", format!("/dev/{array}")],
        Change::AddSpare { drive, of } | Change::Rebuild { drive, array: of } => {
            line![device(of)?, "--add", format!("/dev/{drive}")]
        }
        Change::RemoveSpare { drive, of } => line![device(of)?, "--remove", format!("/dev/{drive}")],
        _ => return Ok(None),
    }]))
}
