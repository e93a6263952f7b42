//! What was restored, from when, and what is different: the same words on the console, in `esos status` and in the
//! mail.
use crate::case::time;
use esos_confsync::Passed;
use esos_confsync::restore::Restored;

/// Which configuration the box has.
pub(crate) fn headline(restored: &Restored) -> String {
    match (restored.generation, &restored.problem) {
        (Some(id), _) => {
            let newer = if restored.of_newer { ", a newer version: there is no older one" } else { "" };
            format!("@{id} of {} (ESOS {}{newer})", time(restored.made), restored.version)
        }
        (None, Some(_)) => "nothing: the box has the image's own defaults".to_owned(),
        (None, None) => {
            "nothing, there is no configuration on the stick yet: the box has the image's own defaults"
                .to_owned()
        }
    }
}

/// That a generation was passed over, and why.
pub(crate) fn why(passed: &Passed) -> String {
    let made = passed.made.map(|at| format!(" of {}", time(at))).unwrap_or_default();
    let version = passed.version.as_ref().map(|v| format!(" (ESOS {v})")).unwrap_or_default();
    format!("@{}{made}{version} was not restored: {}", passed.id, passed.why)
}

/// What the box does not have of the generations that were passed over, the newest first; at most so many paths of
/// each.
pub(crate) fn passed(restored: &Restored, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for passed in restored.passed.iter().rev() {
        lines.push(format!("{}; {}", why(passed), differs(passed)));
        let paths = passed.differs.as_deref().unwrap_or_default();
        lines.extend(paths.iter().take(most).map(|path| format!("  {path}")));
        if paths.len() > most {
            lines.push(format!("  and {} more", paths.len().saturating_sub(most)));
        }
    }
    lines
}

/// The same of one, in one line.
pub(crate) fn short(passed: &Passed) -> String {
    let paths = passed.differs.as_deref().unwrap_or_default();
    let first: Vec<&str> = paths.iter().take(3).map(String::as_str).collect();
    let more = if paths.len() > first.len() { ", ..." } else { "" };
    let list = if first.is_empty() { String::new() } else { format!(" ({}{more})", first.join(", ")) };
    format!("{}; {}{list}", why(passed), differs(passed))
}

fn differs(passed: &Passed) -> String {
    match passed.differs.as_deref() {
        None => "what is different in it cannot be read any more".to_owned(),
        Some([]) => "nothing is different in it".to_owned(),
        Some(paths) => format!("different in it: {}", paths.len()),
    }
}

/// What of the store is damaged and was not passed over: history.
pub(crate) fn history(restored: &Restored) -> impl Iterator<Item = &String> {
    restored.damaged.iter().filter(|damage| {
        !restored.passed.iter().any(|p| {
            p.damaged && (**damage == p.why || **damage == format!("generation @{}: {}", p.id, p.why))
        })
    })
}
