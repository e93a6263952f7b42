//! `slots`, `rollback`, and the section of `esos status`.
use std::path::Path;

use esos_bootimg::upgrade::{self, SlotReport, SlotsReport};
use esos_cli::{Exit, Failure, Health, Human, OrExit, Section, Table, Ui};
use esos_hostfs::HostFiles;
use esos_layout::state::SlotState;
use esos_units::Bytes;

use crate::follow_up::{self, Last};
use crate::medium::How;
use crate::stick::{self, Meant};

/// `slots`.
pub(crate) fn show(image: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let meant = Meant::open(image, How::Read, ui.root())?;
    let found = look(&meant)?;
    for problem in &found.problems {
        ui.warn(problem.clone());
    }
    ui.emit("esos.image.slots/1", &found, |human| print(&found, human))?;
    Ok(Exit::Done)
}

fn look(meant: &Meant) -> Result<SlotsReport, Failure> {
    let stick = meant.stick()?;
    let booted = meant.booted.as_ref();
    Ok(upgrade::report(&stick, booted.and_then(|b| b.slot), booted.and_then(|b| b.fallback.as_ref())))
}

fn print(found: &SlotsReport, human: &mut Human) {
    let head = ["SLOT", "VERSION", "STATE", "TRIES LEFT", "ATTEMPTS", "LAST GOOD", ""];
    let mut table = Table::new(head).right(3);
    for slot in &found.slots {
        let attempts: Vec<&str> = slot.attempts.iter().map(|a| a.health.as_str()).collect();
        table.row([
            slot.slot.to_string(),
            slot.version.clone().unwrap_or_else(|| "-".to_owned()),
            slot.state.to_string(),
            slot.tries_left.to_string(),
            attempts.join(" "),
            slot.last_good.map_or_else(|| "-".to_owned(), when),
            remarks(slot, found),
        ]);
    }
    human.table(&table);
    for slot in &found.slots {
        if let Some(problem) = &slot.problem {
            human.line(format!("{} cannot be read: {problem}", slot.slot));
        }
    }
    if let Some(fallback) = &found.fallback {
        let at = fallback.at.map(|at| format!(" ({})", when(at))).unwrap_or_default();
        human.line(format!("last fall-back{at}: {}", fallback.text));
    }
    if found.lost {
        human
            .line("both control records are broken: GRUB takes both slots for good and starts PRIMARY first");
    }
}

fn when(seconds: u64) -> String {
    esos_bootimg::archive::UnixTime::new(i64::try_from(seconds).unwrap_or(i64::MAX)).to_string()
}

fn remarks(slot: &SlotReport, found: &SlotsReport) -> String {
    let mut words = Vec::new();
    if slot.running {
        words.push("running");
    }
    if slot.preferred {
        words.push("preferred");
    }
    if found.default == Some(slot.slot) {
        words.push("next boot");
    }
    words.join(", ")
}

/// `rollback`.
pub(crate) fn roll_back(image: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let meant = Meant::open(image, How::Write, ui.root())?;
    let mut stick = meant.stick()?;
    let change = upgrade::roll_back(stick.state(), stick.note(), stick::now()).or_exit(Exit::Refused)?;
    stick.repair(change.control.preferred)?;
    stick.commit(&change)?;
    let found = look(&meant)?;
    ui.emit("esos.image.slots/1", &found, |human| {
        human.line(format!("the next boot starts {}", change.control.preferred));
        print(&found, human);
    })?;
    Ok(Exit::Done)
}

/// The section of `esos status`.
pub(crate) fn section(root: &Path) -> Section {
    if stick::booted(root).is_none() {
        return Section::unused("slots", "this box did not boot from a stick of ESOS");
    }
    match Meant::open(None, How::Read, root).and_then(|meant| look(&meant)) {
        Ok(found) => mirror(told(&found), root),
        Err(failure) => {
            let text = format!("the slots cannot be read: {}", failure.message());
            Section::new("slots").finding(Health::Unknown, text, Some("esos-image slots"))
        }
    }
}

/// The second stick, where one is kept as a mirror.
fn mirror(section: Section, root: &Path) -> Section {
    match follow_up::last(&HostFiles::new(root)) {
        None => section,
        Some(Last { problem: Some(problem), .. }) => {
            let text = format!("the mirror of the stick is not up to date: {problem}");
            section.finding(Health::Warn, text, Some("esos-image mirror"))
        }
        Some(Last { time: 0, .. }) => section.line("mirror: not looked at yet since the boot"),
        Some(Last { time, .. }) => section.line(format!("mirror: like the stick at {}", when(time))),
    }
}

fn told(found: &SlotsReport) -> Section {
    let mut section = Section::new("slots");
    for slot in &found.slots {
        let version = slot.version.as_deref().unwrap_or("empty");
        let used = Bytes::new(slot.used_bytes);
        let remarks = remarks(slot, found);
        let remarks = if remarks.is_empty() { remarks } else { format!(" ({remarks})") };
        section = section.line(format!("{}: {version}, {}, {used}{remarks}", slot.slot, slot.state));
    }
    if found.lost {
        let text = "both control records of the stick are broken";
        section = section.finding(Health::Crit, text, Some("esos-image mark-good"));
    }
    let torn = found.copies.iter().filter(|c| c.sequence.is_none()).count();
    if torn == 1 && !found.lost {
        let text = "one of the two control records is broken; the next change mends it";
        section = section.finding(Health::Warn, text, Some("esos-image mark-good"));
    }
    let runs = found.slots.iter().find(|s| s.running);
    for slot in &found.slots {
        let name = slot.slot;
        match slot.state {
            SlotState::Trial if slot.running => {
                let text = format!("{name} is on trial and has not reported good yet");
                section = section.finding(Health::Warn, text, Some("esos-image mark-good"));
            }
            SlotState::Bad => {
                let text = format!("{name} is bad and is not started");
                section = section.finding(Health::Warn, text, Some("esos-image upgrade IMAGE"));
            }
            _ => {}
        }
        if let Some(problem) = slot.problem.as_ref().filter(|_| slot.state != SlotState::None) {
            let text = format!("{name} cannot be read: {problem}");
            section = section.finding(Health::Warn, text, Some("esos-image upgrade IMAGE"));
        }
    }
    if let (Some(fallback), Some(_)) = (&found.fallback, runs.filter(|r| !r.preferred)) {
        let text = format!("this boot fell back: {}", fallback.text);
        section = section.finding(Health::Warn, text, Some("esos-image slots"));
    }
    section
}
