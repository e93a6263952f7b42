//! Who has a file open for writing.
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Device and inode of a file.
pub(crate) type Key = (u64, u64);

/// Names and numbers of processes that have files open for writing, by file. Processes that may not be looked at are
/// not seen: the box's own tool runs as root and sees all.
pub(crate) fn holders() -> BTreeMap<Key, Vec<(i32, String)>> {
    let mut found: BTreeMap<Key, Vec<(i32, String)>> = BTreeMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        if u32::try_from(pid) == Ok(std::process::id()) {
            continue;
        }
        for fd in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(meta) = fs::metadata(fd.path()) else { continue };
            if !meta.is_file() || !writes(&process.path().join("fdinfo").join(fd.file_name())) {
                continue;
            }
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.entry((meta.dev(), meta.ino())).or_default().push((pid, name.trim().to_owned()));
        }
    }
    found
}

/// `flags:` of `/proc/PID/fdinfo/N` is octal; its lowest two bits are the access mode (open(2)).
fn writes(info: &std::path::Path) -> bool {
    let text = fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|l| l.strip_prefix("flags:")).map(str::trim);
    flags.and_then(|f| u64::from_str_radix(f, 8).ok()).is_none_or(|f| f & 3 != 0)
}
