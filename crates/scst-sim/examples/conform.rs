//! Runs the conformance suite on this machine's SCST: `conform FILE BLOCK-DEVICE`. Prints the cases that
//! fail and how many ran; exits 0 when all hold.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example is a program"
)]
use esos_scst_sim::conformance;
use esos_sysfs::{AttrTree, HostTree};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let [_, file, block] = words.as_slice() else {
        eprintln!("usage: conform FILE BLOCK-DEVICE");
        return ExitCode::from(2);
    };
    let tree = HostTree::new("/sys/kernel/scst_tgt");
    let iscsi = tree.list("targets/iscsi").is_ok();
    let (mut ran, mut failed) = (0, 0);
    for case in conformance::cases(file, block) {
        if case.iscsi && !iscsi {
            println!("skipped: {}: there is no iSCSI driver", case.name);
            continue;
        }
        ran += 1;
        let mut looks = 0;
        let mut wait = || {
            looks += 1;
            std::thread::sleep(Duration::from_millis(20));
            looks < 3000
        };
        if let Err(why) = conformance::run(&tree, &case, &mut wait) {
            failed += 1;
            println!("failed: {}: {why}", case.name);
        }
    }
    println!("{ran} cases, {} hold", ran - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(4) }
}
