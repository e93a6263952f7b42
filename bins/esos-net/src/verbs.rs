//! What each verb does.
use crate::machine::{CONF, Conf, facts, seen};
use esos_cli::{Exit, Failure, OrExit, Table, Ui};
use esos_exec::HostRunner;
use esos_hostfs::{Clock, Files, HostClock, HostFiles, lock};
use esos_network::{BootProto, Config, InterfaceName, Kind, Outcome, Plan, Report, Seen};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

pub(crate) fn check(ui: &mut Ui, file: Option<&Path>) -> Result<Exit, Failure> {
    let conf = match file {
        Some(path) => Conf::read_file(path)?,
        None => Conf::read(ui.global())?,
    };
    if conf.has_errors() {
        return Err(Failure::findings(conf.findings, &conf.text));
    }
    ui.diagnostics(&conf.findings, &conf.text);
    ui.emit("esos.net.config/1", &conf.config, |human| {
        human.line(format!("{} interfaces, no errors", conf.config.interfaces.len()));
    })?;
    Ok(Exit::Done)
}

/// One line of `show`.
#[derive(Serialize)]
struct Row {
    name: String,
    kind: String,
    configured: String,
    carrier: Option<bool>,
    mtu: Option<u32>,
    mac: Option<String>,
    addresses: Vec<String>,
}

pub(crate) fn show(ui: &mut Ui) -> Result<Exit, Failure> {
    let conf = Conf::read(ui.global())?;
    ui.diagnostics(&conf.findings, &conf.text);
    let rows = rows(&conf.config, seen(ui.global())?.as_deref());
    ui.emit("esos.net.show/1", &rows, |human| {
        let mut table =
            Table::new(["INTERFACE", "KIND", "CONFIGURED", "CARRIER", "MTU", "ADDRESSES"]).right(4);
        for row in &rows {
            let carrier = row.carrier.map_or("", |c| if c { "yes" } else { "no" });
            let mtu = row.mtu.map(|m| m.to_string()).unwrap_or_default();
            let cells = [&row.name, &row.kind, &row.configured, carrier, &mtu, &row.addresses.join(" ")];
            table.row(cells);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}

fn rows(config: &Config, seen: Option<&[Seen]>) -> Vec<Row> {
    let configured = |name: &str| {
        let broken = config.broken.iter().any(|(n, _)| n == name);
        match config.interfaces.iter().find(|i| i.name.as_str() == name).map(|i| i.bootproto) {
            Some(BootProto::Static) => "static",
            Some(BootProto::Dhcp) => "dhcp",
            Some(BootProto::None) => "no address",
            None if broken => "error",
            None if config.interfaces.is_empty() => "dhcp by default",
            None => "",
        }
    };
    let mut rows: Vec<Row> = seen
        .unwrap_or(&[])
        .iter()
        .filter(|s| s.link_type != "loopback")
        .map(|s| Row {
            name: s.name.to_string(),
            kind: s.kind.clone().unwrap_or_else(|| "card".to_owned()),
            configured: configured(s.name.as_str()).to_owned(),
            carrier: Some(s.carrier),
            mtu: Some(s.mtu),
            mac: s.mac.clone(),
            addresses: s.addresses.iter().map(ToString::to_string).collect(),
        })
        .collect();
    for interface in &config.interfaces {
        if rows.iter().any(|r| r.name == interface.name.as_str()) {
            continue;
        }
        let kind = match interface.kind {
            Kind::Device => "absent",
            Kind::Bond { .. } => "bond",
            Kind::Bridge { .. } => "bridge",
            Kind::Vlan { .. } => "vlan",
        };
        rows.push(Row {
            name: interface.name.to_string(),
            kind: kind.to_owned(),
            configured: configured(interface.name.as_str()).to_owned(),
            carrier: None,
            mtu: interface.mtu,
            mac: None,
            addresses: Vec::new(),
        });
    }
    rows
}

pub(crate) fn plan(ui: &mut Ui) -> Result<Exit, Failure> {
    let conf = Conf::read(ui.global())?;
    ui.diagnostics(&conf.findings, &conf.text);
    let plan = esos_network::plan(&conf.config, &facts(ui.global())?);
    ui.emit("esos.net.plan/1", &plan, |human| {
        for (name, why) in &plan.skipped {
            human.line(format!("# not done: {name}: {why}"));
        }
        plan.first.iter().for_each(|s| human.line(s.cmd.to_string()));
        for file in &plan.files {
            human.line(format!("# write {}", file.path));
            file.text.lines().for_each(|l| human.line(format!("#   {l}")));
        }
        for interface in &plan.interfaces {
            human.line(format!("# {}", interface.name));
            interface.steps.iter().for_each(|s| human.line(s.cmd.to_string()));
        }
        if !plan.last.is_empty() {
            human.line("# all");
            plan.last.iter().for_each(|s| human.line(s.cmd.to_string()));
        }
    })?;
    Ok(Exit::Done)
}

/// What `apply` and `up` did.
#[derive(Serialize)]
struct Done<'p> {
    report: &'p Report,
    skipped: &'p [(String, String)],
}

pub(crate) fn apply(ui: &mut Ui) -> Result<Exit, Failure> {
    let conf = Conf::read(ui.global())?;
    if conf.has_errors() {
        return Err(Failure::findings(conf.findings, &conf.text));
    }
    ui.diagnostics(&conf.findings, &conf.text);
    run(ui, &conf.config, 25)
}

pub(crate) fn up(ui: &mut Ui, wait: u64) -> Result<Exit, Failure> {
    let conf = Conf::read(ui.global())?;
    ui.diagnostics(&conf.findings, &conf.text);
    let exit = run(ui, &conf.config, wait)?;
    // At boot a file with an error is no success, however much of it was done.
    Ok(if conf.has_errors() { Exit::Invalid } else { exit })
}

fn live(ui: &Ui) -> Result<(), Failure> {
    if ui.global().is_live() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "a copied tree has no network; `plan` shows what would be done"))
}

fn run(ui: &mut Ui, config: &Config, wait: u64) -> Result<Exit, Failure> {
    live(ui)?;
    let files = HostFiles::new("/");
    files.make_dir("/run/esos")?;
    let _one_at_a_time =
        lock(Path::new("/run/esos/net.lock"), Duration::from_secs(30)).or_exit(Exit::Busy)?;
    let plan = esos_network::plan(config, &facts(ui.global())?);
    for (name, why) in &plan.skipped {
        ui.warn(format!("{name}: {why}"));
    }
    let report = esos_network::apply(&plan, &HostRunner, |path, text| {
        files.replace(path, text.as_bytes(), 0o644).map_err(|e| e.to_string())
    });
    for warning in &report.warnings {
        ui.warn(warning.clone());
    }
    let without = wait_for_addresses(ui, &plan, wait)?;
    for name in &without {
        ui.warn(format!("{name} has a carrier but no answer to DHCP yet; the client goes on asking"));
    }
    let done = Done { report: &report, skipped: &plan.skipped };
    ui.emit("esos.net.apply/1", &done, |human| {
        for (name, outcome) in &report.interfaces {
            human.line(match outcome {
                Outcome::Up => format!("{name}: up"),
                Outcome::Failed { command, why } => format!("{name}: FAILED: `{command}`: {why}"),
                Outcome::Blocked { by } => format!("{name}: not tried, because {by} failed"),
            });
        }
    })?;
    Ok(if report.is_whole() { Exit::Done } else { Exit::Failed })
}

/// Waits until every interface that asks by DHCP and has a carrier has an address. A carrier may take a
/// few seconds to come, so the first five are waited in any case while nobody has one. Ports of a storage
/// network often have a carrier and no DHCP server: once one interface has an address, the others get ten
/// seconds from the start, not the whole time.
fn wait_for_addresses(ui: &Ui, plan: &Plan, seconds: u64) -> Result<Vec<InterfaceName>, Failure> {
    let start = HostClock.monotonic();
    let limit = Duration::from_secs(seconds);
    if plan.dhcp.is_empty() {
        return Ok(Vec::new());
    }
    loop {
        let seen = seen(ui.global())?.unwrap_or_default();
        let asked: Vec<&Seen> = seen.iter().filter(|s| plan.dhcp.contains(&s.name)).collect();
        // Router advertisements come at once, leases take a while: it is IPv4 that is waited for.
        let has_v4 = |s: &&&Seen| s.addresses.iter().any(|a| !a.is_v6());
        let open: Vec<InterfaceName> =
            asked.iter().filter(|s| s.carrier && !has_v4(s)).map(|s| s.name.clone()).collect();
        let passed = HostClock.monotonic().saturating_sub(start);
        let settled = open.is_empty() && (asked.iter().any(|s| s.carrier) || passed > Duration::from_secs(5));
        let reachable = asked.iter().any(|s| has_v4(&s)) && passed > Duration::from_secs(10);
        if settled || reachable || passed > limit {
            return Ok(open);
        }
        HostClock.sleep(Duration::from_millis(250));
    }
}

pub(crate) fn down(ui: &mut Ui) -> Result<Exit, Failure> {
    live(ui)?;
    let mut exit = Exit::Done;
    for step in esos_network::down(&facts(ui.global())?) {
        if let Err(why) = esos_network::run(&step, &HostRunner) {
            ui.warn(format!("`{}`: {why}", step.cmd));
            exit = Exit::Failed;
        }
    }
    ui.detail(format!("took down what {CONF} had brought up"));
    Ok(exit)
}
