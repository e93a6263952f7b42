//! A box with SCST: its image out of packages that the tester brings, and what is asked of it.
//!
//! SCST is not in Debian, and its packages are not in the repository. `ESOS_EXTRA_DEBS` names a directory
//! with what upstream's `make dpkg` makes (`scst` or `scst-dkms`, `iscsi-scst`, `scstadmin`) for the kernel of the
//! default image.
use crate::{image, skip};
use esos_vm::Guest;
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The target of [`CONF`].
pub const TARGET: &str = "iqn.2026-11.org.example:t1";
/// The initiator that may log in there.
pub const INITIATOR: &str = "iqn.2026-11.org.example:init1";
/// Two fileio LUNs, one on a block device, one on a device that is not there yet; CHAP, a group, ALUA.
/// Wants `/data/f1`, `/data/f2` and the block device `/dev/disk/by-id/virtio-block`.
pub const CONF: &str = include_str!("../guest/scst.conf");

/// The directory of the user's packages; says that the test is skipped where none is named.
///
/// # Errors
/// Where it is no directory: a misspelt one must fail the test.
pub fn packages(test: &str) -> Result<Option<PathBuf>, String> {
    let Some(dir) = std::env::var_os("ESOS_EXTRA_DEBS").filter(|d| !d.is_empty()) else {
        skip(test, "needs ESOS_EXTRA_DEBS, a directory with SCST's packages");
        return Ok(None);
    };
    let dir = PathBuf::from(dir);
    if dir.is_dir() { Ok(Some(dir)) } else { Err(format!("{} is no directory", dir.display())) }
}

/// The default image with those packages; `ESOS_SCST_IMAGE` names one that is there already.
///
/// # Errors
/// In words: no `esos-image`, or what it said when it could not build.
pub fn built(debs: &Path) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ESOS_SCST_IMAGE") {
        return Ok(path.into());
    }
    let out = image::target_dir()?.join("test-image-scst");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/scst.toml");
    let mut command = Command::new(image::release("esos-image")?);
    command.arg("build").arg("--out").arg(&out).arg("--extra-debs").arg(debs).arg("--manifest").arg(manifest);
    let said = command.arg("--no-compress").output().map_err(|e| e.to_string())?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    if said.status.success() { Ok(out.join("esos.img")) } else { Err(words) }
}

/// A file out of the user's packages, such as Perl's scstadmin, which our own takes the place of in the image.
///
/// # Errors
/// Where no package has it.
pub fn out_of_packages(debs: &Path, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    for entry in std::fs::read_dir(debs)? {
        let file = entry?.path();
        if file.extension().is_none_or(|e| e != "deb") {
            continue;
        }
        let open = std::fs::File::open(&file)?;
        let deb = esos_bootimg::deb::Deb::open(&file.to_string_lossy(), open, Default::default())?;
        let mut entries = deb.entries()?;
        while let Some(entry) = entries.next_entry()? {
            if entry.path.as_str() == path {
                let mut bytes = Vec::new();
                entries.read_to_end(&mut bytes)?;
                return Ok(bytes);
            }
        }
    }
    Err(format!("no package in {} has {path}", debs.display()).into())
}

/// `tests/examples/scst_floor.rs` as a static program.
///
/// # Errors
/// What rustc said.
pub fn floor(dir: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scst_floor.rs");
    let program = dir.join("scst_floor");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc)
        .args(["--edition", "2024", "-O", "-C", "strip=symbols", "-C", "target-feature=+crt-static", "-o"])
        .arg(&program)
        .arg(source)
        .output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
    }
    Ok(std::fs::read(program)?)
}

/// Runs a command in the guest and gives what it said; a status other than 0 is an error with all of it.
///
/// # Errors
/// The status and both streams.
pub fn told(guest: &Guest, command: &str, limit: Duration) -> Result<String, Box<dyn Error>> {
    let answer = guest.run_within(command, limit)?;
    let text = answer.text();
    if answer.success() {
        return Ok(text);
    }
    Err(format!("`{command}` failed:\n{text}\n{}", answer.error_text()).into())
}

/// Whether nothing is left to be done for a file.
///
/// # Errors
/// The plan, where it is not empty.
pub fn nothing_to_do(guest: &Guest, conf: &str) -> Result<(), Box<dyn Error>> {
    let plan = told(guest, &format!("esos-scst plan {conf}"), Duration::from_secs(120))?;
    if plan.contains("Plan: 0 to add, 0 to change, 0 to remove") { Ok(()) } else { Err(plan.into()) }
}

/// The names of the tests that iscsi-test-cu says have failed, as `Suite.Test`.
#[must_use]
pub fn failures(log: &str) -> Vec<String> {
    let (mut suite, mut test, mut failed) = ("", "", Vec::new());
    for line in log.lines() {
        if let Some(name) = line.strip_prefix("Suite: ") {
            suite = name.trim();
        } else if let Some((name, end)) = line.strip_prefix("  Test: ").and_then(|l| l.split_once(" ...")) {
            test = name;
            if end.starts_with("FAILED") {
                failed.push(format!("{suite}.{test}"));
            }
        } else if line.starts_with("FAILED") {
            failed.push(format!("{suite}.{test}"));
        }
    }
    failed.sort();
    failed.dedup();
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_log() {
        let log = "Suite: A\n  Test: One ...passed\n  Test: Two ...FAILED\n    1. x\n  Test: Three ...    [FAILED] no\nFAILED\n";
        assert_eq!(failures(log), ["A.Three", "A.Two"]);
    }
}
