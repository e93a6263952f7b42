//! What each verb does.
use crate::args::ReportArgs;
use crate::deliver::Post;
use crate::machine::Machine;
use esos_alert::{
    Deliver, Delivered, Desk, EventId, Inbox, Mail, Queue, Report, Severity, Silence, State, test_mail,
};
use esos_cli::{Exit, Failure, OrExit, Table, Ui};
use esos_exec::HostRunner;
use esos_hostfs::{Clock, Files, HostClock};
use esos_layout::{run as paths, stick_state::Presence, stick_state::StickState};
use esos_logarchive::Redactor;
use serde::Serialize;
use serde_json::json;
use std::io::Read;
use std::time::Duration;

/// How often the daemon looks.
const EVERY: Duration = Duration::from_secs(5);

fn post(machine: &Machine) -> Post<'_> {
    Post {
        settings: &machine.settings,
        host: machine.host.clone(),
        files: &machine.files,
        runner: &HostRunner,
    }
}

/// Takes and delivers once. Returns new mails and what became of the queue.
fn turn(machine: &Machine, all: bool) -> Result<(Vec<Mail>, Delivered), Failure> {
    let _lock = machine.lock()?;
    let now = HostClock.now();
    // A log line in a mail is a log line that leaves the house.
    let redactor = Redactor::new();
    let desk = Desk::open(&machine.files, machine.origin(), machine.settings.clone())?;
    let mut desk = desk.scrub(|text| redactor.scrub(text));
    stick(machine, &mut desk, now);
    let mails = desk.work(now)?;
    let delivered = desk.deliver(now, all, &post(machine))?;
    Ok((mails, delivered))
}

pub(crate) fn run(all: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    let machine = Machine::open(ui)?;
    let (mails, done) = turn(&machine, all)?;
    if machine.settings.to.is_empty() && !mails.is_empty() {
        ui.warn("nobody is mailed: `to` in /etc/esos/mail.toml is empty");
    }
    done.failed.iter().for_each(|(subject, why)| ui.warn(format!("not delivered: {subject}: {why}")));
    let told: Vec<&str> = mails.iter().map(|m| m.subject.as_str()).collect();
    let data = json!({
        "told": told, "sent": done.sent, "failed": done.failed, "waiting": done.waiting,
        "given_up": done.given_up,
    });
    ui.emit("esos.monitor.run/1", &data, |human| {
        told.iter().for_each(|subject| human.line(format!("new: {subject}")));
        human.line(format!("{} sent, {} waiting", done.sent.len(), done.waiting));
    })?;
    Ok(if done.failed.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Without end. What goes wrong is said once until it changes; nothing stops the daemon.
pub(crate) fn watch(ui: &mut Ui) -> Result<Exit, Failure> {
    let mut said = String::new();
    loop {
        // Settings are read again each time: an operator changes them and expects them to count.
        let problem = match Machine::open(ui).and_then(|machine| turn(&machine, false)) {
            Ok((_, done)) => done.failed.first().map(|(_, why)| why.clone()).unwrap_or_default(),
            Err(failure) => failure.message().to_owned(),
        };
        if problem != said && !problem.is_empty() {
            ui.say(format!("esos-monitor: {problem}"));
        }
        said = problem;
        HostClock.sleep(EVERY);
    }
}

/// What the stick's watcher says, as an event.
fn stick(machine: &Machine, desk: &mut Desk<'_>, now: Duration) {
    let Ok(bytes) = machine.files.read(paths::STICK_STATE) else { return };
    let Ok(state) = serde_json::from_slice::<StickState>(&bytes) else { return };
    let id = EventId::of(["stick", "present"]);
    let restart = EventId::of(["stick", "restart"]);
    let restart = if state.restart {
        let subject = "/usr was on the stick that was pulled: what of it is not in memory cannot be had";
        Report::raised(restart, Severity::Warning, subject)
            .text("Storage is served on, and the configuration is kept. Programs that are not in memory do not start.")
            .remedy("put the stick back, then restart the box as soon as it may stop")
    } else {
        Report::cleared(restart, "the box has all of /usr")
    };
    let report = match state.state {
        Presence::Present => Report::cleared(id, state.message),
        Presence::Gone | Presence::Refused => Report::raised(id, Severity::Critical, state.message)
            .text("The box goes on from memory. Changes of the configuration and logs wait for the stick.")
            .remedy("put back the stick that was booted; esos stick show"),
        _ => return,
    };
    // A report each few seconds would only count.
    for report in [report, restart] {
        if !desk.book().agrees(&report) {
            desk.book_mut().take(&report, now.as_secs());
        }
    }
}

pub(crate) fn report(args: ReportArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let machine = Machine::open(ui)?;
    let mut text = args.text;
    if text == "-" {
        text = String::new();
        std::io::stdin().lock().take(1 << 20).read_to_string(&mut text)?;
    }
    let mut report = match (args.happened, args.cleared) {
        (true, _) => Report::happened(args.id, args.severity, args.subject),
        (_, true) => Report::cleared(args.id, args.subject),
        _ => Report::raised(args.id, args.severity, args.subject),
    };
    report = report.text(text);
    if let Some(remedy) = args.remedy {
        report = report.remedy(remedy);
    }
    Inbox::new(&machine.files).put(&report, HostClock.now())?;
    ui.emit("esos.monitor.report/1", &report, |_| {})?;
    Ok(Exit::Done)
}

pub(crate) fn list(all: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Row<'e> {
        id: &'e EventId,
        #[serde(flatten)]
        entry: &'e esos_alert::Entry,
    }
    let machine = Machine::open(ui)?;
    let desk = Desk::open(&machine.files, machine.origin(), machine.settings.clone())?;
    let events = desk.book().events();
    let rows: Vec<Row<'_>> = events
        .filter(|(_, e)| all || e.state != State::Cleared)
        .map(|(id, entry)| Row { id, entry })
        .collect();
    let data = json!({ "events": rows, "silences": desk.book().silences() });
    ui.emit("esos.monitor.list/1", &data, |human| {
        let mut table = Table::new(["STATE", "SEVERITY", "EVENT", "TIMES", "WHAT"]);
        for row in &rows {
            let state = match (row.entry.state, row.entry.flapping) {
                (State::Raised, false) => "raised",
                (State::Raised, true) => "raised, comes and goes",
                (State::Cleared, _) => "cleared",
                (State::Happened, _) => "happened",
            };
            table.row([
                state.to_owned(),
                row.entry.severity.to_string(),
                row.id.to_string(),
                row.entry.times.to_string(),
                row.entry.subject.clone(),
            ]);
        }
        human.table(&table);
        for silence in desk.book().silences() {
            human.line(format!("silent: {} ({})", silence.pattern, silence.reason));
        }
    })?;
    Ok(Exit::Done)
}

pub(crate) fn queue(ui: &mut Ui) -> Result<Exit, Failure> {
    let machine = Machine::open(ui)?;
    let queue = Queue::new(&machine.files);
    let (waiting, given_up) = (queue.mails()?, queue.given_up()?);
    let row = |m: &Mail| json!({"subject": m.subject, "to": m.to, "made": m.made, "tries": m.tries, "next": m.next, "failed": m.failed});
    let rows = |mails: &[Mail]| mails.iter().map(row).collect::<Vec<_>>();
    let data = json!({ "waiting": rows(&waiting), "given_up": rows(&given_up) });
    ui.emit("esos.monitor.queue/1", &data, |human| {
        for (mails, word) in [(&waiting, "waiting"), (&given_up, "given up")] {
            for mail in mails {
                let why = mail.failed.as_deref().map(|w| format!(" ({} tries: {w})", mail.tries));
                human.line(format!("{word}: {}{}", mail.subject, why.unwrap_or_default()));
            }
        }
    })?;
    Ok(Exit::Done)
}

pub(crate) fn test(to: Option<String>, ui: &mut Ui) -> Result<Exit, Failure> {
    let machine = Machine::open(ui)?;
    let to = to.map_or_else(|| machine.settings.to.clone(), |to| vec![to]);
    if to.is_empty() {
        return Err(Failure::new(Exit::Invalid, "nobody is mailed: `to` in /etc/esos/mail.toml is empty")
            .help("esos-monitor test --to ADDRESS"));
    }
    let from = machine.settings.sender(&machine.host);
    let mail = test_mail(&machine.origin(), &from, &to, HostClock.now().as_secs());
    post(&machine).deliver(&mail).context("the mail was not taken")?;
    ui.emit("esos.monitor.test/1", &json!({ "to": to }), |human| {
        human.line(format!("handed over, to {}", to.join(", ")));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn silence(pattern: &str, time: u64, reason: &str, ui: &mut Ui) -> Result<Exit, Failure> {
    let machine = Machine::open(ui)?;
    let _lock = machine.lock()?;
    let now = HostClock.now();
    let silence = Silence::new(pattern, reason, now.as_secs(), time).or_exit(Exit::Usage)?;
    let mut desk = Desk::open(&machine.files, machine.origin(), machine.settings.clone())?;
    desk.book_mut().silence(silence.clone());
    desk.work(now)?;
    ui.emit("esos.monitor.silence/1", &silence, |human| human.line(format!("silent: {pattern}")))?;
    Ok(Exit::Done)
}

pub(crate) fn unsilence(pattern: &str, ui: &mut Ui) -> Result<Exit, Failure> {
    let machine = Machine::open(ui)?;
    let _lock = machine.lock()?;
    let now = HostClock.now();
    let mut desk = Desk::open(&machine.files, machine.origin(), machine.settings.clone())?;
    if !desk.book_mut().unsilence(pattern, now.as_secs()) {
        return Err(Failure::new(Exit::Failed, format!("there is no silence over `{pattern}`")));
    }
    desk.work(now)?;
    ui.emit("esos.monitor.unsilence/1", &json!({ "pattern": pattern }), |human| {
        human.line(format!("no longer silent: {pattern}"));
    })?;
    Ok(Exit::Done)
}
