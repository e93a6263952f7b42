//! Captured cases in folders.
use esos_cli::{Exit, Failure, OrExit};
use esos_raid::{Capture, Tool, parse, render};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The facts of the case in a folder.
pub(crate) fn facts(tool: Tool, dir: &Path) -> Result<Value, Failure> {
    let captures = captures(tool, dir)?;
    Ok(render(tool, &name(dir), &captures, &parse(tool, &captures)))
}

/// What is known about the case in a folder.
pub(crate) fn expected(dir: &Path) -> Result<Value, Failure> {
    let path = dir.join("expect.json");
    let bytes = read(&path)?;
    serde_json::from_slice(&bytes)
        .or_exit(Exit::Invalid)
        .map_err(|e| e.context(format!("cannot use {}", path.display())))
}

/// Folders in a folder, sorted.
pub(crate) fn folders(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let told = |e: io::Error| {
        Failure::from(e).with_exit(Exit::Invalid).context(format!("cannot list {}", dir.display()))
    };
    let mut list = Vec::new();
    for entry in fs::read_dir(dir).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.is_dir() {
            list.push(path);
        }
    }
    list.sort();
    Ok(list)
}

/// The last part of a path.
pub(crate) fn name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    full.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn captures(tool: Tool, dir: &Path) -> Result<Vec<Capture>, Failure> {
    let mut list = Vec::new();
    for folder in folders(dir)? {
        let optional = |name: &str| fs::read(folder.join(name)).ok();
        let rc = optional("rc").and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse().ok());
        list.push(Capture {
            name: name(&folder),
            cmd: String::from_utf8_lossy(&read(&folder.join("cmd"))?).trim().to_owned(),
            out: read(&folder.join("out"))?,
            err: optional("err"),
            rc,
        });
    }
    if list.is_empty() {
        let message = format!("{} holds no captures", dir.display());
        return Err(Failure::new(Exit::Invalid, message)
            .help("give a folder with one folder per command, each with `cmd` and `out`"));
    }
    tool.sort(&mut list);
    Ok(list)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).or_exit(Exit::Invalid).map_err(|e| e.context(format!("cannot read {}", path.display())))
}
