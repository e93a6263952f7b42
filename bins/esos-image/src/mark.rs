//! `mark-good`.
use std::path::Path;
use std::time::Duration;

use esos_alert::{EventId, Inbox, Report, Severity};
use esos_bootimg::disk::Reading;
use esos_bootimg::disk::verify::verify_slot;
use esos_bootimg::upgrade::{self, Ran, Stick};
use esos_cli::{Exit, Failure, Ui};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{Clock, Deadline, Files, HostClock, HostFiles};
use esos_layout::state::SlotState;
use esos_layout::{Slot, run};
use serde_json::json;

use crate::args::MarkGoodArgs;
use crate::medium::How;
use crate::stick::{self, Meant};

/// `mark-good`.
pub(crate) fn run(args: &MarkGoodArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.after_boot {
        return after_boot(args, ui);
    }
    let meant = Meant::open(args.image.as_deref(), How::Write, ui.root())?;
    let mut stick = meant.stick()?;
    let slot = match args.slot {
        Some(slot) => slot,
        None => meant.running(&stick)?,
    };
    sound(&stick, slot)?;
    let other = known(&stick, slot.other());
    let change = upgrade::mark_good(stick.state(), stick.note(), slot, other, stick::now());
    stick.repair(slot)?;
    stick.commit(&change)?;
    ui.emit("esos.image.mark-good/1", &json!({ "slot": slot, "marked": true }), |human| {
        human.line(format!("{slot} is good"));
    })?;
    Ok(Exit::Done)
}

/// A slot that is damaged is not good, whoever says so.
fn sound(stick: &Stick<'_>, slot: Slot) -> Result<(), Failure> {
    let table = stick.table().clone();
    let found = verify_slot(&mut Reading::new(stick.medium()), &table, slot, &mut |_| {});
    match found.findings.first() {
        None => Ok(()),
        Some(finding) => Err(Failure::new(Exit::Invalid, format!("{slot} is damaged: {finding}"))),
    }
}

/// What is known of a slot when the records are lost.
fn known(stick: &Stick<'_>, slot: Slot) -> SlotState {
    match stick.state().newest() {
        Some((_, control)) => control.slot(slot).state,
        None if sound(stick, slot).is_ok() => SlotState::Good,
        None if upgrade::Running::of(stick, slot).version.is_none() => SlotState::None,
        None => SlotState::Bad,
    }
}

/// What the box does by itself, once a boot.
fn after_boot(args: &MarkGoodArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new("/");
    let boot_id = files.read("/proc/sys/kernel/random/boot_id")?;
    if files.read(run::MARKED_GOOD).is_ok_and(|done| done == boot_id) {
        ui.say("this boot is marked already");
        return Ok(Exit::Done);
    }
    if from_kexec(&files) {
        // GRUB did not count this boot, and it is not the one that would come next.
        ui.say("this system was started by kexec, not by GRUB: nothing is marked");
        return Ok(Exit::Done);
    }
    if let Err(failure) = identify(ui) {
        // It is known by its partition table as before; the mark is what counts.
        ui.warn(format!("the stick has no identity of its own yet: {}", failure.message()));
    }
    let failing = wait_for_checks(args.within, ui);
    let meant = Meant::open(None, How::Write, ui.root())?;
    let Some(booted) = meant.booted.as_ref() else {
        return Err(Failure::new(Exit::Unavailable, "this is no box that booted from a stick of ESOS"));
    };
    let Some(slot) = booted.slot else {
        ui.say("this box runs from no slot: nothing is marked");
        return Ok(Exit::Done);
    };
    let mut stick = meant.stick()?;
    if let Err(failing) = failing {
        let trial = stick.state().control().slot(slot).state == SlotState::Trial;
        if trial && args.reboot_on_trial {
            ui.say(format!(
                "{slot} is on trial and has not come up: {failing}. Reboot, so that GRUB counts."
            ));
            HostRunner.run(&Cmd::new("/sbin/shutdown").args(["-r", "now"]).limit(Duration::from_secs(30)))?;
        }
        let failure = Failure::new(Exit::Failed, format!("{slot} is not marked good: {failing}"));
        return Err(
            failure.help(format!("mend it and run esos-image mark-good; checks are in {}", run::GOOD_CHECKS))
        );
    }
    let ran = Ran { slot, fallback: booted.fallback.clone(), other: known(&stick, slot.other()) };
    let change = upgrade::after_boot(stick.state(), stick.note(), &ran, stick::now());
    if let Some(change) = &change {
        for slot in Slot::ALL {
            stick.repair(slot)?;
        }
        stick.commit(change)?;
    }
    files.make_dir(run::DIR)?;
    files.replace(run::MARKED_GOOD, &boot_id, 0o644)?;
    let fell_back = ran.fallback.as_ref().map(upgrade::explain);
    if let Some(why) = &fell_back {
        mail(&files, slot, why, &boot_id, ui);
    }
    let data = json!({ "slot": slot, "marked": change.is_some(), "fallback": fell_back });
    ui.emit("esos.image.mark-good/1", &data, |human| {
        human.line(format!("{slot} is good"));
        if let Some(why) = &fell_back {
            human.line(format!("this boot fell back: {why}"));
        }
    })?;
    Ok(Exit::Done)
}

/// That the box runs, but not what it should run, is something to be told of without asking.
fn mail(files: &HostFiles, slot: Slot, why: &str, boot_id: &[u8], ui: &mut Ui) {
    let boot = String::from_utf8_lossy(boot_id);
    let id = EventId::of(["slots", "fallback", boot.trim()]);
    let report = Report::happened(id, Severity::Critical, format!("the box runs from {slot}: {why}"))
        .text("The other system is not tried again by itself once it is marked bad. Changes of the configuration that \
               it made are kept on the stick.")
        .remedy("esos-image slots; esos conf log; then upgrade again, or esos-image mark-good --slot");
    if let Err(error) = Inbox::new(files).put(&report, HostClock.now()) {
        ui.warn(error.to_string());
    }
}

/// The first boot from a stick makes it unlike every other that was written from the same image.
fn identify(ui: &mut Ui) -> Result<(), Failure> {
    if stick::booted(ui.root()).is_none() {
        return Ok(());
    }
    let meant = Meant::open(None, How::Write, ui.root())?;
    let identity = stick::new_identity()?;
    if meant.stick()?.identify(&identity)? {
        ui.say(format!("the stick has the identity {identity} from now on"));
    }
    Ok(())
}

/// The boot loader's number in the kernel's boot protocol: kexec is 0xD (`Documentation/arch/x86/boot.rst`).
fn from_kexec(files: &HostFiles) -> bool {
    let text = files.read("/proc/sys/kernel/bootloader_type").unwrap_or_default();
    let number: Option<u32> = String::from_utf8_lossy(&text).trim().parse().ok();
    number.is_some_and(|n| n >> 4 == 0xd)
}

/// Runs the checks until all of them succeed; or the first that does not, and what it said.
fn wait_for_checks(within: u64, ui: &mut Ui) -> Result<(), String> {
    let files = HostFiles::new("/");
    let deadline = Deadline::after(&HostClock, Duration::from_secs(within));
    loop {
        let failing = match files.list(run::GOOD_CHECKS) {
            Ok(names) => names.iter().find_map(|name| check(name)),
            Err(e) if e.is_not_found() => None,
            Err(e) => Some(e.to_string()),
        };
        let Some(failing) = failing else { return Ok(()) };
        if deadline.passed(&HostClock) {
            return Err(failing);
        }
        ui.detail(&failing);
        HostClock.sleep(Duration::from_secs(2));
    }
}

fn check(name: &str) -> Option<String> {
    let path = Path::new(run::GOOD_CHECKS).join(name);
    let said = |text: &str| text.lines().last().unwrap_or("it says nothing").to_owned();
    match HostRunner.run(&Cmd::new(path).limit(Duration::from_secs(30))) {
        Ok(out) if out.status.success() => None,
        Ok(out) => {
            let error = out.error_text();
            let text = if error.trim().is_empty() { out.text() } else { error };
            Some(format!("check {name}: {}", said(&text)))
        }
        Err(error) => Some(format!("check {name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kexec_is_known_by_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let files = HostFiles::new(dir.path());
        files.make_dir("/proc/sys/kernel").unwrap();
        for (number, kexec) in [("114\n", false), ("208\n", true), ("209\n", true), ("", false)] {
            files.replace("/proc/sys/kernel/bootloader_type", number.as_bytes(), 0o644).unwrap();
            assert_eq!(from_kexec(&files), kexec, "{number}");
        }
    }
}
