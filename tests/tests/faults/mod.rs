//! Making a fault in a running box, and seeing it found, mailed once, and cleared.
use esos_tests::image;
use esos_tests::smtp::{Sink, plain};
use esos_vm::Guest;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How a fault is made, and mended.
#[allow(dead_code, reason = "not every test makes faults from outside")]
pub(crate) enum Act {
    /// In the guest.
    Sh(&'static str),
    /// From outside.
    Host(fn(&Guest)),
}
pub(crate) use Act::{Host, Sh};

pub(crate) struct Fault {
    /// Check, object and kind of the finding.
    pub(crate) key: [&'static str; 3],
    pub(crate) status: &'static str,
    /// A word of what was found, and one of what to do.
    pub(crate) says: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) begin: Act,
    pub(crate) end: Act,
    /// Checks that find the same fault, each with a mail of its own.
    pub(crate) also: &'static [&'static str],
}

/// Does it; what fails in the guest fails the test.
pub(crate) fn act(act: &Act, guest: &Guest) {
    match act {
        Host(act) => act(guest),
        Sh(script) => {
            let answer = guest.run_within(script, Duration::from_secs(300)).unwrap();
            assert!(answer.success(), "{script}: {answer:?}");
        }
    }
}

/// What `esos-health` says, and how it ends.
pub(crate) fn health(guest: &Guest) -> (i32, Value) {
    let answer = guest.run("esos-health --json").unwrap();
    let document: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    assert!(document["data"]["findings"].is_array(), "{answer:?}");
    (answer.status, document["data"].clone())
}

pub(crate) fn findings(guest: &Guest) -> Vec<Value> {
    health(guest).1["findings"].as_array().unwrap().clone()
}

/// As cron does every ten minutes, and `esos-monitor` soon after.
pub(crate) fn report(guest: &Guest) {
    // Its exit status says how the box is.
    let answer = guest.run("esos-health --report --quiet; s=$?; esos-monitor run --quiet; exit $s").unwrap();
    assert!(answer.status <= 3, "{answer:?}");
}

/// What was mailed so far.
pub(crate) fn subjects(sink: &Sink) -> Vec<String> {
    let of = |mail: &String| plain(mail).lines().find_map(|l| l.strip_prefix("Subject: ").map(str::to_owned));
    sink.mails().iter().filter_map(of).collect()
}

/// Waits until nothing is found in a box, and has it mail from then on.
pub(crate) fn well(guest: &Guest, sink: &Sink) {
    let well = image::eventually("the box is well", Duration::from_secs(120), || findings(guest).is_empty());
    assert!(well.is_ok(), "{:#?}", health(guest));
    report(guest);
    guest.write_file("/etc/esos/mail.toml", sink.settings().as_bytes()).unwrap();
    std::thread::sleep(Duration::from_secs(30));
    report(guest);
    let (status, data) = health(guest);
    assert_eq!(status, 0, "{data:#}");
    println!("well, mails before the first fault: {:?}", subjects(sink));
}

/// The name of the event, as others made of the same words are.
fn event(fault: &Fault) -> String {
    match fault.key {
        ["stick", ..] => "stick/present".to_owned(),
        ["conf", _, "pending"] => "conf/sync".to_owned(),
        ["dumps", name, _] => format!("crash/dump/{name}"),
        [check, object, kind] => format!("health/{check}/{}/{kind}", object.replace(['/', ' '], "_")),
    }
}

/// Makes a fault, sees it found and mailed, mends it, sees it cleared. The line for the list.
pub(crate) fn try_one(fault: &Fault, guest: &Guest, sink: &Sink) -> String {
    let Fault { key, status, says, remedy, begin, end, also } = fault;
    let what = key.join(" ");
    let is_it =
        |f: &Value| (f["check"] == key[0], f["object"] == key[1], f["kind"] == key[2]) == (true, true, true);
    assert_eq!(findings(guest), Vec::<Value>::new(), "before {what}");
    // Two faults may be one event, and one event is mailed three times an hour.
    act(&Sh("cd /var/lib/esos/alert && flock lock rm -f book.json"), guest);
    let (event, from, begun) = (event(fault), sink.mails().len(), Instant::now());
    act(begin, guest);
    let mut now = Vec::new();
    let found = image::eventually(&what, Duration::from_secs(90), || {
        now = findings(guest);
        now.iter().any(is_it)
    });
    let after = begun.elapsed();
    let finding = now.iter().find(|f| is_it(f)).filter(|_| found.is_ok());
    let finding = finding.unwrap_or_else(|| panic!("{what}: {now:#?}"));
    let others = now.iter().filter(|f| !is_it(f)).map(|f| f["check"].as_str().unwrap());
    assert_eq!(others.collect::<Vec<_>>(), *also, "{what}: {now:#?}");
    let text = |name: &str| finding[name].as_str().unwrap();
    assert_eq!(text("status"), *status, "{finding}");
    assert!(text("message").contains(says) && text("remedy").contains(remedy), "{finding}");
    let line =
        format!("{what}: {status}, `{}`, do `{}`, found after {after:.1?}", text("message"), text("remedy"));
    let raised = || sink.of(&event, from).iter().filter(|m| !m.contains("cleared:")).count();
    report(guest);
    image::eventually(&format!("{what}: a mail of {event}"), Duration::from_secs(60), || raised() > 0)
        .unwrap();
    report(guest);
    report(guest);
    act(end, guest);
    let mended = Instant::now();
    image::eventually(&format!("{what} is gone"), Duration::from_secs(120), || findings(guest).is_empty())
        .unwrap();
    let gone = mended.elapsed();
    report(guest);
    // A crash has happened; that somebody has looked at its dump is no news.
    let clears = usize::from(key[0] != "dumps");
    let cleared = || sink.of(&event, from).iter().filter(|m| m.contains("cleared:")).count();
    image::eventually(&format!("{what}: it is mailed that it has cleared"), Duration::from_secs(60), || {
        cleared() >= clears
    })
    .unwrap();
    report(guest);
    let all = sink.mails().split_off(from);
    assert_eq!((raised(), cleared()), (1, clears), "{what}: {all:#?}");
    assert!(!also.is_empty() || all.len() == 1 + clears, "{what}: {all:#?}");
    format!("{line}, gone after {gone:.1?}, one mail of each")
}
