//! Whether a medium has the room that it says.
use crate::disk::Medium;
use crate::disk::bytes::wide;
use sha2::{Digest, Sha256};
use std::io;

/// What a medium that lies gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lie {
    /// The first place that does not hold what was written there.
    pub(super) at: u64,
    /// The place whose mark stands there instead, where it is one.
    pub(super) holds: Option<u64>,
}

const MARK: usize = 4096;

/// Writes a mark at some places all over the medium, the last sectors among them, and reads all of them
/// back once all are written: a medium that is smaller than it says has dropped some or written them
/// over others.
pub(super) fn find_lie(medium: &dyn Medium, nonce: &[u8]) -> io::Result<Option<Lie>> {
    let places = places(medium.len());
    for at in &places {
        medium.write_at(&mark(nonce, *at), *at)?;
    }
    medium.flush()?;
    let mut found = vec![0; MARK];
    for at in &places {
        medium.read_at(&mut found, *at)?;
        if found != mark(nonce, *at) {
            let holds = places.iter().copied().find(|other| found == mark(nonce, *other));
            return Ok(Some(Lie { at: *at, holds }));
        }
    }
    Ok(None)
}

/// Ever finer towards the beginning, where small media wrap around, and evenly over the whole.
fn places(len: u64) -> Vec<u64> {
    let last = (len / wide(MARK)).saturating_sub(1).saturating_mul(wide(MARK));
    let mut places: Vec<u64> = (0..64u64).map(|n| last / 64 * n).chain([last]).collect();
    let mut power = 1u64 << 20;
    while power < last {
        places.push(power);
        power = power.saturating_mul(2);
    }
    for place in &mut places {
        *place = *place / wide(MARK) * wide(MARK);
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// Bytes that stand nowhere else.
fn mark(nonce: &[u8], at: u64) -> Vec<u8> {
    let seed = Sha256::new().chain_update(nonce).chain_update(at.to_le_bytes()).finalize();
    seed.iter().copied().cycle().take(MARK).collect()
}
