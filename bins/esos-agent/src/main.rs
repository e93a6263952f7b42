//! `ocf:esos:scst` and `ocf:esos:scst-alua`: called by Pacemaker by one of these names with an action, or
//! as `esos-agent AGENT ACTION`. Answers with OCF's exit codes.
use esos_agent::{Agent, Doors, call, scst, scst_alua};
use esos_cluster::{Action, OcfExit, OcfRequest};
use esos_exec::HostRunner;
use esos_hostfs::HostClock;
use esos_sysfs::HostTree;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = agent(std::env::args().collect());
    ExitCode::from(u8::try_from(exit.code()).unwrap_or(1))
}

const USAGE: &str = "usage: esos-agent scst|scst-alua start|stop|monitor|promote|demote|notify|reload|reload-agent|validate-all|meta-data|usage\n";

fn agent(args: Vec<String>) -> OcfExit {
    let name =
        args.first().and_then(|a| Path::new(a).file_name()?.to_str().map(str::to_owned)).unwrap_or_default();
    let (agent, action) = match Agent::named(&name) {
        Some(agent) => (Some(agent), args.get(1)),
        None => (args.get(1).and_then(|a| Agent::named(a)), args.get(2)),
    };
    let (Some(agent), Some(action)) = (agent, action) else {
        say_err(USAGE);
        return OcfExit::Args;
    };
    let action: Action = match action.parse() {
        Ok(action) => action,
        Err(e) => {
            say_err(&format!("{e}\n{USAGE}"));
            return OcfExit::Unimplemented;
        }
    };
    match action {
        Action::MetaData => {
            let meta = if agent == Agent::Scst { scst() } else { scst_alua() };
            return say(&meta.to_xml(env!("CARGO_PKG_VERSION")));
        }
        Action::Usage => return say(USAGE),
        _ => {}
    }
    let request = OcfRequest::from_env(
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
    );
    let node = request.meta.get("on_node").cloned().unwrap_or_else(host);
    let tree = HostTree::new("/sys/kernel/scst_tgt");
    let doors = Doors {
        tree: &tree,
        runner: &HostRunner,
        clock: &HostClock,
        run_dir: Path::new("/run"),
        node: &node,
    };
    let (outcome, log) = call(agent, action, &request, &doors);
    log.iter().for_each(|line| say_err(&format!("{line}\n")));
    if let Some(reason) = &outcome.reason {
        // Pacemaker shows what stands behind this word.
        say_err(&format!("ocf-exit-reason:{reason}\n"));
    }
    outcome.exit
}

fn say(text: &str) -> OcfExit {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => OcfExit::Success,
        Err(_) => OcfExit::Generic,
    }
}

fn say_err(text: &str) {
    // Nobody is left to be told where this fails.
    let _told = std::io::stderr().write_all(text.as_bytes());
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "here".to_owned(), |n| n.trim().to_owned())
}
