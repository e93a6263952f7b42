//! Small outputs, and telling kinds apart.
use super::Kind;
use crate::failure;
use crate::model::Version;
use crate::words::Role;
use esos_diag::ParseError;

pub(crate) fn recognise(text: &str) -> Option<Kind> {
    let mut lines = text.lines().filter(|l| !l.trim().is_empty());
    let Some(first) = lines.next() else { return Some(Kind::Empty) };
    let line = first.trim();
    let word = line.split_ascii_whitespace().next().unwrap_or("");
    if failure::is_failure(text) {
        return Some(Kind::Error);
    }
    if line.starts_with(['[', '{']) && !line.contains("drbd ") && !line.contains("block drbd") {
        let show = text.contains("\"resource\"") && text.contains("\"_this_host\"");
        return Some(if show { Kind::ShowJson } else { Kind::StatusJson });
    }
    if line.starts_with('<') {
        return Some(Kind::DumpXml);
    }
    if word == "version:" {
        return Some(Kind::Proc);
    }
    if line.starts_with("DRBD") && line.contains('=') {
        return Some(Kind::Version);
    }
    if text.lines().any(is_event) {
        return Some(Kind::Events2);
    }
    if line.split(':').next().is_some_and(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Some(Kind::GetGi);
    }
    if text.lines().any(|l| l.contains(" drbd ") || l.contains("block drbd") || l.starts_with("drbd "))
        && text.contains('(')
    {
        return Some(Kind::Log);
    }
    if matches!(word, "drbdsetup" | "drbdmeta") || word.starts_with("drbdsetup-") {
        return Some(Kind::Commands);
    }
    let block = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).unwrap_or("");
    let keyword = block.split([' ', '\t', '{', '"']).next().unwrap_or("");
    if matches!(keyword, "resource" | "common" | "global" | "include" | "skip") {
        return Some(Kind::Config);
    }
    let roles = line.split('/').all(|w| Role::from_word(w).is_known());
    if roles {
        return Some(Kind::RoleCstateDstate);
    }
    if line.split_ascii_whitespace().skip(1).any(|w| w.starts_with("role:"))
        || text.lines().any(|l| l.starts_with("  ") && l.trim_start().starts_with("disk:"))
    {
        return Some(Kind::Status);
    }
    if ["meta data", "USAGE:", "bitmap", "activity log"].iter().any(|t| text.contains(t)) {
        return Some(Kind::Message);
    }
    let name = |l: &str| {
        l.split_ascii_whitespace()
            .all(|w| w.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)))
    };
    (text.lines().all(name) && text.ends_with('\n')).then_some(Kind::Names)
}

/// `[TIME] ACTION OBJECT …`.
fn is_event(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let mut word = words.next().unwrap_or("");
    if word.contains('T') && word.starts_with(|c: char| c.is_ascii_digit()) {
        word = words.next().unwrap_or("");
    }
    let action = matches!(word, "exists" | "create" | "change" | "rename" | "destroy" | "call" | "response");
    let object = words.next().unwrap_or("");
    action
        && (object == "-"
            || matches!(object, "resource" | "device" | "connection" | "peer-device" | "path" | "helper"))
}

/// `drbdadm --version`: `NAME=value` lines. The kernel's version stands in a code where no text names it.
pub(crate) fn version(origin: &str, text: &str) -> Result<Version, ParseError> {
    let mut out = Version::default();
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim();
        if line.is_empty() {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(ParseError::at(origin, text, start, "`NAME=value`"));
        };
        match key {
            "DRBD_KERNEL_VERSION" => out.module = Some(value.to_owned()),
            "DRBD_KERNEL_VERSION_CODE" if out.module.is_none() => out.module = decoded(value),
            "DRBDADM_VERSION" => out.utils = Some(value.to_owned()),
            _ => drop(out.extra.insert(key.to_owned(), value.to_owned())),
        }
    }
    if out.utils.is_none() {
        return Err(ParseError::truncated(origin, text, "`DRBDADM_VERSION=`"));
    }
    Ok(out)
}

/// `0x08040b` is 8.4.11; `0x000000` is no module.
fn decoded(code: &str) -> Option<String> {
    let n = u32::from_str_radix(code.trim_start_matches("0x"), 16).ok().filter(|n| *n != 0)?;
    Some(format!("{}.{}.{}", (n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff))
}

pub(crate) fn commands(origin: &str, text: &str) -> Result<Vec<Vec<String>>, ParseError> {
    let mut out = Vec::new();
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let words: Vec<String> = raw.split_ascii_whitespace().map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            None => {}
            Some(w) if w.starts_with("drbd") => out.push(words),
            Some(_) => return Err(ParseError::at(origin, text, start, "a command of drbdsetup or drbdmeta")),
        }
    }
    Ok(out)
}
