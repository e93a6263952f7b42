//! Passphrases.
use esos_cli::{Exit, Failure, OrExit};
use esos_units::Secret;
use std::io::Read;
use std::path::Path;

/// The first line of a file, or of standard input (`-`).
pub(crate) fn passphrase(file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let Some(path) = file else { return Ok(None) };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(4096).read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path).context(path.display().to_string())?;
    }
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::new(Exit::Invalid, "the passphrase is empty").code("conf::passphrase"));
    }
    Ok(Some(Secret::new(line)))
}
