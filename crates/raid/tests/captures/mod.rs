//! The captures that `ESOS_RAID_CORPUS` names.
use esos_raid::{Capture, Tool};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(crate) fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    list.sort();
    list
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

pub(crate) fn captures(tool: Tool, case: &Path) -> Vec<Capture> {
    let mut list: Vec<Capture> = folders(case)
        .iter()
        .map(|dir| Capture {
            name: name(dir),
            cmd: std::fs::read_to_string(dir.join("cmd")).unwrap().trim().to_owned(),
            out: std::fs::read(dir.join("out")).unwrap(),
            err: std::fs::read(dir.join("err")).ok(),
            rc: std::fs::read_to_string(dir.join("rc")).ok().and_then(|t| t.trim().parse().ok()),
        })
        .collect();
    tool.sort(&mut list);
    list
}

pub(crate) fn corpus() -> Option<PathBuf> {
    let dir = std::env::var_os("ESOS_RAID_CORPUS").map(PathBuf::from);
    if dir.is_none() {
        println!("skipped: captures: ESOS_RAID_CORPUS does not name them");
    }
    dir
}

pub(crate) fn cases(dir: &Path) -> Vec<(Tool, PathBuf, Value)> {
    let mut list = Vec::new();
    for tool in Tool::ALL {
        let folder = dir.join(tool.name());
        if !folder.is_dir() {
            continue;
        }
        for case in folders(&folder) {
            let text = std::fs::read_to_string(case.join("expect.json")).unwrap();
            list.push((tool, case, serde_json::from_str(&text).unwrap()));
        }
    }
    list
}
