//! One file: a backup of the original, or an export of ours, encrypted or not.
use crate::import::{Taken, stick};
use esos_cli::{Exit, Failure, OrExit};
use esos_confsync::{BoxPath, Node, NodeKind, Opener, is_sealed};
use esos_hostfs::TempDir;
use esos_units::Secret;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use tar::EntryType;

/// How far an archive can be nested: age in nothing, gzip or zstd in age.
fn open(path: &Path, secret: Option<&Secret>) -> Result<Box<dyn Read>, Failure> {
    let mut file = BufReader::new(File::open(path)?);
    let start = file.fill_buf()?.to_vec();
    let plain: Box<dyn Read> = if is_sealed(&start) {
        let Some(secret) = secret else {
            return Err(Failure::new(Exit::Refused, format!("{} is encrypted", path.display()))
                .code("conf::passphrase")
                .help("give the passphrase with --passphrase-file FILE (`-` is standard input)"));
        };
        Box::new(
            Opener::new(file, secret.expose())
                .or_exit(Exit::Invalid)
                .map_err(|e| e.code("conf::passphrase"))?,
        )
    } else {
        Box::new(file)
    };
    let mut plain = BufReader::new(plain);
    let start = plain.fill_buf()?.to_vec();
    Ok(match start.get(..4) {
        Some([0x1f, 0x8b, ..]) => Box::new(flate2::bufread::MultiGzDecoder::new(plain)),
        Some([0x28, 0xb5, 0x2f, 0xfd]) => Box::new(zstd::stream::read::Decoder::with_buffer(plain)?),
        _ => Box::new(plain),
    })
}

pub(crate) fn take(path: &Path, secret: Option<Secret>, taken: &mut Taken<'_, '_>) -> Result<(), Failure> {
    // Where there is a git repository in it, that goes to a directory first: it is read in no order.
    let scratch = TempDir::new("import")?;
    let mut tar = tar::Archive::new(open(path, secret.as_ref())?);
    let mut original = false;
    let mut last = String::from("its beginning");
    let entries = tar.entries()?;
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                taken
                    .missing
                    .push(format!("everything after {last}: the archive is cut off or damaged ({e})"));
                break;
            }
        };
        let name = entry.path_bytes().into_owned();
        last = String::from_utf8_lossy(&name).into_owned();
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let Some(whole) = BoxPath::new(&name) else {
            taken.missing.push(format!("{last}: a name that leads elsewhere"));
            continue;
        };
        if let Some(below) = after(&whole, "etckeeper.git") {
            original = true;
            keep(&scratch.path().join("etckeeper.git"), &below, &mut entry)?;
            continue;
        }
        let place = match after(&whole, "rsync_dirs") {
            Some(below) => {
                original = true;
                below
            }
            None => whole,
        };
        if let Err(e) = one(&place, &mut entry, taken) {
            taken.missing.push(format!("{place}: {}", e.message()));
        }
    }
    if original {
        let files = scratch.path().join("rsync_dirs");
        // The files themselves are taken in already; an empty directory stands for them.
        fs::create_dir_all(&files)?;
        stick(scratch.path(), taken)?;
    }
    Ok(())
}

/// What follows a directory of that name.
fn after(path: &BoxPath, dir: &str) -> Option<BoxPath> {
    let text = path.as_bytes();
    let word = format!("/{dir}");
    let at = text.windows(word.len()).position(|w| w == word.as_bytes())?;
    let rest = text.get(at.checked_add(word.len())?..)?;
    if rest.is_empty() || rest.starts_with(b"/") { BoxPath::new(rest) } else { None }
}

fn keep(base: &Path, below: &BoxPath, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), Failure> {
    use std::os::unix::ffi::OsStrExt;
    let place =
        base.join(std::ffi::OsStr::from_bytes(below.as_bytes().strip_prefix(b"/").unwrap_or_default()));
    match entry.header().entry_type() {
        EntryType::Directory => fs::create_dir_all(&place)?,
        EntryType::Regular | EntryType::Continuous => {
            fs::create_dir_all(place.parent().unwrap_or(base))?;
            let copied = io::copy(entry, &mut File::create(&place)?);
            // Half an object is noticed when it is read.
            drop(copied);
        }
        _ => {}
    }
    Ok(())
}

fn one(
    path: &BoxPath,
    entry: &mut tar::Entry<'_, impl Read>,
    taken: &mut Taken<'_, '_>,
) -> Result<(), Failure> {
    if path.split().is_none() {
        return Ok(());
    }
    let header = entry.header();
    let number = |n: io::Result<u64>| n.ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let (mode, uid, gid) =
        (header.mode().unwrap_or(0o600) & 0o7777, number(header.uid()), number(header.gid()));
    let mut mtime = (i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0), 0);
    let kind = header.entry_type();
    if let Ok(Some(extensions)) = entry.pax_extensions() {
        let text = extensions
            .flatten()
            .find(|e| e.key() == Ok("mtime"))
            .and_then(|e| e.value().ok().map(str::to_owned));
        if let Some((seconds, nanos)) = text.as_deref().and_then(|t| t.split_once('.')) {
            let nanos = format!("{nanos:0<9}");
            mtime = (
                seconds.parse().unwrap_or(mtime.0),
                nanos.get(..9).and_then(|n| n.parse().ok()).unwrap_or(0),
            );
        }
    }
    let node = |kind| Node { kind, mode, uid, gid, mtime: (0, 0) };
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
    match (kind, target) {
        (EntryType::Directory, _) => taken.add(path, node(NodeKind::Dir)),
        (EntryType::Symlink, Some(target)) => {
            taken.add(path, Node { mode: 0o777, ..node(NodeKind::Link(target)) });
        }
        (EntryType::Link, Some(target)) => {
            let first = BoxPath::new(&target).map(|t| after(&t, "rsync_dirs").unwrap_or(t));
            if !first.is_some_and(|first| taken.intake.same(path, &first)) {
                taken.missing.push(format!("{path}: the file that it is another name of is missing"));
            }
        }
        (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse, _) => {
            taken.file(path, &Node { mtime, ..node(NodeKind::Dir) }, entry)?;
        }
        _ => taken.missing.push(format!("{path}: a device, socket or pipe")),
    }
    Ok(())
}
