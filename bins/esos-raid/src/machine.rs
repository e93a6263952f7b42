//! What there is on this machine: tools, what they see, block devices and who uses them.
use esos_blockdev::{Claims, DeviceKind, Inventory, Signature, probe};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_exec::HostRunner;
use esos_raid::{Answer, Facts, Surroundings, Tool, render, survey_at};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Answers and failures of all tools: one that is broken never hides the others.
pub(crate) struct Everything {
    pub(crate) answers: Vec<Answer>,
    pub(crate) failed: Vec<(Tool, String)>,
}

impl Everything {
    pub(crate) fn data(&self) -> Value {
        let tools = self.answers.iter().map(|a| render(a.tool, "now", &a.captures, &a.facts));
        let failed = self.failed.iter().map(|(tool, why)| json!({ "tool": tool.name(), "error": why }));
        json!({ "tools": tools.collect::<Vec<_>>(), "failed": failed.collect::<Vec<_>>() })
    }

    pub(crate) fn exit(&self) -> Exit {
        if self.failed.is_empty() { Exit::Done } else { Exit::Failed }
    }
}

/// The folder that is looked into instead of the usual places.
fn only() -> Option<PathBuf> {
    std::env::var_os("ESOS_RAID_TOOLS").map(PathBuf::from)
}

/// Where a tool is below a root.
pub(crate) fn program(tool: Tool, root: &Path) -> Option<PathBuf> {
    let mut places = tool.programs().iter().map(Path::new);
    match only() {
        Some(dir) => places.filter_map(|p| Some(dir.join(p.file_name()?))).find(|p| p.is_file()),
        None => places.find(|p| root.join(p.strip_prefix("/").unwrap_or(p)).is_file()).map(Path::to_owned),
    }
}

/// The kernel's list of md arrays below a root.
fn mdstat(root: &Path) -> PathBuf {
    root.join("proc/mdstat")
}

/// Asks one tool. Where the kernel's md is not loaded there are no arrays.
pub(crate) fn ask_one(tool: Tool, program: &Path, root: &Path) -> Result<Answer, String> {
    let (program, mdstat) = (program.to_string_lossy(), mdstat(root));
    survey_at(tool, &program, &mdstat.to_string_lossy(), &HostRunner).map_err(|error| error.to_string())
}

/// Asks these tools, at the same time; those that are not installed are left out.
pub(crate) fn ask(ui: &mut Ui, tools: &[Tool]) -> Result<Everything, Failure> {
    let root = ui.root().to_owned();
    runs_here(&root)?;
    let asked: Vec<(Tool, PathBuf)> = tools
        .iter()
        .filter(|tool| !matches!(tool, Tool::Mdadm) || mdstat(&root).exists())
        .filter_map(|tool| Some((*tool, program(*tool, &root)?)))
        .collect();
    let told: Vec<(Tool, Result<Answer, String>)> = std::thread::scope(|scope| {
        let running: Vec<_> =
            asked.iter().map(|(tool, path)| (*tool, scope.spawn(|| ask_one(*tool, path, &root)))).collect();
        let ended = |(tool, thread): (Tool, std::thread::ScopedJoinHandle<'_, Result<Answer, String>>)| {
            (tool, thread.join().unwrap_or_else(|_| Err("asking it went wrong".to_owned())))
        };
        running.into_iter().map(ended).collect()
    });
    let mut everything = Everything { answers: Vec::new(), failed: Vec::new() };
    for (tool, answer) in told {
        match answer {
            Ok(answer) => {
                let facts = &answer.facts;
                for problem in facts.error.iter().chain(&facts.more_errors).filter(|p| !p.kind.is_normal()) {
                    ui.warn(format!("{tool}: {problem}"));
                    everything.failed.push((tool, problem.to_string()));
                }
                for doubt in &facts.doubts {
                    ui.warn(format!("{tool}: {doubt}"));
                }
                everything.answers.push(answer);
            }
            Err(error) => {
                ui.warn(format!("{tool}: {error}"));
                everything.failed.push((tool, error));
            }
        }
    }
    Ok(everything)
}

/// Asks all tools; none at all is a failure.
pub(crate) fn ask_all(ui: &mut Ui) -> Result<Everything, Failure> {
    let everything = ask(ui, &Tool::ALL)?;
    if everything.answers.is_empty() && everything.failed.is_empty() {
        let message = "no RAID tool is installed, and the kernel's md is not loaded";
        return Err(
            Failure::new(Exit::Unavailable, message).help("`esos-raid tools` says which one this box needs")
        );
    }
    Ok(everything)
}

/// Tools of another root are another machine's.
fn runs_here(root: &Path) -> Result<(), Failure> {
    if root == Path::new("/") || only().is_some() {
        return Ok(());
    }
    Err(Failure::new(Exit::Unavailable, "the tools of another root cannot be run")
        .help("use `esos-raid parse` for captured output"))
}

/// Block devices, who uses them, and what lies on those that are free.
pub(crate) fn surroundings(root: &Path) -> Result<Surroundings, Failure> {
    let inventory = Inventory::of_machine(root)
        .or_exit(Exit::Failed)
        .map_err(|e| e.context("cannot list block devices"))?;
    let mut claims = Claims::of_machine(root)
        .or_exit(Exit::Failed)
        .map_err(|e| e.context("cannot tell which block devices are in use"))?;
    claims.boot_stick = stick(root, &inventory);
    let mut around = Surroundings::new(inventory.clone(), claims);
    around.contents = contents(root, &inventory);
    Ok(around)
}

/// The stick that the box booted from, as `esos-init` reports it.
fn stick(root: &Path, inventory: &Inventory) -> Option<String> {
    let path = root.join(esos_layout::run::BOOT_REPORT.trim_start_matches('/'));
    let report: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let device = report.get("stick")?.get("device")?.as_str()?.trim_start_matches("/dev/");
    inventory.whole(device).map(|d| d.name.clone())
}

/// Superblocks of disks, partitions and arrays that can be read.
fn contents(root: &Path, inventory: &Inventory) -> BTreeMap<String, Vec<Signature>> {
    let kinds = [DeviceKind::Disk, DeviceKind::Partition, DeviceKind::Md, DeviceKind::Dm, DeviceKind::Loop];
    let mut found = BTreeMap::new();
    for device in inventory.devices().filter(|d| kinds.contains(&d.kind) && d.size.get() > 0) {
        let node = device.node();
        let path = root.join(node.trim_start_matches('/'));
        let Ok(mut file) = std::fs::File::open(path) else { continue };
        if let Ok(signatures) = probe(&mut file)
            && !signatures.is_empty()
        {
            found.insert(device.name.clone(), signatures);
        }
    }
    found
}

/// The facts of a tool, or none of md where it is not loaded.
pub(crate) fn facts(tool: Tool, program: &Path, root: &Path) -> Result<Facts, String> {
    if tool == Tool::Mdadm && !mdstat(root).exists() {
        return Ok(Facts::default());
    }
    let facts = ask_one(tool, program, root)?.facts;
    match facts.error.iter().chain(&facts.more_errors).find(|p| !p.kind.is_normal()) {
        Some(problem) => Err(problem.to_string()),
        None => Ok(facts),
    }
}
