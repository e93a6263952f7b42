//! Programs in the place of the vendors' tools: they answer questions from files, and write down every change.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it, and may end")]
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Answers questions from files, which change once a change was made; writes down every change.
const STUB: &str = r#"#!/bin/sh
d=DIR/state
line="$*"
[ $# -eq 0 ] && line=$(cat)
phase=before; [ -e $d/changed ] && phase=after
while IFS='	' read -r file pattern; do
  case "$line" in $pattern) if [ -e $d/$phase/$file ]; then cat $d/$phase/$file; else cat $d/before/$file; fi; exit 0;; esac
done <$d/questions
if [ $# -eq 0 ]; then printf '%s\n' "$line" >>$d/log; else for a in "$@"; do printf '[%s]' "$a"; done >>$d/log; echo >>$d/log; fi
[ -e $d/slow ] && exec sleep 60
cat $d/out; cat $d/err >&2
[ -e $d/works ] && touch $d/changed
exit $(cat $d/rc)
"#;

/// One vendor's tool, a box with a free drive, and the making of a hot spare of it.
pub(crate) struct Vendor {
    pub(crate) tool: &'static str,
    pub(crate) program: &'static str,
    /// File and pattern of each question, and the answer.
    pub(crate) questions: &'static [(&'static str, &'static str, &'static str)],
    /// Answers that change: file, what stands there before, what after.
    pub(crate) changes: &'static [(&'static str, &'static str, &'static str)],
    pub(crate) args: &'static [&'static str],
    pub(crate) given: &'static str,
    pub(crate) yes: (&'static str, i32),
    pub(crate) no: (&'static str, i32),
}

/// A folder with programs in the place of the vendors' tools, and a root without block devices.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    first: &'static str,
}

/// An answer: standard output and status.
pub(crate) type Said<'a> = (&'a str, i32);

impl Bench {
    pub(crate) fn new(vendor: &Vendor) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), first: vendor.program };
        bench.install(vendor);
        let root = bench.dir.path().join("root");
        for sub in ["sys/class/block", "proc/self", "run"] {
            fs::create_dir_all(root.join(sub)).unwrap();
        }
        fs::write(root.join("proc/self/mountinfo"), "1 1 0:1 / / rw - tmpfs tmpfs rw\n").unwrap();
        bench
    }

    /// Puts another vendor's tool beside it.
    pub(crate) fn install(&self, vendor: &Vendor) {
        let here = self.dir.path().join(vendor.program);
        let state = here.join("state");
        for sub in ["before", "after"] {
            fs::create_dir_all(state.join(sub)).unwrap();
        }
        let mut list = String::new();
        for (file, pattern, answer) in vendor.questions {
            list.push_str(&format!("{file}\t{pattern}\n"));
            fs::write(state.join("before").join(file), answer).unwrap();
            let mut after = (*answer).to_owned();
            for (_, from, to) in vendor.changes.iter().filter(|(f, _, _)| f == file) {
                assert!(after.contains(from), "{}: {from}", vendor.tool);
                after = after.replacen(from, to, 1);
            }
            fs::write(state.join("after").join(file), after).unwrap();
        }
        fs::write(state.join("questions"), list).unwrap();
        fs::write(state.join("err"), "").unwrap();
        let program = self.dir.path().join("tools").join(vendor.program);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, STUB.replace("DIR", here.to_str().unwrap())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A file of the first tool.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.state_of(self.first, name)
    }

    pub(crate) fn state_of(&self, program: &str, name: &str) -> PathBuf {
        self.dir.path().join(program).join("state").join(name)
    }

    /// What the first tool says to a change, and whether it does it.
    pub(crate) fn answer(&self, said: Said<'_>, works: bool) {
        self.answer_of(self.first, said, works);
    }

    pub(crate) fn answer_of(&self, program: &str, said: Said<'_>, works: bool) {
        let state = |name: &str| self.state_of(program, name);
        fs::write(state("out"), said.0).unwrap();
        fs::write(state("rc"), said.1.to_string()).unwrap();
        for (name, yes) in [("works", works), ("changed", false), ("slow", false)] {
            set(&state(name), yes);
        }
        set(&state("log"), false);
    }

    /// What the first tool was given.
    pub(crate) fn log(&self) -> String {
        self.log_of(self.first)
    }

    pub(crate) fn log_of(&self, program: &str) -> String {
        fs::read_to_string(self.state_of(program, "log")).unwrap_or_default()
    }

    pub(crate) fn tools(&self) -> PathBuf {
        self.dir.path().join("tools")
    }

    pub(crate) fn run(&self, name: &str, args: &[&str], more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esos-raid"));
        command.arg0(name).args(args).args(more).env("ESOS_RAID_TOOLS", self.tools());
        if name == "esos-raid" {
            command.arg("--root").arg(self.dir.path().join("root"));
        }
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }
}

/// Makes or removes a file that says yes.
pub(crate) fn set(path: &Path, yes: bool) {
    if yes {
        fs::write(path, "").unwrap();
    } else {
        let _gone = fs::remove_file(path);
    }
}

/// Both streams.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
