//! The loop.
use crate::media::{Looker, nodes};
use crate::mirror::{self, Mirror};
use esos_blockdev::{Heard, UeventSocket};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{Clock, Files, Held, HostClock, HostFiles};
use esos_initramfs::{BootReport, StickReport};
use esos_layout::{run, stick_state::Presence, stick_state::StickState};
use esos_stickwatch::{Identity, Medium, Notice, Urgency, Watcher};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// A medium can die without the kernel saying so; it is read this often.
const EVERY: Duration = Duration::from_secs(3);
/// After an event, partitions follow their disk within a moment.
const SETTLE: Duration = Duration::from_millis(300);

/// What the watcher said last.
pub(crate) fn state(files: &HostFiles) -> Option<StickState> {
    serde_json::from_slice(&files.read(run::STICK_STATE).ok()?).ok()
}

pub(crate) fn watch(ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new("/");
    let report = wait_for_report(&files)?;
    let holds_usr = report.usr_is_on_the_stick();
    let names = if holds_usr { files.read(run::IN_MEMORY).unwrap_or_default() } else { Vec::new() };
    let held = Held::these(String::from_utf8_lossy(&names).lines());
    if holds_usr {
        ui.detail(format!("{} programs and libraries stay in memory", held.len()));
    }
    let stick = report.stick.unwrap_or_default();
    // Subscribe first and look then, or what comes between the two is missed.
    let events = UeventSocket::open().or_exit(Exit::Unavailable)?;
    let (mut looker, mut second) = (Looker::default(), Mirror::default());
    let mut watcher = if holds_usr {
        // What the watcher before this one has seen stays true.
        let lost = state(&files).is_some_and(|state| state.restart);
        Watcher::that_holds_usr(booted(&stick), lost)
    } else {
        Watcher::new(booted(&stick))
    };
    // That it is there from the start is nothing to print over a login prompt.
    let mut console = false;
    // The node that the boot report names.
    let mut known = stick.device.clone();
    loop {
        let mut media = looker.media();
        // Of two that cannot be told apart by what `esos-init` knew, it is the one that has the name it had
        // at boot; from the first look on model and serial number are known too.
        media.sort_by_key(|m| m.device != stick.device);
        // The second stick is no stranger.
        let kept = mirror::kept(&files, &stick);
        let strange = |m: &&Medium| kept.as_ref().is_none_or(|kept| !mirror::is(kept, m));
        let others: Vec<Medium> = media.iter().filter(strange).cloned().collect();
        let notices = watcher.look(HostClock.now().as_secs(), &others);
        if watcher.state().state == Presence::Present
            && let Some(device) = watcher.state().device.as_deref().filter(|device| *device != known)
        {
            match rename(&files, device) {
                Ok(true) => known = device.to_owned(),
                // Its partitions are not there yet; the next look is soon.
                Ok(false) => {}
                Err(why) => ui.detail(format!("{}: {why:?}", run::BOOT_REPORT)),
            }
        }
        if !notices.is_empty() || state(&files).as_ref() != Some(watcher.state()) {
            let text = serde_json::to_vec_pretty(watcher.state())?;
            files.make_dir(run::DIR)?;
            files.replace(run::STICK_STATE, &text, 0o644)?;
        }
        for notice in &notices {
            ui.detail(&notice.text);
            tell(notice, console || notice.urgency == Urgency::Critical);
        }
        console = true;
        second.look(&files, kept, &media, watcher.state().state == Presence::Present);
        if !notices.is_empty() {
            // The banner names a stick that is gone.
            let banner = Cmd::new("/usr/sbin/esos-setup").arg("banner").limit(Duration::from_secs(20));
            if let Err(why) = HostRunner.run(&banner) {
                ui.detail(why.to_string());
            }
        }
        wait(&events)?;
    }
}

/// The stick that `esos-init` booted from. A box that was started otherwise has none: that is said once in
/// the state file, and the watcher waits, because init would start it again and again.
fn wait_for_report(files: &HostFiles) -> Result<BootReport, Failure> {
    let mut said = String::new();
    loop {
        let why = match files.read(run::BOOT_REPORT) {
            Err(e) => e.to_string(),
            Ok(bytes) => match BootReport::from_json(&String::from_utf8_lossy(&bytes)) {
                Err(e) => e.to_string(),
                Ok(report) if report.stick.is_some() => return Ok(report),
                Ok(_) => format!("{} names no stick", run::BOOT_REPORT),
            },
        };
        if said != why {
            let state = StickState {
                schema: StickState::SCHEMA.to_owned(),
                state: Presence::Other("unknown".to_owned()),
                device: None,
                since: Some(HostClock.now().as_secs()),
                message: format!("it is not known which stick was booted: {why}"),
                restart: false,
            };
            files.make_dir(run::DIR)?;
            files.replace(run::STICK_STATE, &serde_json::to_vec_pretty(&state)?, 0o644)?;
            tell(&Notice { urgency: Urgency::Notice, text: state.message }, true);
            said = why;
        }
        HostClock.sleep(Duration::from_secs(30));
    }
}

/// Writes the nodes that the stick has now into the boot report: it came back under another name, and
/// whoever mounts one of its partitions looks there. Says whether that could be done.
fn rename(files: &HostFiles, device: &str) -> Result<bool, Failure> {
    let text = files.read(run::BOOT_REPORT)?;
    let mut report = BootReport::from_json(&String::from_utf8_lossy(&text)).or_exit(Exit::Invalid)?;
    let (Some(stick), Some((path, nodes))) = (&mut report.stick, nodes(device)) else { return Ok(false) };
    for (name, partition) in &mut stick.partitions {
        let Some(node) = nodes.get(name) else { return Ok(false) };
        partition.device.clone_from(node);
    }
    (stick.device, stick.path) = (device.to_owned(), path);
    files.replace(run::BOOT_REPORT, report.to_json().as_bytes(), 0o644)?;
    Ok(true)
}

/// Waits for a block device to come or go, or for the next time to look.
fn wait(events: &UeventSocket) -> Result<(), Failure> {
    let until = HostClock.monotonic().saturating_add(EVERY);
    loop {
        let left = until.saturating_sub(HostClock.monotonic());
        match events.wait(left)? {
            Heard::Nothing => return Ok(()),
            Heard::Event(event) if event.subsystem() != "block" => {}
            _ => {
                HostClock.sleep(SETTLE);
                return Ok(());
            }
        }
    }
}

/// What `esos-init` found. Model and serial number are left to this program's own first look: two readers
/// may spell them differently.
fn booted(stick: &StickReport) -> Identity {
    Identity {
        disk_guid: stick.disk_guid.clone(),
        stick: stick.identity.clone(),
        size_bytes: stick.size_bytes,
        ..Identity::default()
    }
}

/// To the log, and to the console where that is wanted. Neither may stop the watcher.
fn tell(notice: &Notice, console: bool) {
    let severity = match notice.urgency {
        Urgency::Notice => 5,
        Urgency::Critical => 2,
    };
    if console && let Ok(mut console) = std::fs::OpenOptions::new().write(true).open("/dev/console") {
        let _written = console.write_all(format!("\r\nesos: {}\r\n", notice.text).as_bytes());
    }
    // Facility daemon is 3, a priority is 8 times the facility and the severity.
    let line = format!("<{}>esos-stick: {}", 24 + severity, notice.text);
    if let Ok(log) = UnixDatagram::unbound() {
        let _sent = log.send_to(line.as_bytes(), "/dev/log");
    }
}
