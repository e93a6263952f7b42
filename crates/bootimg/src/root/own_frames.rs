//! Frames of our own files.
use super::build::Own;
use super::cache::Cache;
use super::decide::hex;
use super::frame::{FrameWriter, SPLIT};
use super::pack::{Packed, copy_frames, read_index, write_index};
use crate::deb::tar;
use esos_layout::frames::{Frame, Index};
use sha2::{Digest, Sha256};
use std::io;

/// The files (directories have a frame of their own) in runs of the length of a frame, at least one run.
fn runs(own: &[Own]) -> Vec<Vec<&Own>> {
    let mut runs = vec![Vec::new()];
    let mut bytes = 0u64;
    for item in own.iter().filter(|o| !o.entry.kind.is_dir()) {
        if bytes >= SPLIT {
            runs.push(Vec::new());
            bytes = 0;
        }
        bytes = bytes.saturating_add(item.entry.kind.size());
        runs.last_mut().into_iter().for_each(|run| run.push(item));
    }
    runs
}

/// Packs our own files, in their order; what an earlier build packed comes from the cache.
pub(super) fn pack(own: &[Own], level: i32, cache: &dyn Cache) -> io::Result<(Vec<u8>, Vec<Frame>)> {
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    for (n, run) in runs(own).into_iter().enumerate() {
        let name = if n == 0 { "<esos>".to_owned() } else { format!("<esos>+{n}") };
        let packed = one(&run, &name, level, cache, &mut bytes)?;
        frames.extend(packed.index.frames);
    }
    Ok((bytes, frames))
}

/// Everything that the frame depends on.
fn key(run: &[&Own], name: &str, level: i32) -> String {
    let mut hash = Sha256::new();
    let zstd = zstd::zstd_safe::version_number();
    hash.update(format!("{} {level} {zstd} {name}\n", super::FORMAT));
    for own in run {
        // A header tells how long the content is, so no two runs are the same bytes.
        hash.update(tar::encode(&own.entry));
        hash.update(&own.bytes);
    }
    format!("own-{}.frames", hex(&hash.finalize()))
}

fn one(run: &[&Own], name: &str, level: i32, cache: &dyn Cache, out: &mut Vec<u8>) -> io::Result<Packed> {
    let key = key(run, name, level);
    let begin = out.len();
    if let Some(mut object) = cache.open(&key)?
        && let Some(index) = read_index(&mut *object).ok().flatten()
    {
        if copy_frames(&mut *object, &index, out).is_ok_and(|copied| copied.is_ok()) {
            return Ok(Packed { key, index, cached: true });
        }
        // It was damaged, and is made anew.
        out.truncate(begin);
    }
    let mut frame = FrameWriter::new(&mut *out, level);
    for own in run {
        frame.entry(&own.entry, &mut &*own.bytes)?;
    }
    let (_, frame) = frame.finish(name)?;
    let index = Index { frames: vec![frame] };
    let mut draft = cache.create()?;
    draft.write_all(out.get(begin..).unwrap_or_default())?;
    write_index(&mut draft, &index)?;
    draft.commit(&key)?;
    Ok(Packed { key, index, cached: false })
}
