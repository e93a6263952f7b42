//! The program as an operator runs it, on recordings and copied trees.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// The TOML of two boxes.
fn pair() -> String {
    esos_fixtures::text("cluster/pair.toml").unwrap()
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_esos-cluster")).args(args).env("NO_COLOR", "1").output().unwrap()
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn fixture(name: &str) -> String {
    esos_fixtures::path(&format!("cluster/{name}")).display().to_string()
}

#[test]
fn states_are_shown_explained_and_refused() {
    let state = fixture("pacemaker/crm_mon.2n-unclean-fencing-failed.xml");
    let out = run(&["status", "--from", &state, "--json"]);
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), &document["data"]["nodes"][1]["unclean"]), (Some(0), &Value::Bool(true)));
    let out = run(&["explain", "ms-sim", "--from", &state]);
    assert!(out.status.success() && text(&out).contains("stonith_admin --confirm n2"), "{}", text(&out));
    assert_eq!(run(&["explain", "nope", "--from", &state]).status.code(), Some(1));
    let out = run(&["status", "--from", &fixture("pacemaker/crm_mon.no-cluster.err"), "--json"]);
    assert_eq!(out.status.code(), Some(7), "{}", text(&out));
    for (name, rc) in [("cibadmin-R.malformed.err", "103"), ("crm_resource-locate.missing.err", "105")] {
        let out = run(&["status", "--from", &fixture(&format!("pacemaker/{name}")), "--rc", rc, "--json"]);
        let document: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert!(out.status.code() == Some(1) && document["error"]["help"].is_string(), "{document}");
    }
    let out = run(&["move", "ms-sim", "--to", "n1", "--from", &state]);
    assert!(out.status.code() == Some(5) && text(&out).contains("unclean"), "{}", text(&out));
    let fine = fixture("pacemaker/crm_mon.2n-all-started.xml");
    let out = run(&["move", "ms-sim", "--to", "n1", "--from", &fine]);
    assert!(
        out.status.success() && text(&out).contains("--promoted") && text(&out).contains("--clear"),
        "{}",
        text(&out)
    );
    // What follows is moved by what leads.
    let dir = tempfile::tempdir().unwrap();
    let cib = dir.path().join("cib.xml");
    let colocation = "<cib><configuration><constraints><rsc_colocation id='c' rsc='ms-sim' rsc-role='Promoted' with-rsc='LEAD' with-rsc-role='Promoted' score='INFINITY'/></constraints></configuration></cib>";
    for (lead, moved) in [("g-tgt", "g-tgt"), ("ms-nope", "ms-sim")] {
        std::fs::write(&cib, colocation.replace("LEAD", lead)).unwrap();
        let out =
            run(&["move", "ms-sim", "--to", "n1", "--from", &fine, "--cib-from", cib.to_str().unwrap()]);
        assert!(text(&out).contains(&format!("--resource {moved} --move")), "{}", text(&out));
    }
    let sync = fixture("drbd9/status-json.initial-sync.n1.json");
    let out = run(&["move", "ms-sim", "--to", "n1", "--from", &fine, "--drbd-from", &sync]);
    assert!(out.status.code() == Some(5) && text(&out).contains("resynced"), "{}", text(&out));
    assert_eq!(run(&["fence-test", "--from", &fine]).status.code(), Some(4));
    assert_eq!(
        run(&["fence-test", "--from", &fixture("pacemaker/crm_mon.2n-stonith-ready.xml")]).status.code(),
        Some(0)
    );
}

#[test]
fn a_cluster_is_made_checked_and_joined() {
    let dir = tempfile::tempdir().unwrap();
    let spec = dir.path().join("c.toml");
    std::fs::write(&spec, pair()).unwrap();
    let (spec, out_dir) = (spec.to_str().unwrap(), dir.path().join("out"));
    for generation in ["8", "9"] {
        let out =
            run(&["init", spec, "--out", out_dir.to_str().unwrap(), "--generation", generation, "--json"]);
        assert!(out.status.success() && !text(&out).contains("hunter2"), "{}", text(&out));
    }
    let sealed = out_dir.join("n1.join");
    assert_eq!(sealed.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let (root_arg, file) = (root.to_str().unwrap().to_owned(), sealed.to_str().unwrap().to_owned());
    let join = |more: &[&str]| run(&[&["--root", &root_arg, "join", &file][..], more].concat());
    assert_eq!(join(&["--node", "n2"]).status.code(), Some(5), "another box");
    assert!(join(&["--dry-run"]).status.success() && !root.join("etc").exists());
    let out = join(&[]);
    assert!(out.status.success(), "{}", text(&out));
    assert_eq!(root.join("etc/corosync/authkey").metadata().unwrap().permissions().mode() & 0o777, 0o400);
    for made in ["etc/corosync/corosync.conf", "var/lib/esos/cluster/cib.xml"] {
        let out = run(&["check", root.join(made).to_str().unwrap()]);
        assert!(out.status.success(), "{made}: {}", text(&out));
    }
    assert!(root.join("etc/drbd.d/r0.res").exists() && root.join("var/lib/esos/cluster/scst.conf").exists());
    assert!(join(&[]).status.success(), "the same again changes nothing");
    std::fs::write(root.join("etc/corosync/corosync.conf"), "totem {\n}\n").unwrap();
    assert_eq!(join(&[]).status.code(), Some(5), "what is there is not replaced unasked");
    assert!(join(&["--yes"]).status.success());
    // A byte of it changed, or its end cut off.
    let whole = std::fs::read_to_string(&sealed).unwrap();
    for bad in [whole.replacen("10.0.0.2", "10.0.0.3", 1), whole[..whole.len() / 2].to_owned()] {
        std::fs::write(&sealed, bad).unwrap();
        assert_eq!(join(&["--yes"]).status.code(), Some(3));
    }
    std::fs::write(spec, pair().replace("fence = { agent = \"fence_ipmilan\", ip = \"10.9.0.2\", username = \"admin\", password = \"hunter2\" }", "")).unwrap();
    let out = run(&["init", spec]);
    assert!(out.status.code() == Some(3) && text(&out).contains("n2 has no `fence`"), "{}", text(&out));
    // Three boxes: DRBD 9, unless 8.4 is asked for, which cannot.
    let third = "[[node]]\nname = \"n3\"\naddresses = [\"10.0.0.3\", \"10.1.0.3\"]\nfence = { agent = \"fence_ipmilan\" }\n[[resource]]";
    let three = pair()
        .replacen("[[resource]]", third, 1)
        .replace("n2 = [\"iqn.2026-01.org.esos:n2\"]", "n2 = [\"iqn.x:2\"], n3 = [\"iqn.x:3\"]");
    std::fs::write(spec, three).unwrap();
    let out = run(&["init", spec, "--out", dir.path().join("three").to_str().unwrap()]);
    assert!(out.status.success() && text(&out).contains("three nodes need DRBD 9"), "{}", text(&out));
    assert!(std::fs::read_to_string(dir.path().join("three/n3.join")).unwrap().contains("connection-mesh"));
    assert_eq!(run(&["init", spec, "--generation", "8"]).status.code(), Some(3));
    std::fs::write(spec, pair().replace("minor = 0", "minro = 0")).unwrap();
    let out = run(&["init", spec]);
    assert!(out.status.code() == Some(3) && !text(&out).contains("hunter2"), "{}", text(&out));
}

#[test]
fn checks_and_differences() {
    let standby = fixture("pacemaker/cibadmin-Q.2n-node-standby.xml");
    let started = fixture("pacemaker/cibadmin-Q.2n-all-started.xml");
    let out = run(&["diff", &started, &standby]);
    assert!(out.status.code() == Some(4) && text(&out).contains("node n2 standby"), "{}", text(&out));
    assert_eq!(run(&["diff", &started, &started]).status.code(), Some(0));
    let out = run(&["check", &started]);
    assert!(out.status.code() == Some(3) && text(&out).contains("fencing-off"), "{}", text(&out));
}
