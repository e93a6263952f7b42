//! What the box has, and doing a plan.
use esos_cli::{Exit, Failure, OrExit};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_firstboot::{Action, Answers, Plan};
use esos_hostfs::{Files, HostFiles, rename, symlink};
use esos_initramfs::BootReport;
use esos_layout::run;
use esos_network::{Seen, observe, seen_command};
use std::path::Path;

/// A file's text, empty where it cannot be read.
pub(crate) fn text(files: &HostFiles, path: &str) -> String {
    files.read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
}

/// Whether root has no password yet.
pub(crate) fn needs_setup(root: &Path) -> Result<bool, Failure> {
    let shadow = HostFiles::new(root).read("/etc/shadow")?;
    Ok(esos_firstboot::needs_setup(&String::from_utf8_lossy(&shadow)))
}

/// How the box came up, where `esos-init` said so.
pub(crate) fn boot_report(files: &HostFiles) -> Option<BootReport> {
    BootReport::from_json(&text(files, run::BOOT_REPORT)).ok()
}

/// Interfaces as they are; none where `ip` cannot say.
pub(crate) fn seen() -> Vec<Seen> {
    HostRunner.run(&seen_command()).ok().and_then(|o| observe(&o.text()).ok()).unwrap_or_default()
}

/// Does what the answers ask for.
pub(crate) fn carry_out(answers: &Answers, by: &str) -> Result<(), Failure> {
    let files = HostFiles::new("/");
    files.make_dir("/etc/esos")?;
    files.make_dir("/root/.ssh")?;
    let plan = Plan::new(answers, &text(&files, "/root/.ssh/authorized_keys"), by);
    for action in &plan.actions {
        match action {
            Action::File { path, text, mode } => files.replace(path, text.as_bytes(), *mode)?,
            Action::Link { path, target } => {
                let beside = format!("{path}.new");
                if files.stat(&beside).is_ok() {
                    files.remove(&beside)?;
                }
                symlink(Path::new(target), Path::new(&beside))?;
                rename(Path::new(&beside), Path::new(path))?;
            }
            Action::Run(cmd) => must(cmd)?,
            other => return Err(Failure::new(Exit::Failed, format!("cannot do {other:?}"))),
        }
    }
    Ok(())
}

fn must(cmd: &Cmd) -> Result<(), Failure> {
    let output = HostRunner.run(cmd).or_exit(Exit::Unavailable)?;
    if output.status.success() {
        return Ok(());
    }
    let said = output.error_text().trim().to_owned();
    Err(Failure::new(Exit::Failed, format!("`{cmd}`: {}: {said}", output.status)))
}
