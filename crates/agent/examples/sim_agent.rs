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
use esos_exec::HostRunner;
use esos_hostfs::HostClock;
use esos_sysfs::{AttrError, AttrTree, Entry, HostTree};
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
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let name = Path::new(&a[0]).file_name().unwrap().to_str().unwrap().to_owned();
    let agent = Agent::named(&name).unwrap();
    if a[1] == "meta-data" {
        print!("{}", esos_agent::scst_alua().to_xml("0"));
        return;
    }
    let Ok(action) = a[1].parse::<Action>() else { std::process::exit(3) };
    let request = OcfRequest::from_env(std::env::vars());
    let node = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let dir = "/run/scst_tgt".to_owned();
    let tree = Plain(HostTree::new(&dir), dir);
    let doors = Doors {
        tree: &tree,
        runner: &HostRunner,
        clock: &HostClock,
        run_dir: Path::new("/run"),
        node: &node,
    };
    let (out, log) = call(agent, action, &request, &doors);
    log.iter().for_each(|l| eprintln!("{l}"));
    if let Some(r) = &out.reason {
        eprintln!("ocf-exit-reason:{r}");
    }
    std::process::exit(out.exit.code());
}
