//! Every recording against the tables that were written by hand.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test")]
use esos_cluster::{
    Cluster, CrmExit, FailureKind, Resource, ToolFailure, explain, links, monitor, quorum, read_cib,
    simulated,
};
use proptest::prelude::*;

fn fixture(name: &str) -> String {
    esos_fixtures::text(&format!("cluster/{name}")).unwrap()
}

fn table(name: &str) -> Vec<Vec<String>> {
    let text = fixture(name);
    let rows = text.lines().filter(|l| !l.starts_with('#'));
    rows.map(|l| l.split('\t').map(str::to_owned).collect()).collect()
}

fn state(name: &str) -> Cluster {
    monitor(name, &fixture(&format!("pacemaker/{name}"))).unwrap_or_else(|e| panic!("{name}: {e}")).cluster
}

fn words(c: &Cluster) -> (String, String, String, String) {
    let quorum = c.quorum.map_or("-", |q| if q { "yes" } else { "no" });
    let dc = c.dc.as_ref().map_or("-".to_owned(), |d| d.name.clone());
    let mut nodes: Vec<String> = c.nodes.iter().map(|n| format!("{}={}", n.name, n.state())).collect();
    nodes.sort();
    let mut active: Vec<String> = Vec::new();
    for r in c.resources.iter().flat_map(Resource::primitives).filter(|r| r.active) {
        active.extend(r.nodes.iter().map(|n| format!("{}={}@{n}", r.id, r.role)));
    }
    active.sort();
    let or = |v: Vec<String>| if v.is_empty() { "-".to_owned() } else { v.join(" ") };
    (quorum.to_owned(), dc, or(nodes), or(active))
}

#[test]
fn every_state_is_what_the_table_says() {
    let rows = table("expected-pacemaker.tsv");
    for row in &rows {
        let [name, quorum, dc, nodes, active] = row.as_slice() else { panic!("{row:?}") };
        let c = state(&format!("{name}.xml"));
        assert_eq!(words(&c), (quorum.clone(), dc.clone(), nodes.clone(), active.clone()), "{name}");
    }
    assert!(rows.len() >= 22);
    // The older spelling of the same call.
    let old = state("crm_mon-as-xml-deprecated.2n-all-started.xml");
    assert_eq!(words(&old), words(&state("crm_mon.2n-all-started.xml")));
    let pending = state("crm_mon-as-xml-esos-pending_fence-call.fencing-pending.xml");
    assert!(
        pending.fencing.iter().any(|e| e.state == esos_cluster::Fencing::Pending && e.target == "n2"),
        "{:?}",
        pending.fencing
    );
}

#[test]
fn explain_says_what_was_agreed() {
    let rows = table("expected-explain.tsv");
    for row in &rows {
        let [name, resource, sentence] = row.as_slice() else { panic!("{row:?}") };
        let answer = explain(&state(name), resource, None).unwrap();
        assert_eq!(&answer.sentence(), sentence, "{name}");
    }
    assert!(rows.len() > 60, "{}", rows.len());
}

/// States that were not recorded: the sentences must follow from the state, not from a file.
#[test]
fn explain_of_other_states() {
    let xml = |nodes: &str, resources: &str, more: &str| {
        format!(
            "<pacemaker-result api-version=\"2.38\" request=\"crm_mon\"><summary><current_dc present=\"true\" version=\"3.0.0\" name=\"a\" id=\"1\" with_quorum=\"true\" mixed_version=\"false\"/><cluster_options stonith-enabled=\"true\" no-quorum-policy=\"stop\" maintenance-mode=\"false\"/></summary><nodes>{nodes}</nodes><resources>{resources}</resources>{more}<status code=\"0\" message=\"OK\"/></pacemaker-result>"
        )
    };
    let node = |name: &str, online: bool, unclean: bool| {
        format!(
            "<node name=\"{name}\" id=\"1\" online=\"{online}\" standby=\"false\" standby_onfail=\"false\" maintenance=\"false\" pending=\"false\" unclean=\"{unclean}\" shutdown=\"false\" is_dc=\"false\"/>"
        )
    };
    let instance = |role: &str, node: &str| {
        format!(
            "<resource id=\"scst\" resource_agent=\"ocf:esos:scst-alua\" role=\"{role}\" active=\"true\" orphaned=\"false\" blocked=\"false\" managed=\"true\" failed=\"false\" failure_ignored=\"false\" nodes_running_on=\"1\"><node name=\"{node}\" id=\"1\" cached=\"true\"/></resource>"
        )
    };
    let clone = |inner: &str| {
        format!(
            "<clone id=\"ms-scst\" multi_state=\"true\" unique=\"false\" managed=\"true\" disabled=\"false\" failed=\"false\">{inner}</clone>"
        )
    };
    let both = format!("{}{}", node("a", true, false), node("b", true, false));
    let say = |text: &str, id: &str, at: Option<&str>| {
        explain(&monitor("x", text).unwrap().cluster, id, at).unwrap()
    };
    let ban = "<bans><ban id=\"drbd-fence-by-handler-r0-ms-scst\" resource=\"ms-scst\" node=\"b\" weight=\"-1000000\" promoted-only=\"true\"/></bans>";
    let only = clone(&format!("{}{}", instance("Unpromoted", "a"), instance("Unpromoted", "b")));
    let e = say(&xml(&both, &only, ban), "ms-scst", None);
    assert!(
        e.sentence().contains("promoted nowhere")
            && e.why.contains("DRBD's fence constraint")
            && e.why.contains("off b"),
        "{}",
        e.sentence()
    );
    let e = say(&xml(&both, &only, ""), "scst", None);
    assert!(e.why.contains("no node has a promotion score"), "{}", e.sentence());
    let scored = "<node_attributes><node name=\"b\"><attribute name=\"master-scst\" value=\"100\"/></node></node_attributes>";
    let e = say(&xml(&both, &only, scored), "ms-scst", None);
    assert!(e.why.contains("b (100) could be promoted"), "{}", e.sentence());
    let cut = format!("{}{}", node("a", true, false), node("b", false, true));
    let there = clone(&format!("{}{}", instance("Promoted", "b"), instance("Unpromoted", "a")));
    let e = say(
        &xml(
            &cut,
            &there,
            "<fence_history><fence_event action=\"reboot\" target=\"b\" status=\"pending\"/></fence_history>",
        ),
        "ms-scst",
        None,
    );
    assert!(
        e.state.contains("b (unclean)")
            && e.why.contains("fencing b is pending")
            && e.advice.contains("stonith_admin --confirm b"),
        "{}",
        e.sentence()
    );
    let e = say(&xml(&cut, &there, ""), "ms-scst", None);
    assert!(e.why.contains("no fencing of it was begun"), "{}", e.sentence());
    let e = say(
        &xml(&both, &clone(&format!("{}{}", instance("Master", "a"), instance("Slave", "b"))), ""),
        "ms-scst",
        Some("b"),
    );
    assert!(e.state == "unpromoted on b", "{}", e.sentence());
    let failed = "<failures><failure op_key=\"scst_promote_0\" node=\"a\" exitstatus=\"error\" exitreason=\"device disk1 did not open\" exitcode=\"1\" call=\"9\" status=\"complete\" last-rc-change=\"2026-11-25 10:00:00Z\" task=\"promote\"/></failures>";
    let stopped = clone(
        "<resource id=\"scst\" resource_agent=\"ocf:esos:scst-alua\" role=\"Stopped\" active=\"false\" orphaned=\"false\" blocked=\"false\" managed=\"true\" failed=\"false\" failure_ignored=\"false\" nodes_running_on=\"0\"/>",
    );
    let e = say(&xml(&both, &stopped, failed), "ms-scst", None);
    assert!(
        e.why.contains("promote of scst failed on a (error: device disk1 did not open)"),
        "{}",
        e.sentence()
    );
}

#[test]
fn the_other_tools_are_read_too() {
    let q = |name: &str| quorum(name, &fixture(&format!("pacemaker/{name}"))).unwrap();
    assert!(q("quorumtool-s.2n-online.txt").quorate && q("quorumtool-s.2n-one-left.txt").quorate);
    let lost = q("quorumtool-s.3n-quorum-lost.txt");
    assert_eq!((lost.quorate, lost.expected, lost.total, lost.needed), (false, 3, 1, 2));
    assert!(q("quorumtool-s.2n-online.txt").flags.contains(&"2Node".to_owned()));
    assert_eq!(q("quorumtool-s.2n-online.txt").members.len(), 2);
    let l = links("x", &fixture("pacemaker/cfgtool-s.2n-online.txt")).unwrap();
    assert_eq!(l.iter().map(|l| l.state.as_str()).collect::<Vec<_>>(), ["localhost", "connected"]);
    assert_eq!(links("x", &fixture("pacemaker/cfgtool-n.2n-online.txt")).unwrap().len(), 1);
    for name in
        ["cibadmin-Q.2n-all-started.xml", "cibadmin-Q.2n-no-resources.xml", "cibadmin-Q.2n-node-standby.xml"]
    {
        let mut cib = read_cib(name, &fixture(&format!("pacemaker/{name}"))).unwrap();
        // The configuration alone names no schema.
        cib.schema.get_or_insert_with(|| "pacemaker-3.7".to_owned());
        assert_eq!(cib.nodes.len(), 2, "{name}");
        // Written and read again, nothing is lost.
        assert_eq!(read_cib(name, &cib.to_xml()).unwrap(), cib, "{name}");
    }
    let after = simulated("x", &fixture("offline-oracles/crm_simulate.node-down-n2.xml")).unwrap().cluster;
    assert_eq!(words(&after).3, "d1=Started@n1 g1=Started@n1 g2=Started@n1 sim=Promoted@n1");
}

#[test]
fn every_failure_has_a_kind_and_advice() {
    let wanted = [
        ("cfgtool.no-corosync", 1, FailureKind::NotRunning),
        ("cmapctl.no-corosync", 1, FailureKind::NotRunning),
        ("quorumtool.no-corosync", 1, FailureKind::NotRunning),
        ("cibadmin-Q.no-cluster", 102, FailureKind::NotRunning),
        ("cmapctl-g.missing", 1, FailureKind::NoSuchObject),
        ("cibadmin-Q-xpath.none", 105, FailureKind::NoSuchObject),
        ("crm_resource-locate.missing", 105, FailureKind::NoSuchObject),
        ("crm_resource-setmeta.missing", 105, FailureKind::NoSuchObject),
        ("crm_attribute-G.missing", 105, FailureKind::NoSuchObject),
        ("cibadmin-C.invalid-primitive", 78, FailureKind::InvalidConfiguration),
        ("cibadmin-R.malformed", 103, FailureKind::Stale),
    ];
    for (name, exit, kind) in wanted {
        let f = ToolFailure::of(Some(exit), &fixture(&format!("pacemaker/{name}.err.stderr")));
        assert_eq!((f.exit, f.kind), (Some(exit), kind), "{name}: {f}");
        assert!(f.advice.len() > 15, "{name}");
    }
    assert_eq!(ToolFailure::of(Some(106), "").kind, FailureKind::NoQuorum);
    for name in ["crm_mon.no-cluster.err", "crm_resource-list.no-cluster.err"] {
        assert!(monitor(name, &fixture(&format!("pacemaker/{name}"))).is_err(), "{name}");
    }
    // The table of exit codes is Pacemaker's own.
    let text = fixture("pacemaker/crm_error-exit-list.xml");
    let codes: Vec<(i32, &str)> = text
        .split("<result-code code=\"")
        .skip(1)
        .map(|p| {
            let mut q = p.split('"');
            (q.next().unwrap().parse().unwrap(), q.nth(1).unwrap())
        })
        .collect();
    assert_eq!(codes.len(), CrmExit::ALL.len());
    for (code, words) in codes {
        assert_eq!(CrmExit::of(code).text(), words, "{code}");
    }
}

/// All nodes well, quorum, every resource active and none failed.
fn good(c: &Cluster) -> bool {
    let all: Vec<&Resource> = c.resources.iter().flat_map(Resource::primitives).collect();
    c.quorum == Some(true)
        && !c.nodes.is_empty()
        && c.nodes.iter().all(|n| n.can_run())
        && !all.is_empty()
        && all.iter().all(|r| r.active && !r.failed && !r.blocked && r.managed && r.pending.is_none())
        && !c.option("maintenance-mode", false)
        && c.failures.is_empty()
        && c.fencing.iter().all(|e| e.state == esos_cluster::Fencing::Success)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_bad_state_never_turns_good_in_silence(which in 0usize..100, how in 0u8..5, at in 0usize..9000, byte in 0u8..=255) {
        let bad = ["2n-unclean-fencing-failed", "2n-peer-fenced-off", "2n-node-standby", "2n-stop-failed-blocked-no-stonith", "3n-partition-minority-quorum-lost", "2n-resource-unmanaged", "2n-cluster-maintenance", "2n-resource-not-installed"];
        let name = format!("crm_mon.{}.xml", bad[which % bad.len()]);
        let mut bytes = fixture(&format!("pacemaker/{name}")).into_bytes();
        prop_assert!(!good(&monitor("x", std::str::from_utf8(&bytes).unwrap()).unwrap().cluster), "{}", name);
        let at = at % bytes.len();
        match how {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, byte),
            2 => bytes[at] = byte,
            3 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << (byte % 8),
        }
        if let Ok(seen) = monitor("x", &String::from_utf8_lossy(&bytes)) {
            prop_assert!(!good(&seen.cluster) || !seen.warnings.is_empty(), "{name} {how} {at}");
            for r in &seen.cluster.resources {
                let _answer = explain(&seen.cluster, &r.id, None);
            }
        }
    }
}
