//! The suite that also runs on a kernel (`tests/tests/vm_scst.rs`), here on the simulator.
use esos_scst_sim::{Environment, Sim, conformance};

#[test]
fn the_simulator_conforms() {
    let (file, block) = ("/conformance/file", "/dev/conformance");
    let state = esos_fixtures::text("scst/state-12-iscsi-daemon-running.json").unwrap();
    let env = Environment::default().file(file, 16 << 20).block(block, 16 << 20);
    let cases = conformance::cases(file, block);
    assert!(cases.len() >= 35, "{} cases", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        let sim = Sim::load(&state, env.clone()).unwrap();
        if let Err(why) = conformance::run(&sim, case, &mut || true) {
            failed.push(format!("{}: {why}", case.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
