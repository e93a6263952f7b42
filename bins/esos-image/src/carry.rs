//! The configuration of one stick onto another.
use std::path::{Path, PathBuf};
use std::time::Duration;

use esos_bootimg::disk::gpt::Table;
use esos_cli::{Exit, Failure, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{TempDir, unmount};
use esos_layout::part;

/// A dying stick may take its time; a person is waiting.
const LIMIT: Duration = Duration::from_secs(600);

/// `esos_conf` of a disk or of an image, mounted for as long as it is needed. By its place on the medium, not by a
/// node of its own: a medium that was just written has none yet, and a file never has.
struct Conf {
    dir: Option<TempDir>,
}

impl Conf {
    fn mount(medium: &Path, table: &Table, write: bool) -> Result<Self, Failure> {
        let none =
            || Failure::new(Exit::Invalid, format!("{} has no partition {}", medium.display(), part::CONF));
        let (_, partition) = table.find(part::CONF).ok_or_else(none)?;
        let (start, len) = table.extent(partition);
        let dir = TempDir::new("conf")?;
        let access = if write { "rw" } else { "ro" };
        let options = format!("loop,offset={start},sizelimit={len},{access},nosuid,nodev,noexec");
        let cmd = Cmd::new(program(&["/usr/bin/mount", "/bin/mount"])?)
            .args(["-t", "ext4", "-o", &options])
            .arg(medium)
            .arg(dir.path())
            .limit(LIMIT);
        let out = HostRunner.run(&cmd)?;
        if out.status.success() {
            return Ok(Self { dir: Some(dir) });
        }
        let said = out.error_text().lines().next().unwrap_or("mount says nothing").to_owned();
        let text = format!("{} of {} cannot be mounted: {said}", part::CONF, medium.display());
        Err(Failure::new(Exit::Unavailable, text).help("this needs root's rights and loop devices"))
    }

    fn path(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        // What is still mounted must not be removed with the directory.
        if unmount(dir.path(), false).is_err() && unmount(dir.path(), true).is_err() {
            let _stays = dir.keep();
        }
    }
}

fn program(places: &[&str]) -> Result<PathBuf, Failure> {
    let found = places.iter().map(PathBuf::from).find(|p| p.exists());
    found.ok_or_else(|| Failure::new(Exit::Unavailable, format!("{} is not installed", places.join(" or "))))
}

/// `esos-conf`, of the same build as this program.
fn esos_conf() -> Result<PathBuf, Failure> {
    let beside = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.join("esos-conf")));
    let found = beside.into_iter().chain([PathBuf::from("/usr/sbin/esos-conf")]).find(|p| p.exists());
    found.ok_or_else(|| {
        Failure::new(Exit::Unavailable, "esos-conf is neither beside this program nor in /usr/sbin")
    })
}

/// A stick by its node or file, with its partition table.
pub(crate) struct Side<'s> {
    pub(crate) path: &'s Path,
    pub(crate) table: &'s Table,
}

/// Makes the store of `to` hold the generations of `from`, or of the stick that this box booted from.
pub(crate) fn carry(
    from: Option<&Side<'_>>,
    to: &Side<'_>,
    replace: bool,
    ui: &Ui,
) -> Result<serde_json::Value, Failure> {
    let target = Conf::mount(to.path, to.table, true)?;
    let source = from.map(|side| Conf::mount(side.path, side.table, false)).transpose()?;
    let mut cmd = Cmd::new(esos_conf()?).args(["mirror", "--json"]).arg(target.path());
    if replace {
        cmd = cmd.arg("--replace");
    }
    // What the tool remembers of a box is none of ours where a named stick is copied.
    let scratch = TempDir::new("root")?;
    match &source {
        Some(source) => cmd = cmd.arg("--root").arg(scratch.path()).arg("--store").arg(source.path()),
        None => cmd = cmd.arg("--root").arg(ui.root()),
    }
    let out = HostRunner.run(&cmd.limit(LIMIT))?;
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    if out.status.success() {
        return Ok(document.get("data").cloned().unwrap_or_default());
    }
    let said = refusal(&document);
    let said =
        said.unwrap_or_else(|| out.error_text().lines().next().unwrap_or("it says nothing").to_owned());
    let exit = match out.status {
        esos_exec::Exit::Code(5) => Exit::Refused,
        esos_exec::Exit::Code(8) => Exit::Busy,
        esos_exec::Exit::Code(3) => Exit::Invalid,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, format!("the configuration is not copied: {said}"));
    Err(if exit == Exit::Refused {
        failure.help("--replace throws away what only the mirror has")
    } else {
        failure
    })
}

/// The error of a document, to the bottom.
fn refusal(document: &serde_json::Value) -> Option<String> {
    let message = document.pointer("/error/message")?.as_str()?;
    let causes = document.pointer("/error/causes").and_then(|c| c.as_array()).into_iter().flatten();
    let causes = causes.filter_map(serde_json::Value::as_str);
    Some(causes.fold(message.to_owned(), |text, cause| format!("{text}: {cause}")))
}

/// Reads back the newest generation of what was carried there, from the medium: mounted anew. A stick that lies takes
/// everything, says that it has it, and has not.
pub(crate) fn confirm(to: &Side<'_>, carried: &serde_json::Value) -> Result<(), Failure> {
    let Some(newest) = carried.get("newest").and_then(serde_json::Value::as_u64) else { return Ok(()) };
    let target = Conf::mount(to.path, to.table, false)?;
    let scratch = TempDir::new("root")?;
    let cmd = Cmd::new(esos_conf()?)
        .args(["verify", "--json", &format!("@{newest}"), "--root"])
        .arg(scratch.path())
        .arg("--store")
        .arg(target.path());
    let out = HostRunner.run(&cmd.limit(LIMIT))?;
    if out.status.success() {
        return Ok(());
    }
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    let why = document.pointer("/data/generations/0/why").and_then(serde_json::Value::as_str);
    let said = refusal(&document).or_else(|| why.map(str::to_owned));
    let text = format!(
        "the medium does not keep what is written to it: @{newest} is not there as it was written ({})",
        said.as_deref().unwrap_or("it cannot be read")
    );
    Err(Failure::new(Exit::Failed, text).help("replace it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_to_the_bottom() {
        let text = r#"{"error": {"message": "the mirror", "causes": ["full: no room", "ENOSPC"]}}"#;
        let said = |text| refusal(&serde_json::from_str(text).unwrap());
        assert_eq!(said(text).as_deref(), Some("the mirror: full: no room: ENOSPC"));
        assert_eq!(said(r#"{"error": {"message": "m"}}"#).as_deref(), Some("m"));
        assert_eq!(said("{}"), None);
    }
}
