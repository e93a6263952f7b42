//! DRBD's lines in the kernel's log.
use serde::Serialize;

/// What a log tells of a split brain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct LogFacts {
    /// Whether DRBD found that both sides were written, and gave up.
    pub split_brain: bool,
    /// The last comparison of both sides.
    pub handshake: Option<Handshake>,
    /// Helpers with their exit codes, in order.
    pub helpers: Vec<(String, i32)>,
    /// Lines that were read.
    pub lines: usize,
}

/// What both sides said of themselves when they met; a bit is 4 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Handshake {
    /// This side's current generation.
    pub own: String,
    /// This side's blocks that the other has not got.
    pub own_bits: u64,
    /// The peer's current generation.
    pub peer: String,
    /// The peer's blocks that this side has not got.
    pub peer_bits: u64,
}

pub(crate) fn facts(text: &str) -> LogFacts {
    let mut out = LogFacts { lines: text.lines().count(), ..LogFacts::default() };
    let mut own: Option<(String, u64)> = None;
    for line in text.lines() {
        out.split_brain |= line.contains("Split-Brain detected but unresolved");
        if let Some((_, rest)) = line.split_once("self ") {
            own = side(rest);
        } else if let Some((_, rest)) = line.split_once("peer ")
            && let (Some((own, own_bits)), Some((peer, peer_bits))) = (own.clone(), side(rest))
        {
            out.handshake = Some(Handshake { own, own_bits, peer, peer_bits });
        }
        if let Some((_, rest)) = line.split_once("helper command: ")
            && let Some((command, code)) = rest.split_once(" exit code ")
        {
            let code = code.split(' ').next().and_then(|c| c.parse().ok());
            if let (Some(helper), Some(code)) = (command.split(' ').nth(1), code) {
                out.helpers.push((helper.to_owned(), code));
            }
        }
    }
    out
}

/// `B57F967ED4430FD5:…:… bits:10 flags:0`.
fn side(text: &str) -> Option<(String, u64)> {
    let (ids, rest) = text.split_once(" bits:")?;
    let current = ids.split(':').next().filter(|c| c.len() == 16)?;
    Some((current.to_owned(), rest.split(' ').next()?.parse().ok()?))
}
