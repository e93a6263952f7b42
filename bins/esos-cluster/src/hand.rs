//! `move`, `maintenance`, `fence-test`.
use crate::args::{FenceTest, Maintenance, Move, OnOff};
use crate::machine;
use esos_cli::{Confirm, Exit, Failure, Ui};
use esos_cluster::{Cluster, Fencing, Kind, Resource, Role, read_cib};
use serde_json::json;

/// Why it may not be handed over now.
fn preflight(c: &Cluster, r: &Resource, to: &str) -> Result<(), String> {
    let Some(node) = c.node(to) else { return Err(format!("{to} is no node of this cluster")) };
    if !node.can_run() {
        return Err(format!("{to} is {}", node.state()));
    }
    if c.quorum != Some(true) {
        return Err("this partition has no quorum".to_owned());
    }
    if let Some(n) = c.nodes.iter().find(|n| n.unclean) {
        return Err(format!("{} is unclean: its fencing comes first", n.name));
    }
    if c.option("maintenance-mode", false) {
        return Err("the cluster is in maintenance: nothing would move".to_owned());
    }
    if let Some(e) = c.fencing.iter().find(|e| e.state == Fencing::Pending) {
        return Err(format!("fencing of {} is pending", e.target));
    }
    if let Some(p) = r.primitives().iter().find(|p| p.failed || p.blocked || !p.managed) {
        return Err(format!("{} is failed, blocked or unmanaged", p.id));
    }
    if let Some(p) = c.resources.iter().flat_map(Resource::primitives).find(|p| p.busy()) {
        return Err(format!("an operation of {} is running", p.id));
    }
    if let Some(b) = c
        .bans
        .iter()
        .find(|b| b.node == to && b.weight.starts_with('-') && r.all().iter().any(|x| x.id == b.resource))
    {
        return Err(format!("the constraint {} keeps {} off {to}", b.id, b.resource));
    }
    if r.kind == Kind::Promotable
        && !r.primitives().iter().any(|p| p.active && p.nodes.iter().any(|n| n == to))
    {
        return Err(format!("{} does not run on {to}", r.id));
    }
    Ok(())
}

/// A resync that is running, or a peer that is not UpToDate.
fn resync(text: &str) -> Result<(), String> {
    let report = esos_drbd::read(None, "DRBD", text).map_err(|e| e.to_string())?;
    for r in &report.status.resources {
        for p in &r.connections {
            if p.connection != esos_drbd::Connection::Connected {
                return Err(format!("{}: {} is {}", r.label(), p.label(), p.connection));
            }
            for d in &p.peer_devices {
                if d.replication.is_resync() {
                    let done = d.done_percent.map(|p| format!(", {p:.1} % done")).unwrap_or_default();
                    return Err(format!(
                        "{}: volume {} is being resynced ({}{done})",
                        r.label(),
                        d.volume,
                        d.replication
                    ));
                }
                if !d.peer_disk.is_up_to_date() {
                    return Err(format!(
                        "{}: volume {} on {} is {}",
                        r.label(),
                        d.volume,
                        p.label(),
                        d.peer_disk
                    ));
                }
            }
        }
        if let Some(d) = r.devices.iter().find(|d| !d.disk.is_up_to_date()) {
            return Err(format!("{}: volume {} is {} here", r.label(), d.volume, d.disk));
        }
    }
    Ok(())
}

/// Who is to be moved, for that resource to move: SCST's part goes where DRBD is promoted.
fn leader<'c>(args: &Move, cluster: &'c Cluster, r: &'c Resource) -> Result<&'c Resource, Failure> {
    let text = match (&args.cib_from, &args.from.from) {
        (Some(path), _) => machine::text(path)?,
        (None, Some(_)) => return Ok(r),
        (None, None) => {
            let out = machine::must("/usr/sbin/cibadmin", &["--query", "--scope", "configuration"])?;
            String::from_utf8_lossy(&out.stdout).into_owned()
        }
    };
    let cib = read_cib("the CIB", &text).map_err(|e| Failure::new(Exit::Failed, e.to_string()))?;
    Ok(cluster.top(cib.leader(&r.id)).unwrap_or(r))
}

pub(crate) fn hand_over(args: &Move, ui: &mut Ui) -> Result<Exit, Failure> {
    let cluster = machine::cluster(&args.from, ui)?;
    let Some(r) = cluster.top(&args.resource) else {
        let known: Vec<&str> = cluster.resources.iter().map(|r| r.id.as_str()).collect();
        return Err(Failure::new(Exit::Failed, format!("there is no resource {}", args.resource))
            .help(format!("known: {}", known.join(", "))));
    };
    let refuse = |why: String| Failure::new(Exit::Refused, format!("{} is not handed over: {why}", r.id));
    preflight(&cluster, r, &args.to).map_err(refuse)?;
    let lead = leader(args, &cluster, r)?;
    preflight(&cluster, lead, &args.to).map_err(refuse)?;
    let drbd = match &args.drbd_from {
        Some(path) => Some(machine::text(path)?),
        None if args.from.from.is_none() && std::path::Path::new("/proc/drbd").exists() => {
            let out = machine::must("/usr/sbin/drbdsetup", &["events2", "--now", "--statistics"])?;
            Some(String::from_utf8_lossy(&out.stdout).into_owned())
        }
        None => None,
    };
    if let Some(text) = drbd {
        resync(&text)
            .map_err(|why| refuse(why).help("wait for the end of the resync (`esos drbd watch`)"))?;
    }
    let promoted = r.kind == Kind::Promotable;
    let there =
        |p: &&Resource| p.nodes.contains(&args.to) && p.active && (!promoted || p.role == Role::Promoted);
    let done = r.primitives().iter().any(there);
    let mut step = vec!["--resource", lead.id.as_str(), "--move", "--node", args.to.as_str()];
    step.extend((lead.kind == Kind::Promotable).then_some("--promoted"));
    let clear = vec!["--resource", lead.id.as_str(), "--clear"];
    let steps: Vec<String> = if done {
        Vec::new()
    } else {
        vec![
            format!("crm_resource {}", step.join(" ")),
            "crm_resource --wait".to_owned(),
            format!("crm_resource {}", clear.join(" ")),
        ]
    };
    if !(args.dry_run || args.from.from.is_some() || done) {
        machine::must("/usr/sbin/crm_resource", &step)?;
        let waited = machine::must("/usr/sbin/crm_resource", &["--wait", "--timeout", "170s"]);
        // The constraint of the move must not stay, whatever came of it.
        machine::must("/usr/sbin/crm_resource", &clear)?;
        waited?;
        let after = machine::cluster(&args.from, ui)?;
        let arrived = after.top(&args.resource).is_some_and(|r| r.primitives().iter().any(there));
        if !arrived {
            return Err(Failure::new(Exit::Failed, format!("{} did not come to {}", args.resource, args.to))
                .help(format!("esos cluster explain {} --node {}", args.resource, args.to)));
        }
    }
    ui.emit("esos.cluster.move/1", &json!({ "resource": r.id, "to": args.to, "steps": steps }), |human| {
        if done {
            human.line(format!("{} is on {} already", r.id, args.to));
        }
        steps.iter().for_each(|s| human.line(s.clone()));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn maintenance(args: &Maintenance, ui: &mut Ui) -> Result<Exit, Failure> {
    let on = args.what == OnOff::On;
    let value = if on { "true" } else { "false" };
    let step: Vec<&str> = match &args.node {
        Some(node) => vec!["--node", node, "--name", "maintenance", "--update", value],
        None => vec!["--type", "crm_config", "--name", "maintenance-mode", "--update", value],
    };
    if !args.dry_run {
        machine::must("/usr/sbin/crm_attribute", &step)?;
    }
    let what = args.node.as_deref().unwrap_or("the cluster");
    ui.emit(
        "esos.cluster.maintenance/1",
        &json!({ "on": on, "node": args.node, "step": format!("crm_attribute {}", step.join(" ")) }),
        |human| {
            human.line(if on {
                format!("{what} is in maintenance: nothing is watched and nothing is taken over")
            } else {
                format!("maintenance of {what} has ended")
            });
        },
    )?;
    Ok(Exit::Done)
}

pub(crate) fn fence_test(args: &FenceTest, ui: &mut Ui) -> Result<Exit, Failure> {
    let cluster = machine::cluster(&args.from, ui)?;
    let mut rows = Vec::new();
    let on = cluster.fencing_on();
    let all: Vec<&Resource> = cluster
        .resources
        .iter()
        .flat_map(Resource::primitives)
        .filter(|p| p.agent.as_deref().is_some_and(|a| a.starts_with("stonith:")))
        .collect();
    let asked = args.node.as_deref();
    for n in cluster.nodes.iter().filter(|n| asked.is_none_or(|a| a == n.name)) {
        // Which device is for whom only the fencer knows; a recording does not tell it.
        let devices = if args.from.from.is_some() {
            all.iter().filter(|d| d.active).map(|d| d.id.clone()).collect()
        } else {
            let out = machine::run("/usr/sbin/stonith_admin", &["--list", &n.name])?;
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let ids = text.lines().map(str::trim).filter(|l| all.iter().any(|d| d.id == *l));
            ids.map(str::to_owned).collect::<Vec<_>>()
        };
        let last = cluster.fencing.iter().find(|e| e.target == n.name);
        rows.push(json!({ "node": n.name, "devices": devices, "last": last }));
    }
    if rows.is_empty() {
        return Err(Failure::new(Exit::Failed, format!("there is no node {}", asked.unwrap_or(""))));
    }
    if let (true, Some(node)) = (args.really, asked) {
        if args.from.from.is_some() {
            return Err(Failure::new(Exit::Usage, "a recorded node cannot be fenced"));
        }
        ui.confirm(
            &Confirm::new(format!("fence {node}: it loses power now, and what runs there moves")).typed(node),
        )?;
        machine::must("/usr/sbin/stonith_admin", &["--reboot", node, "--tolerance", "0s"])?;
    }
    let bare: Vec<&serde_json::Value> = rows
        .iter()
        .filter(|r| r.get("devices").and_then(|d| d.as_array()).is_none_or(Vec::is_empty))
        .collect();
    let good = on && bare.is_empty();
    ui.emit(
        "esos.cluster.fence-test/1",
        &json!({ "enabled": on, "nodes": rows, "really": args.really }),
        |human| {
            if !on {
                human.line("fencing is switched off (stonith-enabled=false)");
            }
            for r in &rows {
                let text = |k: &str| {
                    r.get(k)
                        .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                        .unwrap_or_default()
                };
                human.line(format!("{}: devices {}", text("node"), text("devices")));
            }
        },
    )?;
    Ok(if good { Exit::Done } else { Exit::Differs })
}
