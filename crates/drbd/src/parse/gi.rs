//! `drbdadm get-gi`: generation identifiers.
use crate::attrs::Notes;
use esos_diag::ParseError;
use serde::Serialize;

/// The generation identifiers of one volume (8.4), or of one volume for one peer (9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Identifiers {
    /// The current data generation, 16 hexadecimal digits; the lowest bit is set on a Primary.
    pub current: String,
    /// The generation when the peer was lost; zeros where nothing is owed to it.
    pub bitmap: String,
    /// Older generations, newest first.
    pub history: Vec<String>,
    /// Consistent.
    pub consistent: bool,
    /// Was UpToDate.
    pub was_up_to_date: bool,
    /// Was Primary.
    pub primary: bool,
    /// Was connected.
    pub connected: bool,
    /// A full resync is owed.
    pub full_sync: bool,
    /// Was told that it is outdated, and later flags.
    pub further_flags: Vec<bool>,
}

impl Identifiers {
    /// Whether changes are noted that the peer has not got.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.bitmap.chars().any(|c| c != '0')
    }
}

pub(crate) fn identifiers(origin: &str, text: &str, notes: &mut Notes) -> Result<Identifiers, ParseError> {
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("").trim();
    let mut ids = Vec::new();
    let mut flags = Vec::new();
    for part in line.split(':') {
        let at = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let wrong = |what: &str| Err(ParseError::at(origin, text, at, what.to_owned()));
        match part {
            "0" | "1" => flags.push(part == "1"),
            id if id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) && flags.is_empty() => {
                ids.push(id.to_owned());
            }
            _ if flags.is_empty() => return wrong("a generation of 16 hexadecimal digits, or a flag"),
            _ => return wrong("a flag, 0 or 1"),
        }
    }
    let [current, bitmap, history @ ..] = ids.as_slice() else {
        return Err(ParseError::at(origin, text, 0, "two generations of 16 hexadecimal digits or more"));
    };
    let [consistent, was_up_to_date, primary, connected, full_sync, further @ ..] = flags.as_slice() else {
        return Err(ParseError::truncated(origin, text, "five flags or more"));
    };
    if text.lines().filter(|l| !l.trim().is_empty()).count() > 1 {
        notes.warn("only the first line of identifiers was read");
    }
    Ok(Identifiers {
        current: current.clone(),
        bitmap: bitmap.clone(),
        history: history.to_vec(),
        consistent: *consistent,
        was_up_to_date: *was_up_to_date,
        primary: *primary,
        connected: *connected,
        full_sync: *full_sync,
        further_flags: further.to_vec(),
    })
}
