//! The agent over a directory of plain files that stands in for SCST, for the cluster in namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test program"
)]
use esos_agent::{Agent, Doors, call};
use esos_cluster::{Action, OcfRequest};
use esos_exec::{Cmd, ExecError, Exit, HostRunner, Output, Runner};
use esos_hostfs::HostClock;
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry, HostTree};
use std::path::Path;
struct Plain(HostTree, String);
impl AttrTree for Plain {
    fn read(&self, p: &str) -> Result<String, AttrError> {
        self.0.read(p)
    }
    fn list(&self, p: &str) -> Result<Vec<Entry>, AttrError> {
        self.0.list(p)
    }
    fn read_link(&self, p: &str) -> Result<String, AttrError> {
        self.0.read_link(p)
    }
    fn write(&self, p: &str, v: &str) -> Result<(), AttrError> {
        let old = self.0.read(p)?;
        if p.ends_with("/active") && v == "1" && !primary() {
            return Err(AttrError::new(p, AttrOp::Write(v.to_owned()), 30));
        }
        let new = if p.ends_with("/block") {
            let n: u32 = old.split(' ').next().unwrap_or("0").trim().parse().unwrap_or(0);
            format!("{} 0\n", if v == "0" { n.saturating_sub(1) } else { n + 1 })
        } else {
            format!("{v}\n")
        };
        let path = format!("{}/{p}", self.1);
        std::fs::write(format!("{path}.t"), new).unwrap();
        std::fs::rename(format!("{path}.t"), path).unwrap();
        Ok(())
    }
}
/// `service scst`: SCST is loaded where its tree has a version. All else is run.
struct Services(String);
impl Runner for Services {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        let verb = cmd.arguments().get(1).and_then(|v| v.to_str()).unwrap_or("");
        let version = Path::new(&self.0).join("version");
        if cmd.program() != Path::new("/usr/sbin/service") || !Path::new(&self.0).is_dir() {
            return HostRunner.run(cmd);
        }
        match verb {
            "start" => std::fs::write(version, "x\n").unwrap(),
            _ => std::fs::remove_file(version).unwrap(),
        }
        Ok(Output { status: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() })
    }
}
/// DRBD lets nobody write who is not Primary; a tree of its own has no DRBD below it.
fn primary() -> bool {
    if std::env::var_os("ESOS_SIM_TREE").is_some() {
        return true;
    }
    let out = std::process::Command::new("/usr/sbin/drbdadm").arg("role").output();
    out.is_ok_and(|o| o.stdout.starts_with(b"Primary"))
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let name = Path::new(&a[0]).file_name().unwrap().to_str().unwrap().to_owned();
    let agent = Agent::named(&name).unwrap();
    if a[1] == "meta-data" {
        let meta = if agent == Agent::Scst { esos_agent::scst() } else { esos_agent::scst_alua() };
        print!("{}", meta.to_xml("0"));
        return;
    }
    let Ok(action) = a[1].parse::<Action>() else { std::process::exit(3) };
    // A fault of the test.
    while action == Action::Monitor && Path::new("/run/hang").exists() {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let request = OcfRequest::from_env(std::env::vars());
    let node = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let dir = std::env::var("ESOS_SIM_TREE").unwrap_or_else(|_| "/run/scst_tgt".to_owned());
    let services = Services(dir.clone());
    let tree = Plain(HostTree::new(&dir), dir);
    let doors =
        Doors { tree: &tree, runner: &services, clock: &HostClock, run_dir: Path::new("/run"), node: &node };
    let (out, log) = call(agent, action, &request, &doors);
    log.iter().for_each(|l| eprintln!("{l}"));
    if let Some(r) = &out.reason {
        eprintln!("ocf-exit-reason:{r}");
    }
    std::process::exit(out.exit.code());
}
