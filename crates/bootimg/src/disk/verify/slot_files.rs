//! The files of a slot.
use super::Verification;
use crate::disk::bytes::{hex, wide};
use crate::disk::description::Description;
use crate::disk::gpt::Table;
use crate::disk::inspect::{region, sums_of, text};
use crate::disk::slot::FileSum;
use crate::disk::squashfs::{File, Image, ReadSquashError};
use esos_layout::Slot;
use esos_layout::frames::Index;
use esos_layout::slot::{
    BOOT_CHECK, BOOT_SUMS, DEBUG_BOOT_CHECK, DEBUG_BOOT_SUMS, DESCRIPTION, INITRAMFS, KERNEL, ROOT,
    ROOT_INDEX, SUMS, VERSION,
};
use esos_layout::state::SlotState;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

/// Checks one slot; one whose state is `none` may hold anything.
pub(super) fn check<R: Read + Seek>(
    disk: &mut R,
    table: &Table,
    slot: Slot,
    state: SlotState,
    out: &mut Verification,
    progress: &mut dyn FnMut(u64),
) {
    let name = slot.partition();
    let Some(mut area) = region(disk, table, name) else {
        return out.add(name, None, "there is no such partition");
    };
    let image = match Image::open(&mut area) {
        Ok(image) => image,
        Err(_) if state == SlotState::None => return,
        Err(error @ ReadSquashError::None { .. }) => {
            return out.add(name, None, format!("the control record says {state}, but {error}"));
        }
        Err(error) => return out.add(name, None, error),
    };
    if state == SlotState::None {
        return;
    }
    let Some(sums) = text(&image, &mut area, SUMS) else {
        return out.add(name, Some(SUMS), "it is not there, or is no text");
    };
    let sums: BTreeMap<&str, &str> = sums_of(&sums).map(|(sum, name)| (name, sum)).collect();
    for needed in [KERNEL, INITRAMFS, VERSION, BOOT_SUMS, BOOT_CHECK, DESCRIPTION] {
        if image.file(needed).is_none() {
            out.add(name, Some(needed), "it is not there");
        }
    }
    for file in sums.keys().filter(|f| image.file(f).is_none()) {
        out.add(name, Some(file), format!("{SUMS} lists it, but it is not there"));
    }
    let index = text(&image, &mut area, ROOT_INDEX).map(|t| t.parse::<Index>());
    if let Some(Err(error)) = &index {
        out.add(name, Some(ROOT_INDEX), error);
    }
    let mut computed = Vec::new();
    for file in image.files().iter().filter(|f| f.name != SUMS) {
        let frames = match &index {
            Some(Ok(index)) if file.name == ROOT => index.clone(),
            _ => Index::default(),
        };
        match hash(file, &mut area, &frames, out, progress) {
            Err(error) => out.add(name, Some(&file.name), format!("cannot be read: {error}")),
            Ok((found, damaged)) => {
                for what in damaged {
                    out.add(name, Some(&file.name), what);
                }
                computed.push(FileSum { name: file.name.clone(), bytes: file.len, sha256: found.clone() });
                match sums.get(&file.name[..]) {
                    None => out.add(name, Some(&file.name), format!("{SUMS} does not list it")),
                    Some(sum) if *sum != found => {
                        out.add(name, Some(&file.name), format!("SHA-256 {found}, expected {sum}"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    if let Some(description) = text(&image, &mut area, DESCRIPTION) {
        let described = Description::parse(description.as_bytes());
        match described.and_then(|d| d.compare(&computed).map(|()| d)) {
            Err(error) => out.add(name, Some(DESCRIPTION), error),
            Ok(described) => {
                let version = text(&image, &mut area, VERSION).unwrap_or_default();
                if described.version != version.trim_end() {
                    let what = format!("it describes version {}", described.version);
                    out.add(name, Some(DESCRIPTION), what);
                }
            }
        }
    }
    for list in [BOOT_SUMS, BOOT_CHECK, DEBUG_BOOT_SUMS, DEBUG_BOOT_CHECK] {
        let text = text(&image, &mut area, list).unwrap_or_default();
        for (sum, file) in sums_of(&text).filter(|(sum, file)| sums.get(file) != Some(sum)) {
            out.add(name, Some(list), format!("it expects {sum} of {file}, {SUMS} does not"));
        }
    }
}

/// The hash of a file, and the frames in it that do not match the index; read once.
fn hash<R: Read + Seek>(
    file: &File,
    area: &mut R,
    index: &Index,
    out: &mut Verification,
    progress: &mut dyn FnMut(u64),
) -> io::Result<(String, Vec<String>)> {
    let mut whole = Sha256::new();
    let mut damaged = Vec::new();
    let mut reader = file.reader(area);
    let mut chunk = vec![0; 1 << 20];
    let mut eat = |reader: &mut dyn Read, hashes: &mut [&mut Sha256]| -> io::Result<u64> {
        let mut total = 0u64;
        loop {
            let n = match reader.read(&mut chunk) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let Some(bytes) = chunk.get(..n).filter(|b| !b.is_empty()) else { return Ok(total) };
            hashes.iter_mut().for_each(|hash| hash.update(bytes));
            total = total.saturating_add(wide(n));
            out.hashed_bytes = out.hashed_bytes.saturating_add(wide(n));
            progress(out.hashed_bytes);
        }
    };
    for (offset, frame) in index.with_offsets() {
        let mut own = Sha256::new();
        let len = eat(&mut (&mut reader).take(frame.packed), &mut [&mut whole, &mut own])?;
        let found: [u8; 32] = own.finalize().into();
        if len != frame.packed || found != frame.sha256 {
            let expected = hex(&frame.sha256);
            damaged.push(format!(
                "frame `{}` at byte {offset}: SHA-256 {}, expected {expected}",
                frame.name,
                hex(&found)
            ));
        }
    }
    let behind = eat(&mut reader, &mut [&mut whole])?;
    if !index.frames.is_empty() && behind > 0 {
        damaged.push(format!("{behind} bytes behind the last frame of its index"));
    }
    out.files = out.files.saturating_add(1);
    out.frames = out.frames.saturating_add(index.frames.len());
    Ok((hex(&whole.finalize()), damaged))
}
