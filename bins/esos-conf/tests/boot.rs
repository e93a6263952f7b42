//! The restore at boot from a real directory: whatever is wrong with the newest generation, with the store or with the
//! stick, what was restored, from when, and what is different is printed, in the section of `esos status`, and in one
//! report for one mail.
#![expect(clippy::unwrap_used, reason = "test helpers")]
mod common;

use common::{Case, code};
use esos_alert::{Desk, Origin, Settings};
use esos_hostfs::{Clock, HostClock, HostFiles};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What the hook of the boot calls.
const BOOT: [&str; 3] = ["restore", "--boot", "--yes"];

/// Three generations, and what the box had at each.
fn history(case: &Case) -> BTreeMap<u64, BTreeMap<String, String>> {
    let etc = |name: &str| case.path("a/etc").join(name);
    let mut states = BTreeMap::new();
    for id in 1..=3u64 {
        match id {
            2 => fs::write(etc("second"), "of the second\n").unwrap(),
            3 => {
                fs::write(etc("newest"), "of the newest\n").unwrap();
                fs::write(etc("motd.tail"), "changed\n").unwrap();
                fs::remove_file(etc("ssh/key")).unwrap();
            }
            _ => {}
        }
        let (exit, json, _) = case.run("a", &["sync"]);
        assert_eq!((exit, &json["data"]["generation"]), (0, &id.into()), "{json}");
        states.insert(id, state(&case.path("a")));
    }
    states
}

/// Contents by name, without what the box remembers for itself.
fn state(root: &Path) -> BTreeMap<String, String> {
    let script = "find . -path ./var/lib/esos -prune -o -path ./run -prune -o -type f ! -name esos-release -print | sort";
    let output = Command::new("sh").args(["-c", script]).current_dir(root).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().map(|n| (n.to_owned(), fs::read_to_string(root.join(n)).unwrap())).collect()
}

/// A box as the image has it.
fn image(case: &Case, root: &str, version: &str) {
    let etc = case.path(root).join("etc");
    drop(fs::remove_dir_all(case.path(root)));
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("esos-release"), version).unwrap();
    fs::write(etc.join("motd.tail"), "default\n").unwrap();
}

/// The reports that wait to be mailed.
fn reports(case: &Case, root: &str) -> Vec<Value> {
    let inbox = case.path(root).join("var/lib/esos/alert/inbox");
    let mut names: Vec<_> = fs::read_dir(inbox).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    names.sort();
    names.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

/// What the console shows: the tool as the hook calls it.
fn console(case: &Case, root: &str, words: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_esos-conf"))
        .args(words)
        .args(["--root", case.path(root).to_str().unwrap(), "--store", case.path("store").to_str().unwrap()])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// What the daemon makes of them, as at its first look after the boot and an hour later.
fn mails(case: &Case, root: &str) -> Vec<String> {
    let files = HostFiles::new(case.path(root));
    let settings = Settings::parse("mail.toml", "to = [\"admin@example.org\"]").unwrap();
    let now = HostClock.now();
    let mut texts = Vec::new();
    for later in [0, 60, 3600] {
        let mut desk = Desk::open(&files, Origin::new("esos1"), settings.clone()).unwrap();
        let mails = desk.work(now + Duration::from_secs(later)).unwrap();
        texts.extend(
            mails.iter().map(|mail| {
                String::from_utf8(mail.message()).unwrap().replace("=\r\n", "").replace("=\n", "")
            }),
        );
    }
    texts
}

/// A boot: its exit code, what the console shows, the section, the one report, and the one mail.
struct Told {
    exit: i32,
    console: String,
    section: Value,
    report: Value,
    mail: String,
}

impl Told {
    fn of(case: &Case, root: &str) -> Self {
        Self::with(case, root, &BOOT)
    }

    fn with(case: &Case, root: &str, words: &[&str]) -> Self {
        let (exit, console) = console(case, root, words);
        let (done, section, _) = case.run(root, &["__section"]);
        assert_eq!(done, 0, "{section}");
        let mut reports = reports(case, root);
        assert_eq!(reports.len(), 1, "one mail: {reports:#?}");
        let (section, report) = (section["data"].clone(), reports.remove(0));
        assert!(!console.contains("panicked"), "{console}");
        let mut mails = mails(case, root);
        assert_eq!(mails.len(), usize::from(report["kind"] != "cleared"), "{mails:#?}");
        Self { exit, console, section, report, mail: mails.pop().unwrap_or_default() }
    }

    /// All three have each of these words.
    fn says(&self, words: &[&str]) {
        for word in words {
            for text in [&self.console, &self.section.to_string(), &self.mail] {
                assert!(text.contains(word), "`{word}` in {text}");
            }
        }
    }
}

#[test]
fn the_newest_generation_damaged_in_each_of_its_files() {
    let case = Case::new();
    let states = history(&case);
    let keep = |name: &str| fs::read(case.path("store").join(name)).unwrap();
    let mut names: Vec<String> = fs::read_dir(case.path("store"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("gen-"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    let (mut fell_back, mut nothing, mut seen) = (0, 0, [false; 2]);
    for name in &names {
        let whole = keep(name);
        // Among the places the content of a file, too, which only the first has.
        let content = whole.windows(9).position(|bytes| bytes == b"$6$secret");
        assert_eq!(content.is_some(), name.contains("01"), "{name}");
        let places = (0..whole.len()).step_by((whole.len() / 60).max(1)).chain(content);
        let flips = places.map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            Some(bytes)
        });
        let cuts = [0, 1, whole.len() / 2, whole.len() - 1].map(|len| Some(whole[..len].to_vec()));
        for (n, damaged) in flips.chain(cuts).chain([None]).enumerate() {
            let path = case.path("store").join(name);
            match &damaged {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            image(&case, "b", "5.0.0");
            let told = Told::of(&case, "b");
            let what = format!("{name}, damage {n}: {}", told.console);
            let kept = fs::read(case.path("b/var/lib/esos/conf/restored.json")).unwrap();
            let kept: Value = serde_json::from_slice(&kept).unwrap();
            match kept["generation"].as_u64() {
                Some(id) => {
                    assert_eq!((told.exit, &state(&case.path("b"))), (0, &states[&id]), "{what}");
                    if id < 3 {
                        fell_back += 1;
                        told.says(&[&format!("@{id} of 20"), "@3"]);
                        assert_eq!(told.report["severity"], "critical", "{what}");
                        assert_eq!(told.section["health"], "crit", "{what}");
                    }
                }
                // All rest on the first.
                None => {
                    nothing += 1;
                    assert!(name.contains("01") && told.exit == 3, "{what}");
                    told.says(&["damaged", "object "]);
                    // A piece cannot be found where what leads to it is damaged, or is there and is not what it was.
                    let how = ["is missing", "is damaged"].map(|how| told.console.contains(how));
                    assert!(how.contains(&true), "{what}");
                    told.says(if how[0] { &["is missing"] } else { &["is damaged"] });
                    seen = [seen[0] | how[0], seen[1] | how[1]];
                    assert!(told.report["subject"].as_str().unwrap().contains("was not restored"));
                    assert_eq!(state(&case.path("b"))["./etc/motd.tail"], "default\n");
                }
            }
            fs::write(&path, &whole).unwrap();
        }
    }
    assert!(fell_back > 20 && nothing > 5 && seen == [true; 2], "{fell_back} {nothing} {seen:?}");
}

#[test]
fn what_is_different_is_listed() {
    let case = Case::new();
    history(&case);
    let path = case.path("store/gen-0000000003.esc");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(14).position(|w| w == b"of the newest\n").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!(told.exit, 0);
    told.says(&["@2 of 20", "@3 of 20", "different in it: ", "+ /etc/newest", "~ /etc/motd."]);
    for text in [&told.console, &told.mail] {
        assert!(text.contains("- /etc/ssh/key"), "{text}");
    }
    let (_, json, _) = case.run("b", &["status"]);
    let differs = json["data"]["restored"]["passed"][0]["differs"].to_string();
    assert!(differs.contains("- /etc/ssh/key"), "{json}");
    // The next sync makes a whole one; then the next boot says that all is well.
    assert_eq!(case.run("b", &["sync"]).1["data"]["generation"], 4);
    image(&case, "c", "5.0.0");
    let (exit, text) = console(&case, "c", &BOOT);
    assert!(exit == 0 && text.contains("restored @4"), "{text}");
    // The book of before is in the generation: one mail says that it is over, and what was damaged is not told again.
    let mails = mails(&case, "c");
    assert!(mails.len() == 1 && mails[0].contains("the configuration is that of @2"), "{mails:#?}");
    assert!(mails[0].contains("CLEARED") || mails[0].to_lowercase().contains("cleared"), "{mails:#?}");
}

#[test]
fn an_empty_store_and_one_that_is_not_there() {
    let case = Case::new();
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!((told.exit, &told.report["kind"]), (0, &"happened".into()));
    told.says(&["no configuration on the stick", "the image's own defaults"]);
    assert!(!case.path("b/run/esos/network-off").exists());

    image(&case, "b", "5.0.0");
    let told =
        Told::with(&case, "b", &["restore", "--boot", "--yes", "--because", "the stick is gone: /dev/sdb4"]);
    assert_eq!((told.exit, &told.section["health"]), (7, &"crit".into()));
    told.says(&["the stick is gone: /dev/sdb4"]);
    assert!(told.report["text"].as_str().unwrap().contains("The network stays off"));
    // Late, by hand: as the boot would have restored it, and one report ends it.
    history(&case);
    image(&case, "v2", "5.1.0");
    fs::write(case.path("v2/etc/of-5.1"), "new default\n").unwrap();
    Told::with(&case, "v2", &["restore", "--boot", "--yes", "--because", "the stick is gone"]);
    fs::write(case.path("v2/etc/made-meanwhile"), "x\n").unwrap();
    let (exit, json, _) = case.run("v2", &["restore", "--yes"]);
    assert_eq!((exit, &json["data"]["generation"]), (0, &3.into()), "{json}");
    assert_eq!(fs::read_to_string(case.path("v2/etc/of-5.1")).unwrap(), "new default\n");
    assert_eq!(fs::read_to_string(case.path("v2/etc/newest")).unwrap(), "of the newest\n");
    let reports = reports(&case, "v2");
    assert_eq!((reports.len(), &reports[0]["kind"]), (1, &"cleared".into()), "{reports:#?}");
    assert_eq!(mails(&case, "v2").len(), 1, "it is over");
}

#[test]
fn all_generations_gone_is_no_new_stick() {
    let case = Case::new();
    history(&case);
    for id in 1..=3 {
        fs::remove_file(case.path(&format!("store/gen-000000000{id}.esc"))).unwrap();
    }
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!(told.exit, 3, "{}", told.console);
    told.says(&["@3", "its file is gone"]);
    let (exit, json, _) = case.run("b", &["sync"]);
    assert_eq!((exit, code(&json)), (5, "conf::incomplete-restore"));
    assert_eq!(case.run("b", &["sync", "--yes"]).1["data"]["generation"], 4);
}

#[test]
fn a_store_that_is_no_directory_or_full_of_rubbish() {
    let case = Case::new();
    fs::remove_dir(case.path("store")).unwrap();
    fs::write(case.path("store"), "rubbish").unwrap();
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!(told.exit, 7, "{}", told.console);
    told.says(&["there is no store"]);
    fs::remove_file(case.path("store")).unwrap();
    fs::create_dir(case.path("store")).unwrap();
    for (n, rubbish) in [&b""[..], &[0; 4096], b"ESOSCNF1", &[0xff; 100_000]].into_iter().enumerate() {
        fs::write(case.path("store").join(format!("gen-000000000{n}.esc")), rubbish).unwrap();
    }
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!(told.exit, 3, "{}", told.console);
    told.says(&["damaged"]);
}

#[test]
fn of_a_newer_version_and_of_a_newer_format() {
    let case = Case::new();
    history(&case);
    fs::write(case.path("a/etc/esos-release"), "5.1.0\n").unwrap();
    fs::write(case.path("a/etc/of-5.1"), "x\n").unwrap();
    assert_eq!(case.run("a", &["sync"]).1["data"]["generation"], 4);
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!((told.exit, &told.section["health"]), (0, &"warn".into()));
    told.says(&["@3 of 20", "(ESOS 5.0.0", "@4 of 20", "made by the newer version 5.1.0", "+ /etc/of-5.1"]);

    // Nothing is old enough.
    image(&case, "b", "4.9.0");
    let told = Told::of(&case, "b");
    told.says(&["@4 of 20", "a newer version: there is no older one"]);

    // A format that this version does not know.
    let path = case.path("store/gen-0000000004.esc");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 1;
    (bytes[7], bytes[end]) = (b'2', b'2');
    fs::write(&path, bytes).unwrap();
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!(told.exit, 0);
    told.says(&["@3 of 20", "@4", "format 2", "of a newer version"]);
    for id in 1..=3 {
        fs::remove_file(case.path(&format!("store/gen-000000000{id}.esc"))).unwrap();
    }
    image(&case, "b", "5.0.0");
    let told = Told::of(&case, "b");
    assert_eq!(told.exit, 3);
    told.says(&["made by a newer version"]);
}
