//! Every change of every tool against a program that writes down what it is given and answers as the
//! tool does: yes, no, nothing in time, nonsense.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the stub is a file, and what was run is told"
)]
mod table;

use esos_exec::{ExecError, HostRunner};
use esos_raid::{ApplyError, Place, Tool, commands, run};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Writes each argument in brackets (a blank, a comma or a quote moves none of them), or its standard
/// input, and answers from files.
const STUB: &str = "#!/bin/sh\nd=$(dirname \"$0\")\nif [ $# -eq 0 ]; then cat; else for a in \"$@\"; do printf '[%s]' \"$a\"; done; echo; fi >>\"$d/log\"\n[ -e \"$d/slow\" ] && exec sleep 60\ncat \"$d/out\"; cat \"$d/err\" >&2\nexit $(cat \"$d/rc\")\n";

/// An answer: standard output, standard error, status.
type Said = (&'static str, &'static str, i32);

/// How each tool says yes. From captures (storcli/add-vd-ok, megacli/action-*) and the makers' manuals.
fn yes(tool: Tool) -> Said {
    match tool {
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli => (
            "{\n\"Controllers\":[\n{\n\"Command Status\":{\n\"CLI Version\":\"007.1704.0000.0000 Jan 16, 2021\",\n\"Controller\":0,\n\"Status\":\"Success\",\n\"Description\":\"Add VD Succeeded.\"\n}\n}\n]\n}\n",
            "",
            0,
        ),
        Tool::Megacli => (
            "                                     \nAdapter: 0: Device at EnclId-252 SlotId-1  -- PD Locate Start Command was successfully sent to Firmware \n\nExit Code: 0x00\n",
            "",
            0,
        ),
        Tool::Arcconf => ("Controllers found: 1\n\nCommand completed successfully.\n", "", 0),
        Tool::Hpacucli | Tool::Ssacli => ("\n", "", 0),
        Tool::Areca => ("CLI> \nGuiErrMsg<0x00>: Success.\n\nCLI> GuiErrMsg<0x00>: Success.\n\nCLI> ", "", 0),
        Tool::TwCli => ("Creating new unit on controller /c0 ... Done. The new unit is /c0/u1.\n", "", 0),
        _ => ("", "mdadm: added /dev/sdd\n", 0),
    }
}

/// How each says no; the second word is a part of its own words.
fn no(tool: Tool) -> (Said, &'static str) {
    match tool {
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli => (
            (
                "{\"Controllers\":[{\"Command Status\":{\"Controller\":0,\"Status\":\"Failure\",\"Description\":\"Add VD failed\",\"Detailed Status\":[{\"Ctrl\":0,\"Status\":\"Failed\",\"ErrCd\":8,\"ErrMsg\":\"requested resource is already in use\"}]}}]}\n",
                "",
                0,
            ),
            "already in use",
        ),
        Tool::Megacli => (
            (
                "Adapter: 0: Device at Enclosure - 6, Slot - 1 is not in proper state\n\nFAILED\n\nExit Code: 0x01\n",
                "",
                1,
            ),
            "not in proper state",
        ),
        Tool::Arcconf => {
            (("Controllers found: 1\nThe device is in use.\n\nCommand aborted.\n", "", 6), "in use")
        }
        Tool::Hpacucli | Tool::Ssacli => {
            (("\nError: The specified device is not available.\n", "", 1), "not available")
        }
        Tool::Areca => (
            ("CLI> GuiErrMsg<0x00>: Success.\nCLI> GuiErrMsg<0x08>: Password Required.\nCLI> ", "", 0),
            "Password Required",
        ),
        Tool::TwCli => (("Error: (CLI:145) Invalid drive(s) specified.\n", "", 1), "Invalid drive"),
        _ => (("", "mdadm: cannot open /dev/sdd: Device or resource busy\n", 1), "busy"),
    }
}

fn write(dir: &Path, said: Said) {
    std::fs::write(dir.join("out"), said.0).unwrap();
    std::fs::write(dir.join("err"), said.1).unwrap();
    std::fs::write(dir.join("rc"), said.2.to_string()).unwrap();
}

/// Both words and session lines as the stub writes them.
fn written(tool: Tool, expected: &[&str]) -> String {
    let line = |words: &&str| match tool {
        Tool::Areca => (*words).to_owned(),
        _ => format!("[{}]\n", words.split('|').collect::<Vec<_>>().join("][")),
    };
    expected.iter().map(line).collect()
}

fn one(dir: &Path, row: &table::Row) {
    let (tool, controller, change, _, expected) = row;
    let program = dir.join("tool");
    let mut place = Place::new(*tool, program.to_str().unwrap(), controller);
    place.limit = Duration::from_secs(60);
    let lines = commands(&place, change).unwrap();
    let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    let again = || {
        let _fresh = std::fs::remove_file(dir.join("log"));
    };
    let about = format!("{tool} {change:?}");

    write(dir, yes(*tool));
    let (words, doubt) =
        run(*tool, &lines, &HostRunner).unwrap_or_else(|e| panic!("{about}: {e} {:?}", e.words()));
    assert_eq!(doubt, None, "{about}: {words:?}");
    assert_eq!(log(), written(*tool, expected), "{about}");

    again();
    let (said, own) = no(*tool);
    write(dir, said);
    let error = run(*tool, &lines, &HostRunner).unwrap_err();
    assert!(matches!(error, ApplyError::Refused { done: 0, .. }), "{about}: {error:?}");
    assert!(error.words().iter().any(|line| line.contains(own)), "{about}: {:?}", error.words());
    // What comes after a refusal is not started.
    assert_eq!(log(), written(*tool, expected.get(..1).unwrap()), "{about}");

    again();
    write(dir, ("\u{1}\u{2}segmentation pt\n####\n", "", 0));
    match run(*tool, &lines, &HostRunner) {
        Ok((words, doubt)) => {
            assert!(doubt.is_some() && words.iter().any(|w| w.contains("segmentation")), "{about}");
        }
        Err(error) => {
            assert!(!matches!(error, ApplyError::NotSeen { .. }), "{about}: {error:?}");
            assert!(error.words().iter().any(|w| w.contains("segmentation")), "{about}");
        }
    }

    again();
    std::fs::write(dir.join("slow"), "").unwrap();
    place.limit = Duration::from_millis(150);
    let error = run(*tool, &commands(&place, change).unwrap(), &HostRunner).unwrap_err();
    let late = matches!(&error, ApplyError::Tool { done: 0, source: ExecError::Timeout { .. }, .. });
    assert!(late, "{about}: {error:?}");
    std::fs::remove_file(dir.join("slow")).unwrap();
    again();
}

#[test]
fn every_change_of_every_tool_is_told_as_it_went() {
    use std::os::unix::fs::PermissionsExt;
    let rows = table::all();
    let next = AtomicUsize::new(0);
    let base = esos_exec_dir();
    // All programs are there before the first is started: a child that is forked while one is still open for
    // writing would keep it from being executed (ETXTBSY).
    let dirs: Vec<_> = (0..8).map(|worker| base.join(worker.to_string())).collect();
    for dir in &dirs {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("tool"), STUB).unwrap();
        std::fs::set_permissions(dir.join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::thread::scope(|scope| {
        for dir in &dirs {
            let (rows, next) = (&rows, &next);
            scope.spawn(move || {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(dir, row);
                }
            });
        }
    });
    std::fs::remove_dir_all(&base).unwrap();
    println!("{} changes, each in success and three failures", rows.len());
}

/// A folder of this test's own.
fn esos_exec_dir() -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("esos-raid-stubs-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
