//! `write`.

use esos_bootimg::disk::Reading;
use esos_bootimg::disk::gpt::Table;
use esos_bootimg::disk::verify::verify;
use esos_bootimg::tool::{Tool, recognise};
use esos_bootimg::upgrade::Stick;
use esos_bootimg::write::{Facts, WriteProgress, plan};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_fetch::{Fetch, HostFetch, Location, Sha256, read_whole};
use esos_hostfs::{Files, HostFiles};
use esos_layout::state::STICK_UNSET;
use esos_units::Bytes;
use serde_json::json;

use crate::args::WriteArgs;
use crate::bring::bring;
use crate::carry::{Side, carry};
use crate::medium::{How, Opened};
use crate::source::http;
use crate::target::Target;

/// The largest tool that is taken.
const MAX_TOOL: u64 = 512 << 20;

/// `write`.
pub(crate) fn run(args: &WriteArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let tools = tools(args)?;
    let mut brought = bring(&args.image, &std::env::temp_dir(), ui)?;
    let target = Target::look(&args.target, &brought.path, ui.root())?;
    let size = match target.bytes() {
        Some(bytes) => bytes,
        None => brought.bytes,
    };
    let facts = Facts { bytes: size, sector: u64::from(target.sector()), fresh: target.is_new() };
    let made = plan(&mut brought.image, facts).map_err(|e| {
        let failure = Failure::from(e).with_exit(Exit::Refused);
        failure.help(format!("{} stays as it is", args.target.display()))
    })?;
    let partitions: Vec<_> = made.partitions().map(|(name, size)| (name.to_owned(), size)).collect();
    for line in target.describe() {
        ui.say(line);
    }
    for (name, size) in &partitions {
        ui.say(format!("  will have {name}, {size}"));
    }
    for tool in &tools {
        ui.say(format!("  will have the tool {} ({})", tool.name, tool.origin));
    }
    if !target.is_new() {
        let question = Confirm::new(format!("erase {}", target.title())).typed(target.name());
        ui.confirm_name(&question, args.yes_erase.as_deref(), "--yes-erase")?;
    }
    let medium = target.open(size)?;
    let now = crate::stick::now();
    let nonce = format!("{now} {} {}", std::process::id(), target.name());
    let total = made.bytes();
    let writing = ui.progress("writing", Some(total));
    let reading = std::cell::OnceCell::new();
    let time = u32::try_from(now).unwrap_or(u32::MAX);
    let done = made.apply(&mut brought.image, &medium, &tools, nonce.as_bytes(), time, &mut |at| match at {
        WriteProgress::Written(bytes) => writing.set(bytes),
        WriteProgress::ReadBack(bytes) => {
            reading.get_or_init(|| ui.progress("reading back", Some(total))).set(bytes);
        }
    });
    writing.finish();
    if let Some(reading) = reading.into_inner() {
        reading.finish();
    }
    let done = done.map_err(|e| {
        let help = "the medium has no beginning now, so nothing boots from it; try another one";
        Failure::from(e).with_exit(Exit::Failed).help(help)
    })?;
    let found = verify(&mut Reading::new(&medium), &mut |_| {}).or_exit(Exit::Failed)?;
    if let Some(finding) = found.findings.first() {
        return Err(Failure::new(Exit::Failed, format!("what was written does not verify: {finding}")));
    }
    let table = found_table(&medium)?;
    // What was written from a stick must not pass for that stick.
    let mut stick = Stick::open(&medium).or_exit(Exit::Failed)?;
    if stick.records().stick.as_deref() != Some(STICK_UNSET) {
        stick.assign(STICK_UNSET).or_exit(Exit::Failed)?;
    }
    drop(medium);
    let conf = if args.with_config || args.config_of.is_some() {
        Some(config(args, &Side { path: &args.target, table: &table }, ui)?)
    } else {
        None
    };
    target.reread(ui);
    let names: Vec<&str> = tools.iter().map(|t| t.name.as_str()).collect();
    let rows: Vec<_> =
        partitions.iter().map(|(name, size)| json!({ "name": name, "size_bytes": size.get() })).collect();
    let data = json!({
        "target": args.target, "partitions": rows, "tools": names, "done": done, "conf": conf,
    });
    ui.emit("esos.image.write/1", &data, |human| {
        human.line(format!(
            "{} is written: {} written, {} read back and compared",
            args.target.display(),
            Bytes::new(done.written_bytes),
            Bytes::new(done.read_back_bytes)
        ));
        if let Some(copied) = conf.as_ref().and_then(|c| c.get("copied")?.as_array()) {
            human.line(format!("it has the configuration: {} packs", copied.len()));
        }
    })?;
    Ok(Exit::Done)
}

fn found_table(medium: &Opened) -> Result<Table, Failure> {
    Ok(Stick::open(medium).or_exit(Exit::Failed)?.table().clone())
}

/// The configuration of this box, or of a stick that was named.
fn config(args: &WriteArgs, to: &Side<'_>, ui: &Ui) -> Result<serde_json::Value, Failure> {
    let Some(path) = &args.config_of else { return carry(None, to, true, ui) };
    let medium = Opened::open(path, How::Read)?;
    let table = Stick::open(&medium).or_exit(Exit::Invalid)?.table().clone();
    carry(Some(&Side { path, table: &table }), to, true, ui)
}

/// `--tool` and `--sha256`, in pairs.
fn tools(args: &WriteArgs) -> Result<Vec<Tool>, Failure> {
    if args.tools.len() != args.sums.len() {
        let text = format!("{} --tool, but {} --sha256", args.tools.len(), args.sums.len());
        return Err(Failure::new(Exit::Usage, text).help("each tool needs the hash that its maker publishes"));
    }
    let mut tools: Vec<Tool> = Vec::new();
    for (from, wanted) in args.tools.iter().zip(&args.sums) {
        let bytes = whole(from)?;
        let found = Sha256::of(&bytes);
        if found != *wanted {
            let text = format!("{from} has SHA-256 {found}, expected {wanted}");
            return Err(Failure::new(Exit::Refused, text)
                .help("fetch it again, and compare with what its maker says"));
        }
        for tool in recognise(from, &bytes).or_exit(Exit::Invalid)? {
            tools.retain(|t| t.name != tool.name);
            tools.push(tool);
        }
    }
    Ok(tools)
}

fn whole(from: &str) -> Result<Vec<u8>, Failure> {
    let location: Location = from.parse().or_exit(Exit::Usage)?;
    match location.path() {
        Some(path) => Ok(HostFiles::new("/").read(&crate::source::absolute(path)?.to_string_lossy())?),
        None => {
            let fetch = HostFetch::new(http(&HostFiles::new("/")))?;
            let fetch: &dyn Fetch = &fetch;
            Ok(read_whole(fetch, &location, MAX_TOOL, &())?)
        }
    }
}
