//! What cargo knows of this workspace.
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One package of ours.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) json: Value,
}

impl Package {
    /// The last part of its directory: `scst` of `crates/scst`.
    pub(crate) fn short(&self) -> &str {
        self.dir.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn is_bin(&self) -> bool {
        self.dir.parent().unwrap().ends_with("bins")
    }

    pub(crate) fn is_library(&self) -> bool {
        self.dir.parent().unwrap().ends_with("crates")
    }

    /// Names of what it depends on, of one kind: `null` for normal, `dev`, `build`.
    pub(crate) fn needs(&self, kind: Option<&str>) -> BTreeSet<String> {
        let all = self.json["dependencies"].as_array().unwrap();
        let these = all.iter().filter(|d| d["kind"].as_str() == kind);
        these.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn sources(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        walk(&self.dir.join("src"), &mut found);
        found
    }
}

fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All packages, by name.
pub(crate) fn packages() -> &'static BTreeMap<String, Package> {
    static ALL: OnceLock<BTreeMap<String, Package>> = OnceLock::new();
    ALL.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap().iter().map(|json| {
            let name = json["name"].as_str().unwrap().to_owned();
            let dir = Path::new(json["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
            (name.clone(), Package { name, dir, json: json.clone() })
        });
        packages.collect()
    })
}

/// Files that git knows, with their text; those that are no text are left out.
pub(crate) fn tracked() -> Vec<(String, String)> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let text = |name: &str| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?));
    names.split('\0').filter(|n| !n.is_empty()).filter_map(text).collect()
}
