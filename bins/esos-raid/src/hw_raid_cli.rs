//! As `hw_raid_cli.py`: the options and columns of ESOS's old wrapper, for scripts that know it.
//!
//! What was wrong with it is mended: a listing that fails is a failure, a tool that is missing is said,
//! columns do not shift, names with commas are quoted, and an array that is in use is not deleted.
use crate::machine;
use clap::{Parser, ValueEnum};
use esos_exec::{HostRunner, Runner};
use esos_raid::{
    Array, Change, Drive, DriveState, Facts, Level, NewArray, Place, Problem, ProblemKind, Tool, Verdict,
    judge, plan, words,
};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    #[value(name = "MegaRAID")]
    Mega,
    #[value(name = "PERC")]
    Perc,
    #[value(name = "AACRAID")]
    Adaptec,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Mega, Self::Perc, Self::Adaptec];

    fn tool(self) -> Tool {
        match self {
            Self::Mega => Tool::Storcli,
            Self::Perc => Tool::Perccli,
            Self::Adaptec => Tool::Arcconf,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Mega => "MegaRAID",
            Self::Perc => "PERC",
            Self::Adaptec => "AACRAID",
        }
    }
}

/// Hardware RAID through one syntax (the old name of esos-raid)
#[derive(Debug, Parser)]
#[command(name = "hw_raid_cli.py", infer_long_args = true, disable_version_flag = true)]
struct Options {
    /// list available RAID controllers
    #[arg(long)]
    list_controllers: bool,
    /// list all physical drives
    #[arg(long)]
    list_physical_drives: bool,
    /// list all logical drives
    #[arg(long)]
    list_logical_drives: bool,
    /// add a new logical drive
    #[arg(long)]
    add_logical_drive: bool,
    /// remove an existing logical drive
    #[arg(long)]
    rem_logical_drive: bool,
    /// add a new global hot spare drive
    #[arg(long)]
    add_hot_spare: bool,
    /// remove an existing global hot spare drive
    #[arg(long)]
    rem_hot_spare: bool,
    /// the RAID controller hardware type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Kind>,
    /// the RAID controller ID
    #[arg(long, value_name = "ID_NUM")]
    ctrlr_id: Option<u32>,
    /// only display available/unused physical drives
    #[arg(long)]
    avail_only: bool,
    /// the RAID level of the new logical drive
    #[arg(long, value_name = "LEVEL")]
    raid_level: Option<String>,
    /// the enclosure/slot string of the physical drives (eg, "0:1,0:2")
    #[arg(long, value_name = "DRIVES")]
    phys_drives: Option<String>,
    /// don't enable read-ahead cache (default is enabled)
    #[arg(long)]
    no_read_cache: bool,
    /// don't enable write-back cache (default is enabled)
    #[arg(long)]
    no_write_cache: bool,
    /// the logical drive ID number of the LD to remove
    #[arg(long, value_name = "ID_NUM")]
    rem_ld_id: Option<u32>,
    /// the enclosure ID of the physical drive to add
    #[arg(long, value_name = "ID_NUM")]
    add_encl_id: Option<u32>,
    /// the slot number of the physical drive to add
    #[arg(long, value_name = "ID_NUM")]
    add_slot_num: Option<u32>,
    /// the enclosure ID of the hot spare to remove
    #[arg(long, value_name = "ID_NUM")]
    rem_encl_id: Option<u32>,
    /// the slot number of the hot spare to remove
    #[arg(long, value_name = "ID_NUM")]
    rem_slot_num: Option<u32>,
}

/// How it ends: a message for standard error and an exit code.
struct End(u8, String);

fn usage(message: &str) -> End {
    End(2, format!("hw_raid_cli.py: error: {message}"))
}

fn failed(message: impl Into<String>) -> End {
    End(1, format!("hw_raid_cli.py: {}", message.into()))
}

/// Whether it was called by that name.
pub(crate) fn is_called(program: Option<&OsString>) -> bool {
    let name = program.map(Path::new).and_then(Path::file_name);
    name.is_some_and(|name| name == "hw_raid_cli.py" || name == "hw_raid_cli")
}

pub(crate) fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let _told = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let mut out = String::new();
    let end = run(&options, &mut out);
    // Nobody is left to be told where this goes wrong.
    let _written = std::io::stdout().write_all(out.as_bytes());
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(End(code, message)) => {
            let _told = writeln!(std::io::stderr(), "{message}");
            ExitCode::from(code)
        }
    }
}

fn run(options: &Options, out: &mut String) -> Result<(), End> {
    let commands = [
        options.list_controllers,
        options.list_physical_drives,
        options.list_logical_drives,
        options.add_logical_drive,
        options.rem_logical_drive,
        options.add_hot_spare,
        options.rem_hot_spare,
    ];
    match commands.iter().filter(|given| **given).count() {
        0 => return Err(usage("you must specify one command option")),
        1 => {}
        _ => return Err(usage("all command options are mutually exclusive, pick only one")),
    }
    let lists = options.list_controllers || options.list_physical_drives || options.list_logical_drives;
    let one = match (options.kind, options.ctrlr_id) {
        (Some(kind), Some(id)) => Some((kind, id)),
        (None, None) if lists => None,
        _ if lists => return Err(usage("--type and --ctrlr-id must both be specified")),
        _ => return Err(usage("--type and --ctrlr-id are required options")),
    };
    match one {
        _ if lists => list(options, one, out),
        Some((kind, id)) => change(options, kind, id, out),
        None => Err(usage("--type and --ctrlr-id are required options")),
    }
}

fn list(options: &Options, one: Option<(Kind, u32)>, out: &mut String) -> Result<(), End> {
    let mut wrong = Vec::new();
    let kinds = Kind::ALL.into_iter().filter(|kind| one.is_none_or(|(wanted, _)| wanted == *kind));
    let installed: Vec<_> =
        kinds.filter_map(|kind| Some((kind, machine::program(kind.tool(), Path::new("/"))?))).collect();
    if installed.is_empty() {
        return Err(failed(match one {
            Some((kind, _)) => format!("{} is not installed", kind.tool()),
            None => "none of storcli, perccli and arcconf is installed".to_owned(),
        }));
    }
    for (kind, program) in installed {
        let facts = match machine::ask_one(kind.tool(), &program, Path::new("/")) {
            Ok(answer) => answer.facts,
            Err(why) => {
                wrong.push(format!("{}: {why}", kind.tool()));
                continue;
            }
        };
        let problems = facts.error.iter().chain(&facts.more_errors);
        // A tool may be there for a card that is not: only who asks for the card is told.
        let normal =
            |p: &Problem| p.kind.is_normal() || (p.kind == ProblemKind::NoController && one.is_none());
        wrong.extend(problems.filter(|p| !normal(p)).map(|p| format!("{}: {p}", kind.tool())));
        if let Some((_, id)) = one
            && !facts.controllers.iter().any(|c| c.id == id.to_string())
        {
            wrong.push(format!("{}: there is no controller {id}", kind.tool()));
        }
        let mine = |controller: Option<&str>| {
            one.is_none_or(|(_, id)| controller.is_some_and(|c| c == id.to_string()))
        };
        if options.list_controllers {
            for c in facts.controllers.iter().filter(|c| mine(Some(&c.id))) {
                let (model, serial) = (c.model.as_deref().unwrap_or(""), c.serial.as_deref().unwrap_or(""));
                row(out, &[kind.word(), &c.id, model, serial]);
            }
        } else if options.list_physical_drives {
            let free = |d: &&Drive| !options.avail_only || d.state == Some(DriveState::Ready);
            for d in facts.drives.iter().filter(|d| mine(d.controller.as_deref())).filter(free) {
                drive(out, kind, d);
            }
        } else {
            for a in facts.arrays.iter().filter(|a| mine(a.controller.as_deref())) {
                array(out, kind, a);
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(failed(wrong.join("; "))) }
}

fn drive(out: &mut String, kind: Kind, drive: &Drive) {
    let (enclosure, slot) = drive.key.split_once([':', ',']).unwrap_or(("", drive.key.as_str()));
    let size = drive.size.as_ref().map_or("", |s| s.text.as_str());
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (controller, state, model) = (text(&drive.controller), text(&drive.state_raw), text(&drive.model));
    row(out, &[kind.word(), &controller, enclosure, slot, &state, size, &model]);
}

fn array(out: &mut String, kind: Kind, array: &Array) {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut level = text(&array.level_raw);
    if kind == Kind::Adaptec && !level.is_empty() {
        level = format!("RAID{level}");
    }
    let size = array.size.as_ref().map_or("", |s| s.text.as_str());
    let (controller, state, name) = (text(&array.controller), text(&array.state_raw), text(&array.name));
    row(out, &[kind.word(), &controller, &array.id, &level, &state, size, &name]);
}

/// Cells between commas; a cell that holds one, or a quote, is quoted (RFC 4180).
fn row(out: &mut String, cells: &[&str]) {
    let cell = |text: &&str| {
        if text.contains([',', '"']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            (*text).to_owned()
        }
    };
    out.push_str(&cells.iter().map(cell).collect::<Vec<_>>().join(","));
    out.push('\n');
}

fn change(options: &Options, kind: Kind, id: u32, out: &mut String) -> Result<(), End> {
    let mark = if kind == Kind::Adaptec { "," } else { ":" };
    let key = |enclosure: Option<u32>, slot: Option<u32>, message: &str| match (enclosure, slot) {
        (Some(enclosure), Some(slot)) => Ok(format!("{enclosure}{mark}{slot}")),
        _ => Err(usage(message)),
    };
    let change = if options.add_logical_drive {
        let (Some(level), Some(drives)) = (&options.raid_level, &options.phys_drives) else {
            return Err(usage("--raid-level and --phys-drives are required options"));
        };
        let mut new =
            NewArray::new(Level::parse(level), drives.split(',').map(|d| d.trim().replace(':', mark)));
        new.read_ahead = Some(!options.no_read_cache);
        new.write_back = Some(!options.no_write_cache);
        Change::Create(new)
    } else if options.rem_logical_drive {
        let Some(ld) = options.rem_ld_id else { return Err(usage("--rem-ld-id is a required option")) };
        Change::Delete { array: ld.to_string(), members: Vec::new(), group: None }
    } else if options.add_hot_spare {
        let message = "--add-encl-id and --add-slot-num are required options";
        Change::AddSpare { drive: key(options.add_encl_id, options.add_slot_num, message)?, of: None }
    } else {
        let message = "--rem-encl-id and --rem-slot-num are required options";
        Change::RemoveSpare { drive: key(options.rem_encl_id, options.rem_slot_num, message)?, of: None }
    };
    carry_out(kind, id, change, out)
}

fn carry_out(kind: Kind, id: u32, change: Change, out: &mut String) -> Result<(), End> {
    let tool = kind.tool();
    let root = Path::new("/");
    let program = machine::program(tool, root).ok_or_else(|| failed(format!("{tool} is not installed")))?;
    let facts: Facts = machine::facts(tool, &program, root).map_err(failed)?;
    let around = machine::surroundings(root).map_err(|e| failed(e.message()))?;
    let place = Place::new(tool, &program.to_string_lossy(), &id.to_string());
    let planned = plan(&place, change, &facts, &around).map_err(|e| failed(e.to_string()))?;
    for cmd in &planned.commands {
        let output = HostRunner.run(cmd).map_err(|e| failed(e.to_string()))?;
        if judge(tool, cmd, &output) != Verdict::Done {
            // The tool's own words and its own code, as before.
            words(&output).iter().for_each(|line| out.push_str(&format!("{line}\n")));
            let code = match output.status {
                esos_exec::Exit::Code(code) => u8::try_from(code).unwrap_or(1).max(1),
                esos_exec::Exit::Signal(_) => 1,
            };
            return Err(End(code, format!("hw_raid_cli.py: {tool} did not do it")));
        }
    }
    Ok(())
}
