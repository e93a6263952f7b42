//! A box as a directory, and a directory that stands for the partition.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Case {
    pub(crate) dir: esos_hostfs::TempDir,
}

impl Case {
    pub(crate) fn new() -> Self {
        let case = Self { dir: esos_hostfs::TempDir::new("conf").unwrap() };
        fs::create_dir(case.path("store")).unwrap();
        case.fill("a");
        case
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A tree with a file of each kind.
    pub(crate) fn fill(&self, root: &str) {
        let etc = self.path(root).join("etc");
        fs::create_dir_all(etc.join("ssh")).unwrap();
        fs::create_dir_all(self.path(root).join("var/lib/scst/pr")).unwrap();
        fs::write(etc.join("esos-release"), "5.0.0\n").unwrap();
        fs::write(etc.join("hostname"), "esos1\n").unwrap();
        fs::write(etc.join("motd.tail"), "hello\n").unwrap();
        fs::write(etc.join("shadow"), "root:$6$secret\n").unwrap();
        fs::set_permissions(etc.join("shadow"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(etc.join("ssh/key"), "PRIVATE").unwrap();
        fs::set_permissions(etc.join("ssh/key"), fs::Permissions::from_mode(0o400)).unwrap();
        symlink("../proc/self/mounts", etc.join("link")).unwrap();
        fs::hard_link(etc.join("motd.tail"), etc.join("motd.same")).unwrap();
    }

    pub(crate) fn run(&self, root: &str, words: &[&str]) -> (i32, Value, String) {
        self.on("store", root, words)
    }

    pub(crate) fn on(&self, store: &str, root: &str, words: &[&str]) -> (i32, Value, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_esos-conf"))
            .args(words)
            .args(["--json", "--root", self.path(root).to_str().unwrap()])
            .args(["--store", self.path(store).to_str().unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (output.status.code().unwrap(), json, String::from_utf8(output.stderr).unwrap())
    }
}

pub(crate) fn code(json: &Value) -> &str {
    json["error"]["code"].as_str().unwrap_or_else(|| panic!("{json}"))
}
