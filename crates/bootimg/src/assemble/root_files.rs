//! Files of ours in the root beside the overlay: programs, keys, what the user adds.
use esos_layout::run;

use super::{Binary, BinaryError, BuildError};
use crate::root::{Own, RootError, Tree};

/// A file that the user puts into the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddFile {
    /// Where, in the root.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Names under which programs of ours are called by people who know others': (name, program).
const APPLETS: &[(&str, &str)] = &[("scstadmin", "esos-scst"), ("hw_raid_cli.py", "esos-raid")];

/// Programs, their applets, the version, keys (of people, and of who signs) and added files as entries of
/// the root.
pub(super) fn own(
    version: &str,
    binaries: &[Binary],
    ssh_keys: &str,
    trusted: Option<&str>,
    added: &[AddFile],
) -> Result<Vec<Own>, RootError> {
    let inside = |path: &str| path.trim_matches('/').to_owned();
    let dir = inside(run::BIN_DIR);
    let mut own = vec![Own::file(&inside(run::RELEASE), format!("{version}\n").into_bytes(), 0o644)?];
    for binary in binaries {
        own.push(Own::file(&format!("{dir}/{}", binary.name), binary.bytes.clone(), 0o755)?);
    }
    for (applet, program) in APPLETS {
        if binaries.iter().any(|b| b.name == *program) {
            own.push(Own::link(&format!("{dir}/{applet}"), program)?);
        }
    }
    if !ssh_keys.trim().is_empty() {
        let keys = format!("{}\n", ssh_keys.trim_end());
        own.push(Own::file("root/.ssh/authorized_keys", keys.into_bytes(), 0o600)?);
    }
    if let Some(key) = trusted {
        let path = format!("{}/image.pub", inside(run::TRUSTED_KEYS));
        own.push(Own::file(&path, key.as_bytes().to_vec(), 0o644)?);
    }
    for file in added {
        own.push(Own::file(&inside(&file.path), file.bytes.clone(), file.mode & 0o7777)?);
    }
    Ok(own)
}

/// Whether all programs run in the root.
pub(super) fn check(
    binaries: &[Binary],
    suite: &str,
    glibc: Option<(u32, u32)>,
    tree: &Tree,
) -> Result<(), BuildError> {
    if binaries.is_empty() {
        return Ok(());
    }
    let glibc = glibc.ok_or(BuildError::NoLibc)?;
    let has = |library: &str| {
        ["usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib"]
            .iter()
            .any(|d| tree.exists(&format!("{d}/{library}")))
    };
    binaries.iter().try_for_each(|b| b.check(suite, glibc, has)).map_err(|e: BinaryError| e.into())
}
