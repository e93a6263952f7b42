//! The boot partition made anew: for other sectors, or with more files.
use crate::disk::bytes::{hex, read_at, u32_at};
use crate::disk::fat::{Entry, Fat, FatFile, FatImage, Place, ReadFatError};
use crate::disk::gpt::SectorSize;
use crate::tool::Tool;
use esos_layout::part;
use esos_layout::state::CONTROL_FILES;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Seek};

/// Every file of a boot partition, in the order in which they lie there, with tools beside them.
pub(super) fn image<R: Read + Seek>(
    mut esp: R,
    sector: SectorSize,
    len: u64,
    hidden: u64,
    tools: &[Tool],
    time: u32,
) -> Result<FatImage, ReadFatError> {
    let io = |at| move |source: io::Error| ReadFatError::Io { at, source };
    let serial = u32_at(&read_at(&mut esp, 67, 4).map_err(io(67))?, 0).unwrap_or(0);
    let mut fat = Fat::open(esp)?;
    let label = fat.label().to_owned();
    let mut entries: Vec<Entry> = Vec::new();
    for entry in fat.walk() {
        entries.push(entry?);
    }
    entries.retain(|e| !e.directory);
    let old_tool = |e: &Entry| e.path.starts_with(&format!("{}/", part::TOOL_DIR));
    entries.retain(|e| tools.is_empty() || !old_tool(e));
    entries.sort_by_key(|e| e.extents.first().map_or(u64::MAX, |x| x.start));
    let last_control = format!("{}/{}", part::STATE_DIR, CONTROL_FILES[1]);
    let mut files = Vec::new();
    let mut beyond = None;
    for entry in entries {
        let content = fat.read(&entry.path)?;
        if entry.path == last_control {
            beyond = Some(FatFile { path: entry.path, content, place: Place::Beyond(8 << 20) });
        } else {
            files.push(FatFile { path: entry.path, content, place: Place::Next });
        }
    }
    let label = if as_stick(&mut files) { part::BOOT.to_owned() } else { label };
    if !tools.is_empty() {
        let line = |name: &str, bytes: &[u8]| format!("{}  {name}\n", hex(&Sha256::digest(bytes)));
        let list: String = tools.iter().map(|t| line(&t.name, &t.bytes)).collect();
        let mut added: Vec<(String, Vec<u8>)> =
            tools.iter().map(|t| (format!("{}/{}", part::TOOL_DIR, t.name), t.bytes.clone())).collect();
        added.push((part::TOOL_SUMS.to_owned(), list.into_bytes()));
        if let Some(sums) = files.iter_mut().find(|f| f.path == part::BOOT_SUMS) {
            let kept = String::from_utf8_lossy(&sums.content).into_owned();
            let kept = kept.lines().filter(|l| !l.contains(part::TOOL_DIR));
            let mut text: String = kept.map(|l| format!("{l}\n")).collect();
            text.extend(added.iter().map(|(path, bytes)| line(path, bytes)));
            sums.content = text.into_bytes();
        }
        files.extend(added.into_iter().map(|(path, content)| FatFile { path, content, place: Place::Next }));
    }
    files.extend(beyond);
    Ok(FatImage { label, serial, sector, len, hidden: u32::try_from(hidden).unwrap_or(0), time, files })
}

/// An ISO's menu gives way to that of a stick, and so do the sums; whether it is an ISO's.
fn as_stick(files: &mut Vec<FatFile>) -> bool {
    let mut take = |path: &str| {
        let at = files.iter().position(|f| f.path == path)?;
        Some(files.remove(at).content)
    };
    let (Some(menu), Some(sums)) = (take(part::STICK_GRUB_CFG), take(part::STICK_SUMS)) else { return false };
    for file in files {
        match file.path.as_str() {
            part::GRUB_CFG | part::GRUB_CFG_COPY => file.content.clone_from(&menu),
            part::BOOT_SUMS => file.content.clone_from(&sums),
            _ => {}
        }
    }
    true
}
