//! The login banner.
use crate::machine::{boot_report, needs_setup, seen, text};
use esos_cli::{Exit, Failure, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_firstboot::Banner;
use esos_hostfs::{Files, HostFiles, uname};
use esos_layout::run;

/// Where getty finds it.
const ISSUE: &str = "/run/esos/issue";
/// Where /etc/update-motd.d/10-uname finds it, which pam_motd runs.
const MOTD: &str = "/run/esos/motd";

pub(crate) fn banner(ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new("/");
    let banner = collect(&files);
    files.make_dir(run::DIR)?;
    let changed = text(&files, ISSUE) != banner.issue();
    files.replace(MOTD, banner.motd().as_bytes(), 0o644)?;
    if changed {
        files.replace(ISSUE, banner.issue().as_bytes(), 0o644)?;
        // Gettys that wait for a name print it again; it is no loss where they do not.
        let reload = Cmd::new("/sbin/agetty").arg("--reload");
        if let Err(why) = HostRunner.run(&reload) {
            ui.detail(format!("cannot tell gettys: {why}"));
        }
    }
    Ok(Exit::Done)
}

fn collect(files: &HostFiles) -> Banner {
    let report = boot_report(files);
    let release = text(files, run::RELEASE);
    let version = release.trim().rsplit(' ').next().unwrap_or("").to_owned();
    let shown = seen().into_iter().filter(|s| {
        s.link_type != "loopback" && (s.carrier || !s.addresses.is_empty()) && s.master.is_none()
    });
    let name = uname().ok();
    Banner {
        version: if version.is_empty() { "(unknown version)".to_owned() } else { version },
        slot: report.as_ref().and_then(|r| r.slot).map(|s| s.to_string()).unwrap_or_default(),
        flavour: report.and_then(|r| r.flavour),
        host: text(files, "/etc/hostname").trim().to_owned(),
        kernel: name.map(|u| u.release).unwrap_or_default(),
        interfaces: shown.map(|s| (s.name, s.addresses)).collect(),
        fingerprint: fingerprint(files),
        stick: stick(files),
        needs_setup: needs_setup("/".as_ref()).unwrap_or(false),
    }
}

/// `256 SHA256:abc comment (ED25519)` → `SHA256:abc (ED25519)`.
fn fingerprint(files: &HostFiles) -> Option<String> {
    let key = "/etc/ssh/ssh_host_ed25519_key.pub";
    files.stat(key).ok()?;
    let output = HostRunner.run(&Cmd::new("/usr/bin/ssh-keygen").args(["-l", "-f", key])).ok()?;
    let text = output.text();
    let print = text.split_whitespace().find(|w| w.starts_with("SHA256:"))?;
    let kind = text.split_whitespace().last().filter(|w| w.starts_with('(')).unwrap_or("");
    Some(format!("{print} {kind}").trim_end().to_owned())
}

/// What the stick watcher says, where it is not good.
fn stick(files: &HostFiles) -> Option<String> {
    let state: serde_json::Value = serde_json::from_str(&text(files, run::STICK_STATE)).ok()?;
    let good = state.get("state")?.as_str()? == "present";
    if good { None } else { Some(state.get("message")?.as_str()?.to_owned()) }
}
