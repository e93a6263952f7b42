//! What goes into a bundle.
use esos_cli::Failure;
use esos_exec::{Cmd, ExecError, HostRunner, Runner};
use esos_logarchive::{LearnKind, Redactor, allow, learn_from};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of a longer log its end is taken.
const LONGEST: u64 = 4 << 20;
/// A longer file holds no settings.
const LEARN: u64 = 256 << 10;
/// Directories in which no secrets are looked for: texts that are the same on every box.
const SAME: &[&str] = &[
    "etc/pam.d",
    "etc/ssl/certs",
    "etc/ca-certificates",
    "etc/init.d",
    "etc/rc0.d",
    "etc/rc6.d",
    "etc/security",
    "etc/alternatives",
];

/// Commands whose output says what the box does; only on the box itself.
const COMMANDS: &[&[&str]] = &[
    &["/usr/bin/dmesg", "-T"],
    &["/usr/bin/lsblk", "-O", "--json"],
    &["/usr/bin/lspci", "-nnk"],
    &["/usr/bin/lsusb"],
    &["/usr/bin/lsscsi", "-gis"],
    &["/usr/sbin/ip", "-s", "address"],
    &["/usr/sbin/ip", "route", "show", "table", "all"],
    &["/usr/bin/ps", "-eo", "pid,ppid,user,stat,etime,rss,comm"],
    &["/usr/bin/df", "-a"],
    &["/usr/bin/uptime"],
    &["/usr/bin/last", "-n", "50"],
    &["/usr/sbin/pvs"],
    &["/usr/sbin/vgs"],
    &["/usr/sbin/lvs", "-a"],
    &["/usr/sbin/mdadm", "--detail", "--scan", "--verbose"],
    &["/usr/sbin/multipath", "-ll"],
    &["/usr/sbin/drbdadm", "status"],
    &["/usr/sbin/crm_mon", "-1", "-r"],
    &["/usr/bin/chronyc", "-n", "tracking"],
    &["/usr/sbin/smartctl", "--scan"],
    &["/usr/sbin/esos", "status", "--json"],
    &["/usr/sbin/esos", "doctor", "--json"],
];

/// One text of a bundle.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Only the end of it is there.
    pub(crate) cut: bool,
}

/// Something that is not in it.
#[derive(serde::Serialize)]
pub(crate) struct Left {
    pub(crate) path: String,
    pub(crate) why: String,
}

/// Shows all secrets that can be found to the redactor.
pub(crate) fn learn(root: &Path, redactor: &mut Redactor) {
    for (place, kind) in allow::SECRETS {
        each(&root.join(place.trim_start_matches('/')), 8, &mut |path, meta| {
            let below = path.strip_prefix(root).unwrap_or(path);
            if meta.len() > LEARN || SAME.iter().any(|s| below.starts_with(s)) {
                return;
            }
            let Ok(bytes) = fs::read(path) else { return };
            learn_from(redactor, kind_of(*kind, path, meta, &bytes), &bytes);
        });
    }
}

/// A short file that others may not read, or whose name says what it is, holds nothing else.
fn kind_of(kind: LearnKind, path: &Path, meta: &fs::Metadata, bytes: &[u8]) -> LearnKind {
    if kind != LearnKind::Settings {
        return kind;
    }
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_ascii_lowercase();
    let telling =
        ["token", "secret", "passw", "credential", "apikey", "authkey"].iter().any(|w| name.contains(w));
    let private = meta.permissions().mode() & 0o004 == 0;
    let text = String::from_utf8_lossy(bytes);
    let few = text.lines().count() <= 3 && !text.contains([' ', '{', '<']);
    if bytes.len() < 4096 && (telling || private) && few { LearnKind::Whole } else { kind }
}

fn each(path: &Path, depth: u32, found: &mut dyn FnMut(&Path, &fs::Metadata)) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    if meta.is_file() {
        found(path, &meta);
    } else if meta.is_dir() && depth > 0 {
        let mut inside: Vec<PathBuf> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        inside.sort();
        inside.iter().for_each(|p| each(p, depth - 1, found));
    }
}

/// Everything that the list allows, without secrets; and what was left out of the places that it names.
pub(crate) fn files(root: &Path, redactor: &Redactor) -> (Vec<Part>, Vec<Left>) {
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    for allowed in allow::FILES {
        each(&root.join(allowed.trim_start_matches('/')), 12, &mut |path, meta| {
            let below = format!("/{}", path.strip_prefix(root).unwrap_or(path).to_string_lossy());
            if let Some(why) = allow::left_out(&below) {
                left.push(Left { path: below, why: why.to_owned() });
                return;
            }
            match read(path, meta) {
                Ok((bytes, cut)) => match text(&bytes) {
                    Some(text) => {
                        let text = redactor.scrub_file(&below, &text);
                        parts.push(Part { name: redactor.scrub(below.trim_start_matches('/')), text, cut });
                    }
                    None => left.push(Left { path: below, why: "not text".to_owned() }),
                },
                Err(e) => left.push(Left { path: below, why: e.to_string() }),
            }
        });
    }
    // What is known to hold secrets is named, so that nobody looks for it.
    for (place, _) in allow::SECRETS {
        each(&root.join(place.trim_start_matches('/')), 8, &mut |path, _| {
            let below = format!("/{}", path.strip_prefix(root).unwrap_or(path).to_string_lossy());
            if let Some(why) = allow::left_out(&below)
                && left.len() < 2000
                && !left.iter().any(|l| l.path == below)
            {
                left.push(Left { path: below, why: why.to_owned() });
            }
        });
    }
    left.iter_mut().for_each(|l| l.path = redactor.scrub(&l.path));
    (parts, left)
}

fn read(path: &Path, meta: &fs::Metadata) -> std::io::Result<(Vec<u8>, bool)> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let cut = meta.len() > LONGEST;
    if cut {
        file.seek(SeekFrom::End(-i64::try_from(LONGEST).unwrap_or(0)))?;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    if cut {
        // Half a line could hold half a secret, which nobody knows.
        let first = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| n + 1);
        bytes.drain(..first);
    }
    Ok((bytes, cut))
}

/// Packed logs are unpacked, or no secret in them would be seen.
fn text(bytes: &[u8]) -> Option<String> {
    use std::io::Read;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes).take(LONGEST).read_to_end(&mut plain).ok()?;
        return text(&plain);
    }
    // A hole that an archive left in a file that is in use.
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(0);
    let rest = bytes.get(start..)?;
    if rest.iter().take(8192).any(|b| *b == 0) {
        None
    } else {
        Some(String::from_utf8_lossy(rest).into_owned())
    }
}

/// What programs say.
pub(crate) fn commands(redactor: &Redactor) -> Result<(Vec<Part>, Vec<Left>), Failure> {
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    for words in COMMANDS {
        let Some((program, args)) = words.split_first() else { continue };
        let cmd = Cmd::new(*program).args(args.iter().copied()).limit(Duration::from_secs(15));
        let line = cmd.to_string();
        match HostRunner.run(&cmd) {
            Ok(output) => {
                let text = format!("# {line}: {}\n{}{}", output.status, output.text(), output.error_text());
                let name = line.trim_start_matches('/').replace(['/', ' '], "_");
                parts.push(Part {
                    name: format!("commands/{name}.txt"),
                    text: redactor.scrub(&text),
                    cut: false,
                });
            }
            Err(e @ ExecError::NotFound { .. }) => left.push(Left { path: line, why: e.to_string() }),
            Err(e) => left.push(Left { path: line, why: redactor.scrub(&e.to_string()) }),
        }
    }
    Ok((parts, left))
}
