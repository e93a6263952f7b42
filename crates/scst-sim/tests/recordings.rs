//! The simulator against the recordings of the real kernel.
#![expect(clippy::disallowed_methods, reason = "tests list their fixtures")]
use esos_scst_sim::{Environment, Sim, replay};
use esos_sysfs::AttrTree;

#[test]
fn every_transcript_replays_with_equal_results_and_deltas() {
    let replay_file = esos_fixtures::text("scst/replay.json").unwrap();
    let read = |name: &str| esos_fixtures::text(&format!("scst/{name}")).map_err(|e| e.to_string());
    let scores = replay::replay(&replay_file, &read).unwrap();
    assert!(scores.len() >= 8, "{}", scores.len());
    for score in &scores {
        assert!(score.operations > 0, "{}", score.transcript);
        assert!(score.is_equal(), "{}: {:#?}", score.transcript, score.differences);
    }
    let operations: usize = scores.iter().map(|s| s.operations).sum();
    assert!(operations > 650, "{operations}");
}

#[test]
fn a_wrong_recording_is_noticed() {
    let replay_file = esos_fixtures::text("scst/replay.json").unwrap();
    let read = |name: &str| {
        let text = esos_fixtures::text(&format!("scst/{name}")).map_err(|e| e.to_string())?;
        Ok(if name.starts_with("transcript-core") {
            text.replacen("\"EINVAL\"", "\"EPERM\"", 1)
        } else {
            text
        })
    };
    let scores = replay::replay(&replay_file, &read).unwrap();
    let wrong: usize = scores.iter().map(|s| s.operations - s.results_equal).sum();
    assert_eq!(wrong, 1);
}

#[test]
fn every_recorded_state_loads_and_dumps_as_it_was() {
    let names = std::fs::read_dir(esos_fixtures::path("scst")).unwrap();
    let mut states = 0;
    for name in
        names.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n.starts_with("state-"))
    {
        let text = esos_fixtures::text(&format!("scst/{name}")).unwrap();
        let sim = Sim::load(&text, Environment::default()).unwrap();
        let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(sim.dump()["tree"], recorded["tree"], "{name}");
        states += 1;
    }
    assert!(states >= 20, "{states}");
}

#[test]
fn a_new_machine_looks_like_the_recorded_one() {
    let text = esos_fixtures::text("scst/state-00-core-vdisk-loaded.json").unwrap();
    let recorded = Sim::load(&text, Environment::default()).unwrap();
    let (recorded, new) = (recorded.dump(), Sim::new(Environment::default()).dump());
    let (recorded, new) = (recorded["tree"].as_object().unwrap(), new["tree"].as_object().unwrap());
    let counted = |path: &&String| {
        !path.starts_with("sgv/") && !path.contains("/latency") && !path.ends_with("dif_checks_failed")
    };
    let mut missing = Vec::new();
    for path in recorded.keys().filter(counted) {
        if new.get(path) != recorded.get(path) && !matches!(path.as_str(), "version" | "last_sysfs_mgmt_res")
        {
            missing.push((path, recorded.get(path), new.get(path)));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn checkpoints_of_the_iscsi_chain_are_reached() {
    // The tree after the whole transcript of groups and LUNs, apart from what initiators did later.
    let start = esos_fixtures::text("scst/state-12-iscsi-daemon-running.json").unwrap();
    let sim = Sim::load(&start, Environment::default()).unwrap();
    sim.write("targets/iscsi/mgmt", "add_target iqn.2026-01.org.esos:t1").unwrap();
    let wanted = esos_fixtures::text("scst/state-13-iscsi-one-target.json").unwrap();
    let wanted: serde_json::Value = serde_json::from_str(&wanted).unwrap();
    for (path, node) in wanted["tree"].as_object().unwrap() {
        if path.starts_with("targets/iscsi/iqn") {
            assert_eq!(sim.dump()["tree"].get(path), Some(node), "{path}");
        }
    }
}

#[test]
fn a_suspended_box_says_so_and_writes_are_counted() {
    let sim = Sim::new(Environment::default());
    sim.write("suspend", "10").unwrap();
    assert!(sim.suspended());
    sim.write("suspend", "-1").unwrap();
    assert!(!sim.suspended());
    sim.fail_write(2, 5);
    assert_eq!(sim.write("setup_id", "1").unwrap_err().errno_name(), "EIO");
    assert_eq!(sim.writes(), 3);
    assert_eq!(sim.read("setup_id").unwrap(), "0x0\n");
}

#[test]
fn a_node_that_is_not_there_kills_the_kernel() {
    let sim = Sim::new(Environment::default());
    sim.write("handlers/vdisk_nullio/mgmt", "add_device n numa_node_id=2").unwrap();
    assert!(sim.oopsed());
}
