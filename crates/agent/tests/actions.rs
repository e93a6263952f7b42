//! Every action over SCST's simulator: absent, loaded, half configured; the checks of `ocf-tester`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test"
)]
use esos_agent::{Agent, Doors, Outcome, call, scst, scst_alua};
use esos_cluster::{Action, OcfExit, OcfRequest};
use esos_exec::{Output, ScriptedRunner};
use esos_hostfs::HostClock;
use esos_scst_sim::{Environment, Sim};
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry, MemTree};

const DRBD: &str = "exists resource name:r0 role:Primary suspended:no\nexists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Secondary\nexists device name:r0 volume:0 minor:0 disk:UpToDate\nexists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate\nexists -\n";

fn request(more: &[(&str, &str)]) -> OcfRequest {
    let mut env = vec![
        ("OCF_RESKEY_device_group", "g"),
        ("OCF_RESKEY_CRM_meta_timeout", "1000"),
        ("OCF_RESKEY_CRM_meta_interval", "10000"),
        ("OCF_RESKEY_drbd_resource", "r0"),
    ];
    env.extend(more);
    OcfRequest::from_env(env.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())))
}

fn sim() -> Sim {
    let sim = Sim::new(Environment::default().block("/dev/drbd0", 1 << 20));
    let write = |path: &str, value: &str| sim.write(path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    write("handlers/vdisk_blockio/mgmt", "add_device d filename=/dev/drbd0; active=0; bind_alua_state=0");
    write("device_groups/mgmt", "create g");
    write("device_groups/g/devices/mgmt", "add d");
    for n in ["n1", "n2", "n3"] {
        write("device_groups/g/target_groups/mgmt", &format!("create {n}"));
        write(&format!("device_groups/g/target_groups/{n}/state"), "standby");
    }
    sim
}

fn output(text: &str) -> Output {
    Output { status: esos_exec::Exit::Code(0), stdout: text.as_bytes().to_vec(), stderr: Vec::new() }
}

fn go_with(tree: &dyn AttrTree, drbd: &str, agent: Agent, action: Action, more: &[(&str, &str)]) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    go_in(dir.path(), tree, drbd, agent, action, more)
}

/// With a directory for locks and marks that is the same for several calls.
fn go_in(
    run_dir: &std::path::Path,
    tree: &dyn AttrTree,
    drbd: &str,
    agent: Agent,
    action: Action,
    more: &[(&str, &str)],
) -> Outcome {
    let mut runner = ScriptedRunner::new();
    for _ in 0..200 {
        runner = runner.answer("/usr/sbin/drbdsetup events2 --now --statistics r0", Ok(output(drbd)));
    }
    let doors = Doors { tree: &tree, runner: &runner, clock: &HostClock, run_dir, node: "n1" };
    call(agent, action, &request(more), &doors).0
}

fn go(tree: &dyn AttrTree, action: Action) -> OcfExit {
    go_with(tree, DRBD, Agent::ScstAlua, action, &[]).exit
}

#[test]
fn the_life_of_a_resource() {
    let sim = sim();
    let state = |n: &str| {
        sim.read(&format!("device_groups/g/target_groups/{n}/state"))
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let active = || sim.read("devices/d/active").unwrap().starts_with('1');
    // Each twice: every action is idempotent.
    for _ in 0..2 {
        assert_eq!(go(&sim, Action::Start), OcfExit::Success);
        assert_eq!(go(&sim, Action::Monitor), OcfExit::Success);
    }
    for _ in 0..2 {
        let out = go_with(&sim, DRBD, Agent::ScstAlua, Action::Promote, &[]);
        assert_eq!(out.exit, OcfExit::Success, "{out:?}");
        assert_eq!(go(&sim, Action::Monitor), OcfExit::RunningPromoted);
        assert!(active() && state("n1") == "active" && state("n2") == "standby" && state("n3") == "standby");
    }
    assert!(sim.read("devices/d/block").unwrap().starts_with("0 0"));
    for _ in 0..2 {
        assert_eq!(go(&sim, Action::Demote), OcfExit::Success);
        assert!(!active() && state("n1") == "standby");
        assert_eq!(go(&sim, Action::Monitor), OcfExit::Success);
    }
    // A third box is told about by notifications.
    let told = [
        ("OCF_RESKEY_CRM_meta_notify_type", "post"),
        ("OCF_RESKEY_CRM_meta_notify_operation", "promote"),
        ("OCF_RESKEY_CRM_meta_notify_promote_uname", "n3 "),
    ];
    assert_eq!(go_with(&sim, DRBD, Agent::ScstAlua, Action::Notify, &told).exit, OcfExit::Success);
    assert_eq!((state("n3").as_str(), state("n2").as_str()), ("active", "standby"));
    for _ in 0..2 {
        assert_eq!(go(&sim, Action::Stop), OcfExit::Success);
        assert_eq!(go(&sim, Action::Monitor), OcfExit::NotRunning);
    }
    // Stopped while it serves: all is closed.
    assert_eq!(
        (go(&sim, Action::Start), go(&sim, Action::Promote), go(&sim, Action::Stop)),
        (OcfExit::Success, OcfExit::Success, OcfExit::Success)
    );
    assert!(!active() && state("n1") == "offline");
}

/// An initiator must have the path that stands by before it needs it, and with the size of the disk.
#[test]
fn a_start_offers_the_path_that_stands_by() {
    let sim = sim();
    let write = |path: &str, value: &str| sim.write(path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    let first = |path: &str| sim.read(path).unwrap().lines().next().unwrap().to_owned();
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    write("targets/iscsi/mgmt", "add_target iqn.2026-11.org.example:n1");
    write("targets/iscsi/enabled", "1");
    write("device_groups/g/target_groups/n1/mgmt", "add iqn.2026-11.org.example:n1");
    let enabled = || first("targets/iscsi/iqn.2026-11.org.example:n1/enabled");
    let drbd = DRBD.replace("Primary suspended", "Secondary suspended");
    // DRBD does not tell its size: initiators would take the path for another disk.
    assert_eq!(go_with(&sim, &drbd, Agent::ScstAlua, Action::Start, &[]).exit, OcfExit::Success);
    assert_eq!((first("devices/d/size").as_str(), enabled().as_str()), ("0", "0"));
    let sized = |kib: u64| drbd.replace("disk:UpToDate\n", &format!("disk:UpToDate size:{kib} read:0\n"));
    for kib in [1024, 1024, 2048] {
        assert_eq!(go_with(&sim, &sized(kib), Agent::ScstAlua, Action::Start, &[]).exit, OcfExit::Success);
        assert_eq!((first("devices/d/size"), enabled()), ((kib * 1024).to_string(), "1".to_owned()));
        assert_eq!(first("devices/d/active"), "0");
        assert_eq!(first("device_groups/g/target_groups/n1/state"), "standby");
        assert_eq!(go(&sim, Action::Monitor), OcfExit::Success);
    }
    // Opened, it has the size that it has.
    assert_eq!(go(&sim, Action::Promote), OcfExit::Success);
    assert_eq!(first("devices/d/size"), (1u64 << 20).to_string());
}

#[test]
fn absent_and_half_configured() {
    let absent = MemTree::new();
    let answers = |tree: &dyn AttrTree| {
        [Action::Start, Action::Stop, Action::Monitor, Action::Demote, Action::Promote, Action::Notify]
            .map(|a| go(tree, a))
    };
    use OcfExit as X;
    assert_eq!(
        answers(&absent),
        [X::Installed, X::Success, X::NotRunning, X::Success, X::Generic, X::Success]
    );
    let empty = Sim::new(Environment::default());
    assert_eq!(
        answers(&empty),
        [X::Installed, X::Success, X::NotRunning, X::Success, X::Generic, X::Success]
    );
    // The group is there, this box's target group is not.
    let half = Sim::new(Environment::default());
    half.write("device_groups/mgmt", "create g").unwrap();
    assert_eq!(answers(&half), [X::Installed, X::Success, X::NotRunning, X::Success, X::Generic, X::Success]);
}

/// A box whose own file has its ports stand by is not started by that; a start is known to later probes.
#[test]
fn a_probe_knows_what_was_started() {
    let sim = sim();
    let dir = tempfile::tempdir().unwrap();
    let go = |action, interval| {
        let more = [("OCF_RESKEY_CRM_meta_interval", interval)];
        go_in(dir.path(), &sim, DRBD, Agent::ScstAlua, action, &more).exit
    };
    assert_eq!(go(Action::Monitor, "0"), OcfExit::NotRunning);
    assert_eq!(go(Action::Start, "0"), OcfExit::Success);
    assert_eq!(go(Action::Monitor, "0"), OcfExit::Success);
    assert_eq!(go(Action::Promote, "0"), OcfExit::Success);
    // What serves is told whatever the mark says.
    std::fs::remove_file(dir.path().join("esos-agent-g.started")).unwrap();
    assert_eq!(go(Action::Monitor, "0"), OcfExit::RunningPromoted);
    assert_eq!(go(Action::Demote, "0"), OcfExit::Success);
    assert_eq!(
        (go(Action::Monitor, "0"), go(Action::Monitor, "10000")),
        (OcfExit::NotRunning, OcfExit::Success)
    );
    assert_eq!((go(Action::Start, "0"), go(Action::Monitor, "0")), (OcfExit::Success, OcfExit::Success));
    assert_eq!((go(Action::Stop, "0"), go(Action::Monitor, "0")), (OcfExit::Success, OcfExit::NotRunning));
}

/// The process is killed behind every step of promote and demote: the next monitor tells the truth, and the
/// next action gets there.
#[test]
fn an_agent_that_is_killed_at_any_step() {
    use esos_agent::{Drbd, Facts};
    use esos_agent::{Goal, Next, Params, next, observe, perform};
    let env = [("OCF_RESKEY_device_group".to_owned(), "g".to_owned())];
    let params = Params::read(&OcfRequest::from_env(env), "n1").unwrap();
    let look = |sim: &Sim| Facts { drbd: vec![Drbd::default()], ..observe(sim, &params) };
    // Does that many steps and is gone; whether the goal was reached before.
    let steps = |sim: &Sim, goal: &Goal, most: usize| {
        for _ in 0..most {
            match next(goal, &look(sim), &params) {
                Next::Do(step) => perform(sim, &params, &step, &mut || true).unwrap(),
                _ => return true,
            }
        }
        matches!(next(goal, &look(sim), &params), Next::Done(_))
    };
    let mut kills = 0;
    for goal in [Goal::Promote, Goal::Demote] {
        for at in 0.. {
            let fresh = || {
                let sim = sim();
                assert_eq!(go(&sim, Action::Start), OcfExit::Success);
                if goal == Goal::Demote {
                    assert_eq!(go(&sim, Action::Promote), OcfExit::Success);
                }
                sim
            };
            let killed = |sim: &Sim| steps(sim, &goal, at);
            let sim = fresh();
            let whole = killed(&sim);
            kills += 1;
            let open = sim.read("devices/d/active").unwrap().starts_with('1');
            let state = sim.read("device_groups/g/target_groups/n1/state").unwrap();
            let told = go(&sim, Action::Monitor);
            let served = open
                && state.starts_with("active")
                && sim.read("devices/d/block").unwrap().starts_with("0 0");
            match told {
                OcfExit::RunningPromoted => assert!(served, "{goal:?} {at}"),
                OcfExit::Success => assert!(!open && !state.starts_with("active"), "{goal:?} {at}: {state}"),
                OcfExit::FailedPromoted | OcfExit::Generic => assert!(!whole, "{goal:?} {at}"),
                other => panic!("{goal:?} {at}: {other:?}"),
            }
            for (action, end) in [
                (Action::Promote, OcfExit::RunningPromoted),
                (Action::Demote, OcfExit::Success),
                (Action::Stop, OcfExit::NotRunning),
                (Action::Start, OcfExit::Success),
            ] {
                let sim = fresh();
                killed(&sim);
                // A promotion goes on, or begins from a start, which first clears what was left behind.
                let done = go(&sim, action);
                assert_eq!(done, OcfExit::Success, "{goal:?} killed at {at}, then {action}");
                let started_promoted =
                    action == Action::Start && go(&sim, Action::Monitor) == OcfExit::RunningPromoted;
                assert!(
                    started_promoted || go(&sim, Action::Monitor) == end,
                    "{goal:?} killed at {at}, then {action}"
                );
                assert!(sim.read("devices/d/block").unwrap().starts_with("0 0"), "{goal:?} {at} {action}");
            }
            if whole {
                break;
            }
        }
    }
    assert!(kills > 8, "{kills} kills");
    println!("{kills} kills");
}

/// A volume that somebody else holds, for some attempts to open it.
#[derive(Debug)]
struct Held<'a> {
    sim: &'a Sim,
    left: std::cell::Cell<usize>,
}

impl AttrTree for Held<'_> {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        self.sim.read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        if (path, value) == ("devices/d/active", "1") && self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            return Err(AttrError::new(path, AttrOp::Write(value.to_owned()), 16));
        }
        self.sim.write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        self.sim.list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        self.sim.read_link(path)
    }
}

/// udev, multipathd and LVM look at a volume that has just become Primary; SCST's opening is exclusive.
#[test]
fn a_volume_that_is_held_for_a_moment_is_waited_for() {
    let sim = sim();
    assert_eq!(go(&sim, Action::Start), OcfExit::Success);
    let long = [("OCF_RESKEY_CRM_meta_timeout", "60000")];
    let held = Held { sim: &sim, left: 5.into() };
    let out = go_with(&held, DRBD, Agent::ScstAlua, Action::Promote, &long);
    assert_eq!((out, held.left.get()), (Outcome { exit: OcfExit::Success, reason: None }, 0));
    assert_eq!(go(&sim, Action::Monitor), OcfExit::RunningPromoted);
    assert_eq!(go(&sim, Action::Demote), OcfExit::Success);
    // For ever: said when the time is over, and no command stays held back.
    let held = Held { sim: &sim, left: usize::MAX.into() };
    let out = go_with(&held, DRBD, Agent::ScstAlua, Action::Promote, &[]);
    let words = "cannot open the device d: cannot write devices/d/active: EBUSY";
    assert!(out.exit == OcfExit::Generic && out.reason.clone().unwrap().starts_with(words), "{out:?}");
    let tries = usize::MAX - held.left.get();
    assert!(tries > 2, "{tries} attempts in 800 ms");
    assert!(sim.read("devices/d/block").unwrap().starts_with("0 0"));
    assert_eq!(go(&sim, Action::Demote), OcfExit::Success);
    assert_eq!(go(&sim, Action::Monitor), OcfExit::Success);
}

#[test]
fn promotion_needs_drbd() {
    for (bad, word) in [
        (DRBD.replace("role:Primary", "role:Secondary"), "not Primary"),
        (DRBD.replace("disk:UpToDate\nexists peer", "disk:Inconsistent\nexists peer"), "not UpToDate"),
        (
            DRBD.replace("connection:Connected role:Secondary", "connection:StandAlone role:Unknown"),
            "both sides",
        ),
        ("exists -\n".to_owned(), "not up here"),
    ] {
        let sim = sim();
        let out = go_with(&sim, &bad, Agent::ScstAlua, Action::Promote, &[]);
        assert!(out.exit == OcfExit::Generic && out.reason.clone().unwrap().contains(word), "{out:?}");
        assert!(sim.read("devices/d/active").unwrap().starts_with('0'));
        assert!(sim.read("devices/d/block").unwrap().starts_with("0 0"), "no command stays held back");
    }
}

#[test]
fn parameters_are_checked() {
    let check =
        |more: &[(&str, &str)]| go_with(&sim(), DRBD, Agent::ScstAlua, Action::ValidateAll, more).exit;
    assert_eq!(check(&[]), OcfExit::Success);
    // All of the original's parameters are taken.
    let all = [
        ("OCF_RESKEY_local_tgt_grp", "local"),
        ("OCF_RESKEY_remote_tgt_grp", "remote"),
        ("OCF_RESKEY_m_alua_state", "active"),
        ("OCF_RESKEY_s_alua_state", "nonoptimized"),
        ("OCF_RESKEY_set_dev_active", "false"),
        ("OCF_RESKEY_use_trans_state", "true"),
        ("OCF_RESKEY_trans_notify", "false"),
        ("OCF_RESKEY_redirect_mode", "false"),
        ("OCF_RESKEY_issue_lip", "true"),
        ("OCF_RESKEY_remote_inact_state", "offline"),
        ("OCF_RESKEY_state", "/run/x"),
    ];
    assert_eq!(check(&all), OcfExit::Success);
    for bad in [
        ("OCF_RESKEY_device_group", ""),
        ("OCF_RESKEY_m_alua_state", "standby"),
        ("OCF_RESKEY_s_alua_state", "nonoptimized"),
        ("OCF_RESKEY_s_alua_state", "sleeping"),
        ("OCF_RESKEY_s_alua_state", "offline"),
        ("OCF_RESKEY_CRM_meta_clone_node_max", "2"),
        ("OCF_RESKEY_CRM_meta_promoted_max", "2"),
        ("OCF_RESKEY_CRM_meta_master_max", "2"),
    ] {
        assert_eq!(check(&[bad]), OcfExit::Configured, "{bad:?}");
        // Wrong parameters never keep anything from coming down.
        assert_eq!(
            go_with(&sim(), DRBD, Agent::ScstAlua, Action::Stop, &[bad]).exit,
            OcfExit::Success,
            "{bad:?}"
        );
    }
}

#[test]
fn the_other_agent_loads_scst() {
    let absent = MemTree::new();
    let out = go_with(&absent, DRBD, Agent::Scst, Action::Start, &[]);
    assert_eq!(out.exit, OcfExit::Installed, "{out:?}");
    assert_eq!(go_with(&absent, DRBD, Agent::Scst, Action::Stop, &[]).exit, OcfExit::Success);
    assert_eq!(go_with(&absent, DRBD, Agent::Scst, Action::Monitor, &[]).exit, OcfExit::NotRunning);
    let sim = sim();
    assert_eq!(go_with(&sim, DRBD, Agent::Scst, Action::Start, &[]).exit, OcfExit::Success);
    assert_eq!(go_with(&sim, DRBD, Agent::Scst, Action::Monitor, &[]).exit, OcfExit::Success);
    let alua = [("OCF_RESKEY_alua", "true")];
    assert_eq!(go_with(&sim, DRBD, Agent::Scst, Action::Promote, &alua).exit, OcfExit::Success);
    assert_eq!(go_with(&sim, DRBD, Agent::Scst, Action::Monitor, &alua).exit, OcfExit::RunningPromoted);
    assert_eq!(go_with(&sim, DRBD, Agent::Scst, Action::Promote, &[]).exit, OcfExit::Unimplemented);
}

/// Against the schema of the resource agents' API, where it and `xmllint` are installed.
#[test]
fn meta_data_is_valid() {
    for meta in [scst(), scst_alua()] {
        let xml = meta.to_xml("0.1.0");
        assert!(!xml.contains("Master") && !xml.contains("Slave"), "the old words");
        let names: Vec<&str> = meta.actions.iter().map(|a| a.0).collect();
        for needed in ["start", "stop", "monitor", "meta-data", "validate-all", "promote", "demote", "notify"]
        {
            assert!(names.contains(&needed), "{needed}");
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("meta.xml");
        std::fs::write(&file, &xml).unwrap();
        let schemas =
            ["/usr/share/resource-agents/ra-api-1.dtd", "/usr/share/pacemaker/api/ocf-metadata.rng"];
        let there: Vec<&&str> = schemas.iter().filter(|s| std::path::Path::new(s).exists()).collect();
        if there.is_empty() {
            println!("skipped: meta_data_is_valid: no schema is installed");
        }
        for schema in there {
            let flag = if schema.ends_with("dtd") { "--dtdvalid" } else { "--relaxng" };
            let Ok(out) = std::process::Command::new("xmllint")
                .args(["--noout", "--nonet", flag, schema])
                .arg(&file)
                .output()
            else {
                println!("skipped: meta_data_is_valid: xmllint is not installed");
                continue;
            };
            assert!(out.status.success(), "{schema}: {}", String::from_utf8_lossy(&out.stderr));
        }
    }
}
