//! Every lint of `corosync.conf` and of a CIB: one accepted and one rejected example.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]
use esos_cluster::{Cib, ClusterSpec, CorosyncDocument, lint_cib, lint_corosync, read_cib};

#[test]
fn each_corosync_lint_accepts_and_rejects() {
    let spec = ClusterSpec::parse(&esos_fixtures::text("cluster/pair.toml").unwrap()).unwrap();
    let good = spec.corosync().to_conf();
    let codes = |text: &str| -> Vec<String> {
        lint_corosync(&CorosyncDocument::parse("x", text)).into_iter().map(|d| d.code).collect()
    };
    assert_eq!(codes(&good), [""; 0], "{good}");
    let cases = [
        ("no-nodes", good.replace("nodelist {", "nodelist_ {")),
        ("no-nodeid", good.replace("nodeid: 2\n", "")),
        ("no-name", good.replace("name: n2\n", "")),
        ("no-address", good.replace("ring0_addr: 10.0.0.2\n", "").replace("ring1_addr: 10.1.0.2\n", "")),
        ("links-differ", good.replace("ring1_addr: 10.1.0.2\n", "")),
        ("duplicate", good.replace("nodeid: 2", "nodeid: 1")),
        ("loopback", good.replace("10.0.0.2", "127.0.0.1")),
        ("one-link", good.replace("ring1_addr: 10.1.0.2\n", "").replace("ring1_addr: 10.1.0.1\n", "")),
        ("version", good.replace("version: 2\n", "")),
        ("crypto-transport", good.replace("transport: knet", "transport: udpu")),
        ("crypto-hash", good.replace("crypto_hash: sha256", "crypto_hash: none")),
        ("no-crypto", good.replace("crypto_cipher: aes256", "crypto_cipher: none")),
        ("consensus", good.replace("token: 1000", "token: 1000\nconsensus: 1100")),
        ("token-short", good.replace("token: 1000", "token: 300")),
        ("token-long", good.replace("token: 1000", "token: 30000")),
        ("no-cluster-name", good.replace("cluster_name: pair\n", "")),
        ("links-transport", good.replace("transport: knet", "transport: udpu")),
        ("no-quorum", good.replace("provider: corosync_votequorum\n", "")),
        ("two-node", good.replace("two_node: 1\n", "")),
        (
            "two-node-device",
            good.replace(
                "two_node: 1\n",
                "two_node: 1\ndevice {\nmodel: net\nnet {\nhost: q\nalgorithm: ffsplit\n}\n}\n",
            ),
        ),
        (
            "two-node-count",
            good.replace(
                "nodelist {\n",
                "nodelist {\nnode {\nname: n3\nnodeid: 3\nring0_addr: 10.0.0.3\nring1_addr: 10.1.0.3\n}\n",
            ),
        ),
        ("wait-for-all", good.replace("two_node: 1\n", "two_node: 1\nwait_for_all: 0\n")),
        ("device", good.replace("two_node: 1\n", "device {\nmodel: net\n}\n")),
        (
            "tie-breaker",
            good.replace("two_node: 1\n", "auto_tie_breaker: 1\n").replace(
                "nodelist {\n",
                "nodelist {\nnode {\nname: n3\nnodeid: 3\nring0_addr: 10.0.0.3\nring1_addr: 10.1.0.3\n}\n",
            ),
        ),
        ("expected-votes", good.replace("two_node: 1\n", "two_node: 1\nexpected_votes: 5\n")),
    ];
    for (code, bad) in cases {
        assert!(codes(&bad).contains(&format!("corosync::{code}")), "{code}: {:?}\n{bad}", codes(&bad));
    }
    let brace = CorosyncDocument::parse("x", "totem { version: 2\n}\n");
    assert!(brace.diagnostics().iter().any(|d| d.code == "corosync::behind-brace" && d.fix.is_some()));
    let token = CorosyncDocument::parse("x", "totem {\n    token: abc\n}\n");
    assert_eq!(token.diagnostics()[0].position("totem {\n    token: abc\n}\n").unwrap().to_string(), "2:12");
}

#[test]
fn each_cib_lint_accepts_and_rejects() {
    let spec = ClusterSpec::parse(&esos_fixtures::text("cluster/pair.toml").unwrap()).unwrap();
    assert!(!format!("{spec:?}").contains("hunter2"));
    let good = spec.cib();
    let codes = |c: &Cib| -> Vec<String> { lint_cib(c, None).into_iter().map(|d| d.code).collect() };
    assert_eq!(codes(&good), [""; 0]);
    let xml = good.to_xml();
    let with = |from: &str, to: &str| {
        assert!(xml.contains(from), "{from}\n{xml}");
        read_cib("x", &xml.replacen(from, to, 1)).unwrap()
    };
    let all = |from: &str, to: &str| read_cib("x", &xml.replace(from, to)).unwrap();
    let cases: Vec<(&str, Cib)> = vec![
        (
            "fencing-off",
            with("name=\"stonith-enabled\" value=\"true\"", "name=\"stonith-enabled\" value=\"false\""),
        ),
        ("no-fencing", all("class=\"stonith\"", "class=\"lsb\"")),
        ("quorum-ignored", all("class=\"stonith\"", "class=\"lsb\"").clone()),
        (
            "fence-race",
            with(
                "name=\"priority-fencing-delay\" value=\"10s\"",
                "name=\"priority-fencing-delay\" value=\"0\"",
            ),
        ),
        ("no-priority", with("name=\"priority\" value", "name=\"x-priority\" value")),
        (
            "no-watchdog",
            with(
                "<nvpair id=\"cib-bootstrap-options-stonith-enabled\"",
                "<nvpair id=\"w1\" name=\"stonith-watchdog-timeout\" value=\"10\"/><nvpair id=\"w2\" name=\"have-watchdog\" value=\"false\"/><nvpair id=\"cib-bootstrap-options-stonith-enabled\"",
            ),
        ),
        ("unknown-resource", with("with-rsc=\"ms-drbd-r0\"", "with-rsc=\"ms-nope\"")),
        ("unknown-node", with("node=\"n1\" score", "node=\"n9\" score")),
        ("duplicate-id", with("id=\"o-r0\"", "id=\"c-r0\"")),
        ("no-notify", with("name=\"notify\" value=\"true\"", "name=\"notify\" value=\"false\"")),
        ("promoted-max", with("name=\"promoted-max\" value=\"1\"", "name=\"promoted-max\" value=\"2\"")),
        (
            "clone-node-max",
            with("name=\"clone-node-max\" value=\"1\"", "name=\"clone-node-max\" value=\"2\""),
        ),
        ("not-promotable", with("name=\"promotable\" value=\"true\"", "name=\"promotable\" value=\"false\"")),
        ("no-monitor", all("name=\"monitor\"", "name=\"start\"")),
        (
            "no-promoted-monitor",
            with(
                "name=\"monitor\" interval=\"9s\" role=\"Promoted\"",
                "name=\"start\" interval=\"9s\" role=\"Promoted\"",
            ),
        ),
        ("same-interval", with("interval=\"11s\"", "interval=\"9s\"")),
        ("no-order", all("first=\"ms-drbd-r0\" then", "first=\"fence-n1\" then")),
        ("no-colocation", with("with-rsc-role=\"Promoted\"", "with-rsc-role=\"Started\"")),
        ("alua-serving", all("type=\"scst-alua\"", "type=\"alua\"").clone()),
        ("moved", with("id=\"c-r0\"", "id=\"cli-ban-ms-scst-r0-on-n1\"")),
        ("drbd-fenced", with("id=\"c-r0\"", "id=\"drbd-fence-by-handler-r0-ms-drbd-r0\"")),
        (
            "maintenance",
            with(
                "name=\"no-quorum-policy\"",
                "name=\"maintenance-mode\" value=\"true\"/><nvpair id=\"q\" name=\"no-quorum-policy\"",
            ),
        ),
    ];
    for (code, mut bad) in cases {
        if code == "quorum-ignored" {
            bad.properties.insert("no-quorum-policy".to_owned(), "ignore".to_owned());
        }
        if code == "alua-serving" {
            bad =
                read_cib("x", &bad.to_xml().replace("value=\"standby\"", "value=\"nonoptimized\"")).unwrap();
        }
        assert!(codes(&bad).contains(&format!("cib::{code}")), "{code}: {:?}", codes(&bad));
    }
}
