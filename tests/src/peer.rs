//! makedumpfile, built outside the project, as the peer that our dumps are held against. `ESOS_PEER` names the
//! program: 1.7.9 or newer, with zstd, lzo and snappy.
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program, or why there is none.
///
/// # Errors
/// In words, for [`crate::skip`].
pub fn find() -> Result<PathBuf, String> {
    let path = std::env::var_os("ESOS_PEER").map(PathBuf::from);
    let path = path.ok_or("ESOS_PEER names no makedumpfile (1.7.9 or newer, with zstd, lzo and snappy)")?;
    if path.is_file() { Ok(path) } else { Err(format!("ESOS_PEER: {} is no file", path.display())) }
}

/// Runs it to its end.
///
/// # Errors
/// In words, with what it said, where its status is not 0.
pub fn run(peer: &Path, args: &[&str]) -> Result<Output, String> {
    let out = Command::new(peer).args(args).env("LC_ALL", "C").output().map_err(|e| e.to_string())?;
    if out.status.success() {
        return Ok(out);
    }
    let said = [&out.stdout[..], &out.stderr[..]].map(String::from_utf8_lossy).concat();
    Err(format!("makedumpfile {args:?} ended with {}: {said}", out.status))
}

/// The second bitmap of a kdump-compressed file, read by nothing of ours: which page frames it has.
///
/// # Errors
/// Where the file is shorter than its header says.
pub fn second_bitmap(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let number = |at| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at).map(|()| u64::from(u32::from_le_bytes(bytes)))
    };
    let (block, second, bitmaps) = (number(428)?, number(432)?, number(436)?);
    let half = bitmaps / 2 * block;
    let mut frames = [0; 8];
    file.read_exact_at(&mut frames, block + 96)?;
    let mut bits = vec![0; usize::try_from(half).map_err(io::Error::other)?];
    file.read_exact_at(&mut bits, (1 + second) * block + half)?;
    bits.truncate(usize::try_from(u64::from_le_bytes(frames).div_ceil(8)).map_err(io::Error::other)?);
    Ok(bits)
}

/// Moves the program headers of a core to where makedumpfile looks for them: it believes that they follow the
/// ELF header, and QEMU since 7.2 puts a section header between. Gives the bytes that were there before, to be
/// written back.
///
/// # Errors
/// Where the file cannot be changed.
pub fn straighten(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut before = vec![0; 4096];
    file.read_exact_at(&mut before, 0)?;
    let number = |at: usize, len: usize| {
        before.get(at..at + len).unwrap_or_default().iter().rev().fold(0, |n, b| n << 8 | usize::from(*b))
    };
    let (table, length) = (number(32, 8), number(54, 2) * number(56, 2));
    let Some(headers) = before.get(table..table + length).filter(|_| table != 64) else { return Ok(before) };
    file.write_all_at(headers, 64)?;
    // e_phoff; e_shoff, e_shnum and e_shstrndx of sections that are no more.
    file.write_all_at(&64_u64.to_le_bytes(), 32)?;
    file.write_all_at(&[0; 8], 40)?;
    file.write_all_at(&64_u16.to_le_bytes(), 52)?;
    file.write_all_at(&[0; 4], 60)?;
    Ok(before)
}
