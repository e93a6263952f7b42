//! SCST as a service of the box: modules, the configuration at boot, and what appears later.
use crate::args::Step;
use crate::machine;
use esos_blockdev::UeventSocket;
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{Clock, Deadline, Files, HostClock, HostFiles};
use esos_scst::store::CONF;
use esos_scst::{Config, Document, Hardware, Pending, Policy, modules, plan};
use std::collections::BTreeSet;
use std::time::Duration;

const MODPROBE: &str = "/usr/sbin/modprobe";
/// How long the loading of one module may take; adapters' drivers reset their cards first.
const LOAD: Duration = Duration::from_secs(120);
/// How long one `apply` may take.
const APPLY: Duration = Duration::from_secs(600);
/// How often files are looked for, which send no events.
const TICK: Duration = Duration::from_secs(2);
/// How often the configuration itself is looked at while nothing is pending.
const IDLE: Duration = Duration::from_secs(30);

pub(crate) fn run(ui: &mut Ui, step: &Step) -> Result<Exit, Failure> {
    if !ui.global().is_live() {
        return Err(Failure::new(Exit::Usage, "the service is this machine's; --root is for looking"));
    }
    match step {
        Step::Load => load(ui),
        Step::Up { budget } => up(ui, Duration::from_secs(*budget)),
        Step::Watch => watch(ui),
        Step::Down => down(ui),
    }
}

/// What the stored configuration wants; nothing where there is no file.
fn wanted() -> Result<Config, Failure> {
    match HostFiles::new("/").read(CONF) {
        Ok(bytes) => Ok(Document::parse(CONF, String::from_utf8_lossy(&bytes).into_owned()).config().clone()),
        Err(e) if e.is_not_found() => Ok(Config::default()),
        Err(e) => Err(e.into()),
    }
}

fn load(ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new("/");
    let some = |dir: &str| files.list(dir).is_ok_and(|names| !names.is_empty());
    let hardware =
        Hardware { qlogic: some("/sys/bus/pci/drivers/qla2xxx"), rdma: some("/sys/class/infiniband") };
    let (mut loaded, mut missing) = (Vec::new(), Vec::new());
    for module in modules(&wanted()?, hardware) {
        let there = HostRunner.run(&Cmd::new(MODPROBE).args(["--dry-run", "--quiet", module.name]))?;
        if !there.status.success() {
            if module.name == "scst" {
                return Err(Failure::new(Exit::Unavailable, "this kernel has no module scst")
                    .help("build the image with SCST's packages: esos-image build --extra-debs DIR"));
            }
            if module.needed {
                ui.warn(format!("there is no module {} ({}); going on without", module.name, module.why));
            }
            missing.push(module.name);
            continue;
        }
        let out = HostRunner.run(&Cmd::new(MODPROBE).arg(module.name).limit(LOAD))?;
        if out.status.success() {
            loaded.push(module.name);
        } else {
            let said = out.error_text().trim().to_owned();
            if module.name == "scst" {
                return Err(Failure::new(Exit::Failed, format!("cannot load scst: {said}")));
            }
            ui.warn(format!("cannot load {} ({}): {said}; going on without", module.name, module.why));
            missing.push(module.name);
        }
    }
    let data = serde_json::json!({ "loaded": loaded, "missing": missing });
    ui.emit("esos.scst.modules/1", &data, |human| human.line(format!("loaded {}", loaded.join(", "))))?;
    Ok(Exit::Done)
}

/// What waits for a device or file, at this moment.
fn pending(ui: &Ui, wanted: &Config) -> Result<Vec<Pending>, Failure> {
    let live = machine::live(&machine::tree(ui.global()))?;
    let policy = Policy {
        numa_nodes: machine::numa_nodes(ui.global()),
        missing: machine::missing(ui.global(), wanted),
        ..Policy::default()
    };
    Ok(plan(&live, wanted, &policy).pending)
}

fn up(ui: &mut Ui, budget: Duration) -> Result<Exit, Failure> {
    // Listens first, looks then: what comes in between is not missed.
    let events = UeventSocket::open().or_exit(Exit::Failed)?;
    let wanted = wanted()?;
    if wanted.is_empty() {
        ui.say(format!("{CONF} configures nothing"));
        return Ok(Exit::Done);
    }
    let deadline = Deadline::after(&HostClock, budget);
    loop {
        let missing = machine::missing(ui.global(), &wanted);
        if missing.is_empty() {
            break;
        }
        if deadline.passed(&HostClock) {
            let all: Vec<&str> = missing.iter().map(String::as_str).collect();
            ui.warn(format!("not there after {} s: {}", budget.as_secs(), all.join(", ")));
            break;
        }
        events.wait(TICK.min(deadline.left(&HostClock))).or_exit(Exit::Failed)?;
    }
    apply(ui, &[])
}

/// Applies the stored configuration, whole or in part, in a process of its own: a fault in it is its exit
/// code here, and the service goes on.
fn apply(ui: &mut Ui, only: &[String]) -> Result<Exit, Failure> {
    let me = std::env::current_exe().context("cannot find this program")?;
    let mut cmd = Cmd::new(me).args(["apply", CONF, "--no-persist", "--wait", "60"]).limit(APPLY);
    for path in only {
        cmd = cmd.args(["--only", path.as_str()]);
    }
    let out = HostRunner.run(&cmd)?;
    for line in out.error_text().lines() {
        ui.warn(line.trim_start_matches("warning: ").to_owned());
    }
    for line in out.text().lines() {
        ui.say(line);
    }
    match out.status {
        esos_exec::Exit::Code(0) => Ok(Exit::Done),
        status => Err(Failure::new(Exit::Failed, format!("{CONF} was not applied: {status}"))
            .help("see `esos scst plan /etc/scst.conf`")),
    }
}

fn watch(ui: &mut Ui) -> Result<Exit, Failure> {
    let events = UeventSocket::open().or_exit(Exit::Failed)?;
    let mut before: BTreeSet<String> = BTreeSet::new();
    loop {
        let wanted = wanted().unwrap_or_default();
        // Without a configuration nothing is pending, and the tree need not be read for it.
        if wanted.is_empty() {
            before.clear();
            HostClock.sleep(IDLE);
            continue;
        }
        // SCST is not loaded, or goes at this moment.
        let Ok(now) = pending(ui, &wanted) else {
            before.clear();
            HostClock.sleep(IDLE);
            continue;
        };
        let now: BTreeSet<String> = now.into_iter().filter(|p| p.device.is_some()).map(|p| p.path).collect();
        let come: Vec<String> = before.difference(&now).cloned().collect();
        if !come.is_empty() {
            ui.say(format!("no longer pending: {}", come.join(", ")));
            if let Err(failure) = apply(ui, &come) {
                ui.warn(failure.message().to_owned());
                // Tried again when the next thing happens, but not in a tight circle.
                HostClock.sleep(TICK);
                events.wait(IDLE).or_exit(Exit::Failed)?;
                continue;
            }
        }
        before = now;
        // A block device's node and links are there when udev has worked on the event; the tick sees them.
        let limit = if before.is_empty() { IDLE } else { TICK };
        events.wait(limit).or_exit(Exit::Failed)?;
        if before.is_empty() {
            HostClock.sleep(Duration::from_secs(1));
        }
    }
}

fn down(ui: &mut Ui) -> Result<Exit, Failure> {
    let tree = machine::tree(ui.global());
    let live = machine::live(&tree)?;
    let mut failed = 0_usize;
    for (driver, d) in &live.drivers {
        let enabled = |attributes: &esos_scst::LiveAttrs| {
            attributes.get("enabled").and_then(|a| a.value.as_ref()).is_some_and(|v| v.expose() == "1")
        };
        let targets = d.targets.iter().filter(|(_, t)| enabled(&t.attributes));
        let mut files: Vec<String> = targets.map(|(t, _)| format!("targets/{driver}/{t}/enabled")).collect();
        if enabled(&d.attributes) {
            files.push(format!("targets/{driver}/enabled"));
        }
        for file in files {
            if let Err(e) = esos_sysfs::AttrTree::write(&tree, &file, "0") {
                failed = failed.saturating_add(1);
                ui.warn(format!("{file}: {e}"));
            }
        }
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}
