//! Two writers of numbered lines, a thousand a second each, one through a real rsyslog and one into a file that it keeps
//! open, while archives are made by size, by timer and at the end, the store fills up, and goes and comes back: every
//! number is found exactly once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const RSYSLOG: &str = "/usr/sbin/rsyslogd";

/// A tmpfs that stands for the partition of logs; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(dir: &Path) -> Option<Self> {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "none"]).arg(dir).status();
        status.is_ok_and(|s| s.success()).then(|| Self(dir.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg(&self.0).status();
    }
}

/// A process that is ended with the test.
struct Daemon(Child);

impl Daemon {
    fn stop(&mut self) {
        let _asked = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ended = self.0.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn archive(dir: &Path, words: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_esos-logs"))
        .arg("archive")
        .args(words)
        .args(["--json", "--root"])
        .arg(dir.join("box"))
        .arg("--store")
        .arg(dir.join("store"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

/// How often each number of a writer stands in all archives.
fn numbers(store: &Path, writer: &str) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with(".tar.zst") {
            continue;
        }
        let mut tar = tar::Archive::new(zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap());
        for entry in tar.entries().unwrap() {
            let mut text = String::new();
            entry.unwrap().read_to_string(&mut text).unwrap();
            for line in text.lines() {
                if let Some(number) = line.trim().strip_prefix(writer).and_then(|l| l.split(' ').next()) {
                    *found.entry(number.parse().unwrap()).or_default() += 1;
                }
            }
        }
    }
    found
}

/// Lines that do not compress to nothing.
fn noise(n: u64) -> String {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..8).map(|_| format!("{:016x}", next())).collect()
}

/// Ends the writers, also where the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn every_number_is_found_exactly_once() {
    let test = "every_number_is_found_exactly_once";
    if !Path::new(RSYSLOG).exists() {
        return println!("skipped: {test}: rsyslog is not installed");
    }
    let dir = esos_hostfs::TempDir::new("rsyslog").unwrap();
    let dir = dir.path();
    for name in ["box/var/log", "box/etc", "work", "store"] {
        fs::create_dir_all(dir.join(name)).unwrap();
    }
    let Some(small) = Small::mount(&dir.join("store")) else {
        return println!("skipped: {test}: no tmpfs can be mounted here");
    };
    let log = dir.join("box/var/log");
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let conf = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\")\n\
         template(name=\"plain\" type=\"string\" string=\"%msg%\\n\")\n\
         *.* action(type=\"omfile\" file=\"{}\" template=\"plain\")\n",
        text(dir.join("work")),
        text(dir.join("socket")),
        text(log.join("syslog"))
    );
    fs::write(dir.join("rsyslog.conf"), conf).unwrap();
    let child = Command::new(RSYSLOG)
        .args(["-n", "-f"])
        .arg(dir.join("rsyslog.conf"))
        .arg("-i")
        .arg(dir.join("work/pid"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut daemon = Daemon(child);
    let socket = UnixDatagram::unbound().unwrap();
    for _ in 0..200 {
        if socket.connect(dir.join("socket")).is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    if socket.send(b"<13>t: through 0 first").is_err() {
        return println!("skipped: {test}: rsyslog does not start here");
    }

    let (go, sent, kept) = (AtomicBool::new(true), AtomicU64::new(1), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while go.load(Ordering::Relaxed) {
                for _ in 0..10 {
                    let n = sent.fetch_add(1, Ordering::Relaxed);
                    socket.send(format!("<13>t: through {n} {}", noise(n)).as_bytes()).unwrap();
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        scope.spawn(|| {
            let mut file = OpenOptions::new().create(true).append(true).open(log.join("app.log")).unwrap();
            while go.load(Ordering::Relaxed) {
                for _ in 0..10 {
                    let n = kept.fetch_add(1, Ordering::Relaxed);
                    // In two halves, as a buffer may be flushed in the middle of a line.
                    file.write_all(b"into ").unwrap();
                    file.write_all(format!("{n} {}\n", noise(n)).as_bytes()).unwrap();
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        let _stop = Stop(&go);
        let pause = || thread::sleep(Duration::from_millis(400));
        for _ in 0..3 {
            pause();
            assert_eq!(archive(dir, &["--if-larger", "4096"]).0, 0);
            pause();
            assert_eq!(archive(dir, &[]).0, 0);
        }
        // Full, to the last byte, with what is nobody's to remove. Older archives would make room.
        fs::create_dir(dir.join("copied")).unwrap();
        for entry in fs::read_dir(dir.join("store")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, dir.join("copied").join(path.file_name().unwrap())).unwrap();
            fs::remove_file(path).unwrap();
        }
        let mut filler = fs::File::create(dir.join("store/somebody's")).unwrap();
        while filler.write_all(&[7; 4096]).is_ok() {}
        for _ in 0..2 {
            let (exit, json) = archive(dir, &[]);
            assert!(exit != 0 && json["error"]["code"] == "logs::full", "{exit} {json}");
            pause();
        }
        drop(filler);
        fs::remove_file(dir.join("store/somebody's")).unwrap();
        assert_eq!(archive(dir, &[]).0, 0);
        // Gone, and there again.
        pause();
        let away = |from: &str, to: &str| {
            let status = Command::new("mount").arg("--move").arg(dir.join(from)).arg(dir.join(to)).status();
            status.is_ok_and(|s| s.success())
        };
        fs::create_dir(dir.join("away")).unwrap();
        let moved = away("store", "away");
        if moved {
            fs::remove_dir(dir.join("store")).unwrap();
            let (exit, json) = archive(dir, &[]);
            assert_eq!((exit, json["error"]["code"].as_str()), (7, Some("logs::gone")), "{json}");
            pause();
            fs::create_dir(dir.join("store")).unwrap();
            assert!(away("away", "store"));
        } else {
            println!("{test}: the store cannot be moved away here");
        }
        assert_eq!(archive(dir, &[]).0, 0);
        pause();
    });
    // The end of a box: the logger first, then the last archive.
    daemon.stop();
    assert_eq!(archive(dir, &[]).0, 0);
    let (sent, kept) = (sent.load(Ordering::Relaxed), kept.load(Ordering::Relaxed));
    for (writer, wanted) in [("through ", sent), ("into ", kept)] {
        let mut found = numbers(&dir.join("store"), writer);
        for (number, times) in numbers(&dir.join("copied"), writer) {
            *found.entry(number).or_default() += times;
        }
        let lost: Vec<u64> = (0..wanted).filter(|n| !found.contains_key(n)).take(10).collect();
        let twice: Vec<&u64> = found.iter().filter(|(_, n)| **n > 1).map(|(n, _)| n).take(10).collect();
        assert!(
            lost.is_empty() && twice.is_empty(),
            "{writer}: {wanted} written, lost {lost:?}, twice {twice:?}"
        );
        println!("{writer}{wanted}: each once");
    }
    drop(small);
}
