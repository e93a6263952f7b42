//! The configuration language: lossless, total, and each lint with an accepted and a rejected example.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
use esos_drbd::{Document, Intent, Kind, connect, lint, promote, read, resolve, verify};
use proptest::prelude::*;

const PAIR: &str = "resource r0 {\n  device /dev/drbd0;\n  disk /dev/vdb;\n  meta-disk internal;\n  on n1 { address 10.0.0.1:7789; }\n  on n2 { address 10.0.0.2:7789; }\n}\n";
const THREE: &str = "resource r0 {\n  volume 0 { device minor 0; disk /dev/vdb; meta-disk internal; }\n  on n1 { node-id 0; address 10.0.0.1:7789; }\n  on n2 { node-id 1; address 10.0.0.2:7789; }\n  on n3 { node-id 2; address 10.0.0.3:7789; }\n  connection-mesh { hosts n1 n2 n3; }\n}\n";

fn codes(text: &str, intent: Intent) -> Vec<String> {
    let document = Document::parse("x", text);
    assert!(!document.has_errors(), "{:?}\n{text}", document.diagnostics());
    lint(&document, intent).into_iter().map(|d| d.code).collect()
}

fn with(base: &str, more: &str) -> String {
    base.replacen("resource r0 {\n", &format!("resource r0 {{\n{more}\n"), 1)
}

#[test]
fn each_lint_accepts_and_rejects() {
    let none = Intent::default();
    let cluster = Intent { cluster: true, generation: Some(8) };
    let nine = Intent { cluster: true, generation: Some(9) };
    let fence = "net { fencing resource-and-stonith; } handlers { fence-peer \"/usr/lib/drbd/crm-fence-peer.sh\"; after-resync-target \"/usr/lib/drbd/crm-unfence-peer.sh\"; }";
    let cases: Vec<(&str, Intent, String, String)> = vec![
        ("hosts", none, PAIR.to_owned(), PAIR.replace("  on n2 { address 10.0.0.2:7789; }\n", "")),
        ("node-id-missing", none, THREE.to_owned(), THREE.replace("node-id 2; ", "")),
        ("duplicate", none, THREE.to_owned(), THREE.replace("node-id 2", "node-id 1")),
        ("no-address", none, PAIR.to_owned(), PAIR.replace("{ address 10.0.0.2:7789; }", "{ }")),
        (
            "no-volume",
            none,
            PAIR.to_owned(),
            PAIR.replace("  device /dev/drbd0;\n  disk /dev/vdb;\n  meta-disk internal;\n", ""),
        ),
        ("volume", none, PAIR.to_owned(), PAIR.replace("  meta-disk internal;\n", "")),
        ("unknown-host", none, THREE.to_owned(), THREE.replace("hosts n1 n2 n3", "hosts n1 n2 n3 n4")),
        ("not-connected", none, THREE.to_owned(), THREE.replace("hosts n1 n2 n3", "hosts n1 n2")),
        (
            "generation",
            Intent { generation: Some(8), cluster: false },
            with(PAIR, "net { timeout 30; }"),
            with(PAIR, "options { auto-promote no; }"),
        ),
        (
            "timeout",
            none,
            with(PAIR, "net { timeout 30; ping-int 3; connect-int 3; }"),
            with(PAIR, "net { timeout 31; ping-int 3; connect-int 3; }"),
        ),
        (
            "automatic-loss",
            none,
            with(PAIR, "net { after-sb-0pri discard-zero-changes; after-sb-1pri disconnect; }"),
            with(PAIR, "net { after-sb-1pri discard-secondary; }"),
        ),
        (
            "authentication",
            none,
            with(PAIR, "net { cram-hmac-alg sha1; shared-secret \"x\"; }"),
            with(PAIR, "net { shared-secret \"x\"; }"),
        ),
        (
            "quorum-of-two",
            none,
            with(PAIR, "options { quorum off; }"),
            with(PAIR, "options { quorum majority; }"),
        ),
        (
            "fencing-without-handler",
            none,
            with(PAIR, fence),
            with(PAIR, "net { fencing resource-and-stonith; }"),
        ),
        (
            "handler-without-fencing",
            none,
            with(PAIR, fence),
            with(PAIR, "handlers { fence-peer /bin/true; }"),
        ),
        ("no-fencing", cluster, with(PAIR, fence), PAIR.to_owned()),
        (
            "fencing-protocol",
            none,
            with(PAIR, fence),
            with(PAIR, &fence.replace("net {", "net { protocol A;")),
        ),
        ("protocol", cluster, with(PAIR, fence), with(PAIR, &fence.replace("net {", "net { protocol B;"))),
        (
            "two-primaries-protocol",
            none,
            with(PAIR, &fence.replace("net {", "net { allow-two-primaries;")),
            with(PAIR, "net { protocol B; allow-two-primaries yes; }"),
        ),
        (
            "two-primaries-fencing",
            none,
            with(PAIR, &fence.replace("net {", "net { allow-two-primaries;")),
            with(PAIR, "net { allow-two-primaries yes; }"),
        ),
        ("no-unfence", none, with(PAIR, fence), with(PAIR, &fence.replace("crm-unfence-peer", "true"))),
        (
            "auto-promote",
            nine,
            with(PAIR, &format!("{fence} options {{ auto-promote no; }}")),
            with(PAIR, fence),
        ),
        (
            "conflict",
            none,
            format!(
                "{PAIR}{}",
                PAIR.replace("r0", "r1")
                    .replace("drbd0", "drbd1")
                    .replace("vdb", "vdc")
                    .replace("7789", "7790")
            ),
            format!("{PAIR}{}", PAIR.replace("r0", "r1").replace("drbd0", "drbd1").replace("vdb", "vdc")),
        ),
    ];
    for (code, intent, good, bad) in cases {
        let code = format!("drbd::{code}");
        assert!(!codes(&good, intent).contains(&code), "{code} refuses what is right:\n{good}");
        assert!(codes(&bad, intent).contains(&code), "{code} passes over:\n{bad}\n{:?}", codes(&bad, intent));
    }
}

#[test]
fn what_is_wrong_has_its_place_and_a_fix() {
    let text = "resource r0 {\n  net { protcol C; }\n  on n1 { address 10.0.0.1:7789 }\n}\n";
    let document = Document::parse("r0.res", text);
    let found: Vec<(String, usize)> =
        document.diagnostics().iter().map(|d| (d.code.clone(), d.position(text).unwrap().line)).collect();
    assert_eq!(
        found,
        [("drbd-conf::unknown-word".to_owned(), 2), ("drbd-conf::missing-semicolon".to_owned(), 3)]
    );
    assert_eq!(document.diagnostics()[0].help.as_deref(), Some("did you mean `protocol`?"));
    assert!(document.diagnostics()[1].fix.is_some());
    let value = Document::parse("x", "common { net { ping-timeout 3000; } }");
    assert!(value.diagnostics()[0].message.contains("from 1 to 300"), "{:?}", value.diagnostics());
}

#[test]
fn a_secret_is_never_shown() {
    let text = with(PAIR, "net { cram-hmac-alg sha1; shared-secret \"hunter2\"; }");
    let report = read(Some(Kind::Config), "x", &text).unwrap();
    let shown = format!("{}{report:?}", serde_json::to_string(&report).unwrap());
    assert!(!shown.contains("hunter2") && shown.contains("***"));
    assert!(report.config.unwrap().to_conf().unwrap().contains("hunter2"));
}

#[test]
fn recorded_configurations_are_read_and_written_back() {
    for name in
        ["drbd84/drbdadm-dump.r0.txt", "drbd9/drbdadm-dump.r0.txt", "offline-oracles/drbdadm-dump.txt"]
    {
        let text = esos_fixtures::text(&format!("cluster/{name}")).unwrap();
        let document = Document::parse(name, text.clone());
        assert_eq!((document.to_string(), document.diagnostics().len()), (text, 0), "{name}");
        let again = Document::parse(name, document.config().to_conf().unwrap());
        assert_eq!(again.config().normalized(), document.config().normalized(), "{name}");
        assert_eq!(document.config().resources[0].hosts.len(), 2);
    }
    let of = |name: &str| {
        read(None, name, &esos_fixtures::text(&format!("cluster/{name}")).unwrap()).unwrap().config.unwrap()
    };
    let (xml, mut dump) =
        (of("drbd9/drbdadm-dump-xml.r0.xml").normalized(), of("drbd9/drbdadm-dump.r0.txt").normalized());
    dump.resources[0].hosts.iter_mut().for_each(|h| h.node_id = None);
    assert_eq!(xml, dump);
    let (show, json) = (of("drbd9/show.r0.txt"), of("drbd9/show-json.r0.json"));
    for c in [&show, &json] {
        assert_eq!(c.value(&c.resources[0], "options", "quorum"), Some("majority"));
        assert_eq!(c.resources[0].hosts[0].volumes[0].minor, Some(0));
    }
}

#[test]
fn plans_say_who_loses_what() {
    let of = |name: &str| {
        read(None, name, &esos_fixtures::text(&format!("cluster/{name}")).unwrap()).unwrap().status.resources
            [0]
        .clone()
    };
    for dir in ["drbd84", "drbd9"] {
        let n1 = of(&format!("{dir}/events2-now.split-brain.n1.txt"));
        let n2 = of(&format!("{dir}/events2-now.split-brain.n2.txt"));
        let plan = resolve(&n1, Some(&n2), "n1", "n2", "n2").unwrap();
        let loss = plan.loss.clone().unwrap();
        assert_eq!(
            (loss.node.as_str(), loss.bytes, loss.resync_bytes),
            ("n2", Some(16 * 1024), Some(56 * 1024))
        );
        let steps: Vec<String> =
            plan.steps.iter().map(|s| format!("{}: {}", s.node, s.command.join(" "))).collect();
        assert_eq!(
            steps,
            [
                "n2: drbdadm disconnect r0",
                "n2: drbdadm connect --discard-my-data r0",
                "n1: drbdadm disconnect r0",
                "n1: drbdadm connect r0"
            ]
        );
        let plan = resolve(&n1, None, "n1", "n2", "n2").unwrap();
        assert_eq!(plan.loss.unwrap().bytes, None);
        assert!(promote(&n2, "n2").is_err());
        // Both sides have changes: a plain connect is no way out.
        assert!(connect(&n1, "n1").is_err());
        let fine = of(&format!("{dir}/events2-now.both-secondary.n1.txt"));
        assert!(
            resolve(&fine, None, "n1", "n2", "n2").is_err() && promote(&fine, "n1").unwrap().steps.len() == 1
        );
        assert!(verify(&fine, "n1").is_ok() && verify(&n1, "n1").is_err());
    }
}

proptest! {
    #[test]
    fn any_text_is_kept_and_breaks_nothing(text in "([a-z]{1,6}|[ \n;{}\"#\\\\]|resource r|on n|volume 0|net|disk|device|address 1:2){0,40}") {
        let document = Document::parse("x", text.clone());
        prop_assert_eq!(document.to_string(), text);
        let _findings = lint(&document, Intent { generation: Some(9), cluster: true });
        let _config = document.config().normalized();
    }
}
