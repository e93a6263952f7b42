//! The resource agents' own tester: over the simulated tree it passes whole; where SCST is absent everything
//! passes up to the start, which answers "not installed" (5) as it must.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test"
)]
use std::path::Path;
use std::process::Command;

const TESTER: &str = "/usr/sbin/ocf-tester";

fn program(name: &str) -> Option<std::path::PathBuf> {
    let target = std::env::current_exe().unwrap().parent()?.parent()?.to_owned();
    Some(target.join(name)).filter(|p| p.exists())
}

/// What the tester says, and whether it passed.
fn test(agent: &Path, name: &str, options: &[&str], tree: &Path) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join(name);
    std::fs::copy(agent, &copy).unwrap();
    let mut command = Command::new(TESTER);
    command.args(["-n", "x"]).args(options.iter().flat_map(|o| ["-o", o])).arg(&copy);
    let out = command.env("ESOS_SIM_TREE", tree).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.success(), said)
}

#[test]
fn ocf_tester() {
    let Some(sim) = program("examples/sim_agent").filter(|_| Path::new(TESTER).exists()) else {
        return println!("skipped: ocf_tester: needs ocf-tester (resource-agents) and the example sim_agent");
    };
    let tree = tempfile::tempdir().unwrap();
    let at = |path: &str| tree.path().join(path);
    for dir in ["devices/d", "device_groups/g/devices/d", "device_groups/g/target_groups/x"] {
        std::fs::create_dir_all(at(dir)).unwrap();
    }
    for (path, value) in [
        ("version", "x"),
        ("devices/d/active", "0"),
        ("devices/d/block", "0 0"),
        ("devices/d/size", "1048576"),
        ("device_groups/g/target_groups/x/state", "standby"),
    ] {
        std::fs::write(at(path), format!("{value}\n")).unwrap();
    }
    let options = ["device_group=g", "local_tgt_grp=x"];
    let (passed, said) = test(&sim, "scst-alua", &options, tree.path());
    println!("{said}");
    assert!(passed, "{said}");
    // The agent that loads SCST and unloads it, by itself and with ALUA.
    for more in [&[][..], &["alua=true", "device_group=g", "local_tgt_grp=x"]] {
        let (passed, said) = test(&sim, "scst", more, tree.path());
        println!("{said}");
        assert!(passed && !at("version").exists(), "{said}");
    }
    std::fs::write(at("version"), "x\n").unwrap();
    // Nothing is there at all.
    let nowhere = tree.path().join("nowhere");
    let (passed, said) = test(&sim, "scst-alua", &options, &nowhere);
    let wrong: Vec<&str> = said.lines().filter(|l| l.starts_with("* rc=")).collect();
    assert!(!passed && wrong == ["* rc=5: Start failed.  Did you supply enough options with -o ?"], "{said}");
}
