//! The restore at boot: the boot goes on whatever happens, and what happened is said, remembered and mailed.
use crate::case::{Case, STATE, keep_defaults};
use crate::tell;
use esos_alert::{EventId, Inbox, Report, Severity, StoreError};
use esos_cli::{Exit, Failure, Ui};
use esos_confsync::Tracked;
use esos_confsync::restore::Restored;
use esos_hostfs::{Clock, Files, HostClock, HostFiles};

/// A new stick: nothing to restore, and nothing that a sync could write over.
pub(crate) fn nothing_yet(case: &Case, ui: &mut Ui) -> Result<(Exit, Restored), Failure> {
    keep_defaults(ui.root(), &case.tracked)?;
    let mut restored = Restored::default();
    restored.complete = true;
    case.keep_restored(&restored)?;
    ui.emit("esos.conf.restore/1", &restored, |human| {
        human.line(format!("restored {}", tell::headline(&restored)));
    })?;
    Ok((Exit::Done, restored))
}

/// The store cannot be had at all, for a reason that the boot knows.
pub(crate) fn nothing(why: &str, ui: &mut Ui) -> Result<Exit, Failure> {
    failed(Failure::new(Exit::Unavailable, why).code("conf::gone").help("esos stick show"), ui)
}

/// Nothing was restored: until it is, nothing is written over the stick.
pub(crate) fn failed(failure: Failure, ui: &mut Ui) -> Result<Exit, Failure> {
    // For a restore by hand later on: these are still the image's own files.
    if let Err(e) = keep_defaults(ui.root(), &Tracked::default()) {
        ui.warn(format!("the image's own files are not kept: {}", e.message()));
    }
    let files = HostFiles::new(ui.root());
    let mut restored = Restored::default();
    restored.problem = Some(failure.whole());
    files.make_dir(STATE)?;
    files.replace(&format!("{STATE}/restored.json"), &serde_json::to_vec_pretty(&restored)?, 0o600)?;
    mail(&restored, ui);
    Err(failure)
}

/// One mail says what is not as it was; once it is as it should be again, one says that.
pub(crate) fn mail(restored: &Restored, ui: &mut Ui) {
    let report = report(restored).remedy("esos conf status; esos conf log; esos conf restore");
    if let Err(e) = Inbox::new(&HostFiles::new(ui.root())).put(&report, HostClock.now()) {
        ui.warn(e.to_string());
    }
}

/// That the box has its configuration after all.
pub(crate) fn mended(files: &HostFiles) -> Result<(), StoreError> {
    let report = Report::cleared(EventId::of(["conf", "restore"]), "the configuration is whole");
    Inbox::new(files).put(&report, HostClock.now())
}

fn report(restored: &Restored) -> Report {
    let id = EventId::of(["conf", "restore"]);
    let headline = tell::headline(restored);
    let raised = |severity, subject: String| Report::raised(id.clone(), severity, subject);
    let lost = restored.passed.iter().rev().find(|p| p.damaged);
    let history: Vec<String> = tell::history(restored).cloned().collect();
    let passed = tell::passed(restored, 100);
    let report = match (&restored.problem, restored.generation, lost) {
        (Some(problem), ..) => {
            raised(Severity::Critical, format!("the configuration was not restored: {problem}"))
        }
        (None, None, _) => {
            // What the book would know of it is gone with the store: each such boot is told.
            let boot = HostClock.now().as_secs().to_string();
            Report::happened(
                EventId::of(["conf", "empty", &boot]),
                Severity::Warning,
                "no configuration was restored: the stick has none",
            )
        }
        (None, Some(_), _) if !restored.complete => {
            raised(Severity::Critical, format!("the configuration was not restored whole from {headline}"))
        }
        (None, Some(id), Some(lost)) => raised(
            Severity::Critical,
            format!("the configuration is that of @{id}, because @{} is damaged", lost.id),
        ),
        (None, Some(_), None) if !history.is_empty() => raised(
            Severity::Warning,
            "the configuration was restored; older generations on the stick are damaged".to_owned(),
        ),
        (None, Some(id), None)
            if restored.of_newer
                || !(passed.is_empty() && restored.conflicts.is_empty() && restored.arrived.is_empty()) =>
        {
            let newest = restored.passed.last().map_or(0, |p| p.id);
            let words = ["conf", "upgrade", &restored.version, &id.to_string(), &newest.to_string()];
            Report::happened(
                EventId::of(words),
                Severity::Warning,
                format!("the configuration was restored from {headline}, with differences"),
            )
        }
        (None, Some(_), None) => Report::cleared(id.clone(), "the configuration was restored"),
    };
    let mut text = format!("Restored: {headline}\n");
    if restored.problem.is_some() {
        text.push_str("The network stays off, and root has no password.\n");
    }
    let lists = [
        ("Not restored", &passed),
        ("Missing", &restored.missing),
        ("Damaged", &history),
        ("Not taken from the new version, because both changed it", &restored.conflicts),
        ("New defaults", &restored.arrived),
    ];
    for (title, lines) in lists.iter().filter(|(_, lines)| !lines.is_empty()) {
        text.push_str(&format!("{title}:\n"));
        lines.iter().take(500).for_each(|line| text.push_str(&format!("  {line}\n")));
        if lines.len() > 500 {
            text.push_str(&format!("  and {} more\n", lines.len().saturating_sub(500)));
        }
    }
    report.text(text)
}
