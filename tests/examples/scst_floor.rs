//! What a static program needs for the same work on SCST's sysfs: the floor that `esos-scst` is measured
//! against, and a plain dump of the tree that judges both it and scstadmin.
//!
//! `apply LIST [SECONDS]` writes the lines `FILE<TAB>VALUE` of a list, in a suspend window of that many
//! seconds; `read` reads every attribute once; `dump` prints them, without what counts and what depends on
//! the order of making; `time FILE COMMAND…` runs a command and adds the seconds that it took to a file. Uses nothing but the standard library, so `rustc` alone builds it.
#![expect(clippy::print_stdout, reason = "a program of its own, whose output the test reads")]
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/kernel/scst_tgt";
/// Attributes whose values are counters, or tell the order in which things were made.
const VOLATILE: &[&str] = &["last_sysfs_mgmt_res", "tid", "thread_pid", "trace_level", "dif_checks_failed"];
/// Directories of that kind.
const LEFT: &[&str] = &["sgv", "sessions", "exported", "copy_manager", "tgt_dev", "latency"];

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let start = Instant::now();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "apply", list] => apply(list, None)?,
        [_, "apply", list, seconds] => apply(list, Some(seconds))?,
        [_, "read"] => println!("{} attributes", read(Path::new(ROOT))?),
        [_, "dump"] => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            dump(Path::new(ROOT), "", &mut out)?;
            return out.flush();
        }
        [_, "time", file, command, words @ ..] => return time(file, command, words),
        _ => return Err(io::Error::other("apply LIST [SECONDS] | read | dump | time FILE COMMAND…")),
    }
    println!("{:.4}", start.elapsed().as_secs_f64());
    Ok(())
}

fn time(file: &str, command: &str, words: &[&str]) -> io::Result<()> {
    let start = Instant::now();
    let status = Command::new(command).args(words).status()?;
    let took = start.elapsed().as_secs_f64();
    writeln!(fs::OpenOptions::new().append(true).create(true).open(file)?, "{took:.4}")?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command} ended with {status}"))) }
}

fn write(file: &str, value: &str) -> io::Result<()> {
    let path = Path::new(ROOT).join(file);
    match fs::OpenOptions::new().write(true).open(&path)?.write_all(value.as_bytes()) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => loop {
            let result = fs::read_to_string(Path::new(ROOT).join("last_sysfs_mgmt_res"))?;
            match result.trim().parse::<i32>() {
                Ok(0) => return Ok(()),
                Ok(-11) => std::thread::sleep(Duration::from_millis(10)),
                _ => return Err(io::Error::other(format!("{file}: {}", result.trim()))),
            }
        },
        other => other.map_err(|e| io::Error::other(format!("{file} <- {value}: {e}"))),
    }
}

fn apply(list: &str, suspend: Option<&str>) -> io::Result<()> {
    let text = fs::read_to_string(list)?;
    if let Some(seconds) = suspend {
        write("suspend", seconds)?;
    }
    let done = text.lines().filter_map(|l| l.split_once('\t')).try_for_each(|(f, v)| write(f, v));
    if suspend.is_some() {
        write("suspend", "-1")?;
    }
    done
}

/// Reads all that may be read, as `esos-scst` does for `save`.
fn read(dir: &Path) -> io::Result<usize> {
    let (mut count, mut buffer) = (0, vec![0; 1 << 16]);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        if kind.is_dir() && name != "sgv" && name != "latency" {
            count += read(&entry.path())?;
        } else if kind.is_file()
            && let Ok(mut file) = fs::File::open(entry.path())
        {
            // What cannot be read is write-only, or says EAGAIN; one try is the floor.
            let _bytes = file.read(&mut buffer);
            count += 1;
        }
    }
    Ok(count)
}

fn dump(dir: &Path, inside: &str, out: &mut impl Write) -> io::Result<()> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    // Numbered siblings are instances of one key, in no order that matters.
    let mut users = Vec::new();
    for name in names {
        let (path, shown) = (dir.join(&name), format!("{inside}/{name}"));
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_dir() {
            if !LEFT.contains(&name.as_str()) {
                writeln!(out, "{shown}/")?;
                dump(&path, &shown, out)?;
            }
        } else if meta.is_symlink() {
            let target = fs::read_link(&path)?;
            let target = target.to_string_lossy();
            writeln!(out, "{shown} -> {}", target.trim_start_matches("../"))?;
        } else if !VOLATILE.contains(&name.as_str()) {
            let mut tries = 0;
            let text = loop {
                match fs::read(&path) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock && tries < 100 => {
                        tries += 1;
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    Ok(bytes) => break String::from_utf8_lossy(&bytes).trim_end().replace('\n', "|"),
                    Err(e) => break format!("({:?})", e.kind()),
                }
            };
            if name.starts_with("IncomingUser") {
                users.push(text);
            } else {
                writeln!(out, "{shown} = {text}")?;
            }
        }
    }
    users.sort();
    users.iter().try_for_each(|user| writeln!(out, "{inside}/IncomingUser = {user}"))
}
