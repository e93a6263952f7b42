//! A process that really is killed: another process of this test applies a configuration to SCST's tree, which
//! lives in this one, with its journal on a real disk, and gets SIGKILL before or behind one of its writes. What is
//! kept is old or new, the next start finishes it or takes it back, SCST is not left suspended, the lock is free.
//!
//! `ESOS_SIGKILL=all` kills at every write instead of at some of them.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that starts and kills processes"
)]
mod support;

use esos_hostfs::{FileError, Files, HostFiles, Meta, lock};
use esos_scst::store::{CONF, Keep, Recovered, Store};
use esos_scst::{Document, NoJournal, Options, Policy, observe, plan};
use esos_scst_sim::Sim;
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry, Kind};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::{ALL, FULL, live, must, sim};

const CHILD: &str = "ESOS_SCST_SIGKILL_CHILD";

fn changed() -> String {
    FULL.replace("nv_cache 1", "nv_cache 0")
        .replace("\t\t\tINITIATOR iqn.2026-01.org.esos:ini1\n", "\t\t\tINITIATOR iqn.2026-01.org.esos:ini2\n")
        .replace("group_id 101", "group_id 103")
}

fn policy() -> Policy {
    Policy { prune: true, ..Policy::default() }
}

// The process that is killed.

/// SCST's tree in another process.
struct Remote(RefCell<BufReader<UnixStream>>);

impl Remote {
    fn ask(&self, what: &str, path: &str, value: &str) -> Result<Value, i32> {
        let mut stream = self.0.borrow_mut();
        writeln!(stream.get_mut(), "{}", json!([what, path, value])).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let reply: Value = serde_json::from_str(&line).unwrap();
        match reply.get("errno").and_then(Value::as_i64) {
            Some(errno) => Err(errno as i32),
            None => Ok(reply),
        }
    }
}

impl AttrTree for Remote {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        let reply = self.ask("read", path, "").map_err(|e| AttrError::new(path, AttrOp::Read, e))?;
        Ok(reply["text"].as_str().unwrap().to_owned())
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        let failed = |e| AttrError::new(path, AttrOp::Write(value.to_owned()), e);
        self.ask("write", path, value).map(|_| ()).map_err(failed)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        let reply = self.ask("list", path, "").map_err(|e| AttrError::new(path, AttrOp::List, e))?;
        let entry = |e: &Value| Entry {
            name: e[0].as_str().unwrap().to_owned(),
            kind: match e[1].as_str().unwrap() {
                "dir" => Kind::Dir,
                "link" => Kind::Link,
                _ => Kind::Attr,
            },
        };
        Ok(reply["entries"].as_array().unwrap().iter().map(entry).collect())
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        let reply = self.ask("link", path, "").map_err(|e| AttrError::new(path, AttrOp::ReadLink, e))?;
        Ok(reply["text"].as_str().unwrap().to_owned())
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        let reply = self.ask("mode", path, "").map_err(|e| AttrError::new(path, AttrOp::Read, e))?;
        Ok(reply["mode"].as_u64().map(|m| m as u32))
    }
}

/// A real disk; the other process is told before and behind each change of it.
struct Told<'r>(&'r Remote, HostFiles);

impl Told<'_> {
    fn around<T>(&self, change: impl FnOnce(&HostFiles) -> T) -> T {
        self.0.ask("file", "", "").unwrap();
        let done = change(&self.1);
        self.0.ask("file", "", "").unwrap();
        done
    }
}

impl Files for Told<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.1.read(path)
    }
    fn replace(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.around(|f| f.replace(path, bytes, mode))
    }
    fn append(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.around(|f| f.append(path, bytes, mode))
    }
    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.1.list(path)
    }
    fn stat(&self, path: &str) -> Result<Meta, FileError> {
        self.1.stat(path)
    }
    fn make_dir(&self, path: &str) -> Result<(), FileError> {
        self.around(|f| f.make_dir(path))
    }
    fn remove(&self, path: &str) -> Result<(), FileError> {
        self.around(|f| f.remove(path))
    }
}

/// What the other process runs; nothing in this one.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = Path::new(&dir);
    let remote = Remote(RefCell::new(BufReader::new(UnixStream::connect(dir.join("tree")).unwrap())));
    let files = Told(&remote, HostFiles::new(dir));
    let _lock = lock(&dir.join("lock"), Duration::ZERO).unwrap();
    let store = Store::new(&files);
    let document = Document::parse(CONF, changed());
    let now = observe(&remote).unwrap();
    let planned = plan(&now, document.config(), &policy());
    let keep = Keep { document: &document, time: 1_800_000_000, by: "root", confirm_by: None };
    let options = Options { suspend: Some(7), ..ALL };
    let done = store.apply(
        &remote,
        &now,
        &planned,
        document.config(),
        &policy(),
        options,
        Some(&keep),
        &mut NoJournal,
    );
    done.unwrap();
}

// The process that kills.

fn answer(sim: &Sim, request: &Value) -> Value {
    let (path, value) = (request[1].as_str().unwrap(), request[2].as_str().unwrap());
    let reply = match request[0].as_str().unwrap() {
        "read" => sim.read(path).map(|text| json!({ "text": text })),
        "write" => sim.write(path, value).map(|()| json!({})),
        "link" => sim.read_link(path).map(|text| json!({ "text": text })),
        "mode" => sim.mode(path).map(|mode| json!({ "mode": mode })),
        "list" => sim.list(path).map(|entries| {
            let kind = |k: &Kind| match k {
                Kind::Dir => "dir",
                Kind::Link => "link",
                _ => "attr",
            };
            let entries: Vec<Value> = entries.iter().map(|e| json!([e.name, kind(&e.kind)])).collect();
            json!({ "entries": entries })
        }),
        _ => Ok(json!({})),
    };
    reply.unwrap_or_else(|e| json!({ "errno": e.errno }))
}

/// Where a process is killed: at its n-th change of SCST or of the disk, before or behind it.
#[derive(Debug, Clone, Copy)]
struct At {
    change: usize,
    done: bool,
}

/// Serves the tree to another process until it ends or is killed. Tells how many changes it made, and whether it
/// came to its end.
fn serve(sim: &Sim, dir: &Path, at: Option<At>) -> (usize, bool) {
    let listener = UnixListener::bind(dir.join("tree")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    let changes = requests(sim, stream, &mut child, at);
    (changes, child.wait().unwrap().success())
}

fn requests(sim: &Sim, stream: UnixStream, child: &mut Child, at: Option<At>) -> usize {
    let mut stream = BufReader::new(stream);
    let mut changes = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return changes;
        }
        let request: Value = serde_json::from_str(&line).unwrap();
        let is_change = matches!(request[0].as_str(), Some("write" | "file"));
        let here = at.filter(|at| is_change && at.change == changes);
        if here.is_some_and(|at| !at.done) {
            child.kill().unwrap();
            return changes;
        }
        let reply = answer(sim, &request);
        if here.is_some() {
            child.kill().unwrap();
            return changes;
        }
        changes += usize::from(is_change);
        writeln!(stream.get_mut(), "{reply}").unwrap();
    }
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("etc")).unwrap();
    std::fs::write(dir.path().join("etc/scst.conf"), FULL).unwrap();
    dir
}

#[test]
fn a_killed_process_is_finished_or_taken_back() {
    let base = sim();
    must(&base, FULL);
    let (before, new) = (live(&base).canonical(), changed());
    let whole = directory();
    let goal = base.fork();
    let (changes, ended) = serve(&goal, whole.path(), None);
    assert!(ended && changes > 20, "{changes} changes");
    let goal = live(&goal).canonical();
    assert_ne!(goal, before);
    let stride = if std::env::var("ESOS_SIGKILL").is_ok_and(|v| v == "all") { 1 } else { changes / 6 };
    let (mut taken_back, mut finished) = (0, 0);
    let points =
        (0..changes).step_by(stride).flat_map(|change| [false, true].map(|done| At { change, done }));
    for at in points {
        let (sim, dir) = (base.fork(), directory());
        let (_, ended) = serve(&sim, dir.path(), Some(at));
        assert!(!ended, "{at:?} was killed");
        let _free = lock(&dir.path().join("lock"), Duration::ZERO).unwrap();
        let files = HostFiles::new(dir.path());
        let store = Store::new(&files);
        let conf = || std::fs::read_to_string(dir.path().join("etc/scst.conf")).unwrap();
        assert!([FULL, &new].contains(&conf().as_str()), "{at:?}");
        let recovered = store.recover(&sim, &mut NoJournal).unwrap();
        assert!(!sim.suspended(), "{at:?}");
        let now = live(&sim).canonical();
        let history = store.history().unwrap();
        if now == before {
            taken_back += 1;
            assert_eq!(conf(), FULL, "{at:?} {recovered:?}");
            assert!(history.iter().all(|g| g.expose() == FULL), "{at:?}");
        } else {
            finished += 1;
            assert_eq!((now, conf()), (goal.clone(), new.clone()), "{at:?} {recovered:?}");
            assert_eq!(history.last().unwrap().expose(), new, "{at:?}");
        }
        assert_eq!(store.recover(&sim, &mut NoJournal).unwrap(), Recovered::Nothing);
    }
    println!(
        "SIGKILL around {changes} changes, every {stride}: {taken_back} taken back, {finished} finished"
    );
    assert!(taken_back > 0 && finished > 0);
}

#[test]
fn who_holds_the_lock_keeps_others_out() {
    let dir = directory();
    let held = lock(&dir.path().join("lock"), Duration::ZERO).unwrap();
    let sim = sim();
    let (changes, ended) = serve(&sim, dir.path(), None);
    assert_eq!((changes, ended), (0, false), "the other process found the lock taken and did nothing");
    drop(held);
    assert!(lock(&dir.path().join("lock"), Duration::ZERO).is_ok());
}
