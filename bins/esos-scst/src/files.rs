//! Configuration files as documents, with secrets masked in all that is printed.
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_scst::conf::mask_secrets;
use esos_scst::{Config, Document};
use std::path::Path;

/// Reads a file; the path is taken as it stands, not below `--root`.
pub(crate) fn read(path: &Path) -> Result<Document, Failure> {
    let bytes = std::fs::read(path).context(format!("cannot read {}", path.display()))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let before = e.as_bytes().get(..at).unwrap_or(&[]);
            let line = before.iter().filter(|b| **b == b'\n').count().saturating_add(1);
            let message = format!("{}:{line}: the file is no UTF-8 text from byte {at} on", path.display());
            return Err(Failure::new(Exit::Invalid, message).code("scst-conf::encoding"));
        }
    };
    Ok(Document::parse(&path.display().to_string(), text))
}

/// What a file wants; its errors end the run, its warnings are printed.
pub(crate) fn wanted(ui: &mut Ui, path: &Path, allow_empty: bool) -> Result<(Document, Config), Failure> {
    let document = read(path)?;
    let mut findings = document.diagnostics().to_vec();
    if allow_empty {
        findings.retain(|d| d.code != "scst-conf::empty");
    }
    if !findings.is_empty() {
        let masked = mask_secrets(document.text());
        if findings.iter().any(|d| d.severity == esos_diag::Severity::Error) {
            return Err(Failure::findings(findings, &masked));
        }
        ui.diagnostics(&findings, &masked);
    }
    let config = document.config().clone();
    Ok((document, config))
}
