//! States and outputs that nobody here recorded: bundles, guests, groups in part, orphans, filters, other
//! versions' words.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
use esos_cluster::{
    Cluster, Explanation, Role, Seen, cmap, explain, fence_list, lint_cib, located, monitor, read_cib, why,
};
use esos_diag::Severity;

fn seen(options: &str, nodes: &str, resources: &str, more: &str) -> Seen {
    let text = format!(
        "<pacemaker-result api-version=\"2.41\" request=\"crm_mon\"><summary><current_dc present=\"true\" version=\"3.0.1\" name=\"a\" id=\"1\" with_quorum=\"true\" mixed_version=\"false\"/><cluster_options fencing-enabled=\"true\" no-quorum-policy=\"stop\" {options}/></summary><nodes>{nodes}</nodes><resources>{resources}</resources>{more}<status code=\"0\" message=\"OK\"/></pacemaker-result>"
    );
    monitor("x", &text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn node(name: &str, online: bool, more: &str) -> String {
    format!(
        "<node name=\"{name}\" id=\"{name}\" online=\"{online}\" standby=\"false\" standby_onfail=\"false\" maintenance=\"false\" pending=\"false\" unclean=\"false\" shutdown=\"false\" is_dc=\"false\" {more}/>"
    )
}

fn one(id: &str, role: &str, at: &[&str], flags: &str) -> String {
    let flag = |name: &str, or: &str| {
        let key = format!("{name}=");
        if flags.contains(&key) { String::new() } else { format!(" {name}=\"{or}\"") }
    };
    let nodes: String = at.iter().map(|n| format!("<node name=\"{n}\" id=\"1\" cached=\"true\"/>")).collect();
    let active = !at.is_empty();
    format!(
        "<resource id=\"{id}\" resource_agent=\"ocf:pacemaker:Dummy\" role=\"{role}\" active=\"{active}\"{}{}{}{} {flags}>{nodes}</resource>",
        flag("orphaned", "false"),
        flag("blocked", "false"),
        flag("managed", "true"),
        flag("failed", "false"),
    )
}

fn two() -> String {
    format!("{}{}", node("a", true, "type=\"member\""), node("b", true, "type=\"member\""))
}

fn say(c: &Cluster, id: &str) -> Explanation {
    explain(c, id, None).unwrap()
}

#[test]
fn resources_below_their_nodes_are_found() {
    let below = |name: &str, inner: &str| {
        node(name, true, "type=\"member\"").replace("/>", &format!(">{inner}</node>"))
    };
    let nodes = format!(
        "{}{}",
        below("a", &format!("{}{}", one("d", "Started", &["a"], ""), one("p", "Started", &["a"], ""))),
        below("b", &one("p", "Started", &["b"], ""))
    );
    let s = seen("", &nodes, "", "");
    assert_eq!(s.warnings, [""; 0]);
    assert_eq!(say(&s.cluster, "d").state, "running on a");
    assert_eq!(say(&s.cluster, "p").state, "running on a and b");
    assert_eq!(s.cluster.nodes.len(), 2);
}

#[test]
fn a_container_that_is_off_says_nothing_of_other_resources() {
    let nodes = format!("{}{}", two(), node("w-1", false, "type=\"remote\" id_as_resource=\"w-docker-1\""));
    let bundle = format!(
        "<bundle id=\"w\" type=\"podman\" image=\"x\" unique=\"false\" managed=\"true\" failed=\"false\"><replica id=\"0\">{}{}</replica></bundle>",
        one("w-podman-0", "Started", &["a"], ""),
        one("httpd", "Started", &["w-0"], "")
    );
    let nodes = format!("{nodes}{}", node("w-0", true, "type=\"remote\" id_as_resource=\"w-podman-0\""));
    let s = seen("", &nodes, &format!("{bundle}{}", one("d", "Started", &["b"], "")), "");
    assert_eq!(s.warnings, [""; 0]);
    assert!(say(&s.cluster, "d").well, "{}", say(&s.cluster, "d").sentence());
    assert_eq!(say(&s.cluster, "w").state, "running on a");
}

#[test]
fn what_failed_and_is_still_there_was_not_recovered() {
    let failure = "<failures><failure op_key=\"d2_monitor_10000\" node=\"b\" exitstatus=\"not running\" exitreason=\"none\" exitcode=\"7\" call=\"9\" status=\"complete\" last-rc-change=\"T\" task=\"monitor\"/></failures>";
    let group = format!(
        "<group id=\"g\" number_resources=\"3\" managed=\"true\" disabled=\"false\">{}{}{}</group>",
        one("d1", "Started", &["b"], ""),
        one("d2", "Started", &["b"], "failed=\"true\""),
        one("d3", "Stopped", &[], "")
    );
    let c = seen("", &two(), &group, failure).cluster;
    let e = say(&c, "g");
    assert_eq!(e.why, "monitor of d2 failed on b (not running), and Pacemaker has not recovered it");
    assert!(!e.well && e.state == "running on b, without d3", "{}", e.sentence());
    let part = group.replace("failed=\"true\"", "failed=\"false\"");
    let e = say(&seen("", &two(), &part, "").cluster, "g");
    assert!(!e.well && e.why.starts_with("d3 does not run"), "{}", e.sentence());
    let clone = format!(
        "<clone id=\"c\" multi_state=\"false\" unique=\"false\" managed=\"true\" disabled=\"false\" failed=\"false\">{}{}</clone>",
        one("p", "Started", &["a"], ""),
        one("p", "Stopped", &[], "")
    );
    let e = say(&seen("", &two(), &clone, &failure.replace("d2_", "p_")).cluster, "c");
    assert!(e.why.ends_with("failed on b (not running), and it does not run there"), "{}", e.sentence());
}

/// What had to be tried twice on the way does not hide why the service moved. The agent's words come as Pacemaker
/// 3.0.0 writes them: escaped twice.
#[test]
fn a_fenced_box_is_told_before_what_was_recovered() {
    let nodes = format!("{}{}", node("a", true, "type=\"member\""), node("b", false, "type=\"member\""));
    let more = "<failures><failure op_key=\"d_promote_0\" node=\"a\" exitstatus=\"error\" exitreason=\"open(&amp;quot;r0&amp;quot;) &amp;lt;1&amp;gt; said &amp;apos;EBUSY&amp;apos; &amp;amp;quot;\" exitcode=\"1\" call=\"9\" status=\"complete\" last-rc-change=\"T1\" task=\"promote\"/></failures><fence_history><fence_event action=\"reboot\" target=\"b\" client=\"x\" origin=\"a\" delegate=\"a\" status=\"success\" completed=\"T0\"/></fence_history>";
    let clone = format!(
        "<clone id=\"c\" multi_state=\"true\" unique=\"false\" managed=\"true\" disabled=\"false\" failed=\"false\">{}{}</clone>",
        one("d", "Promoted", &["a"], ""),
        one("d", "Stopped", &[], "")
    );
    let e = say(&seen("", &nodes, &clone, more).cluster, "c");
    assert_eq!(
        e.why,
        "b was fenced by a at T0 and is off; promote of d failed on a (error: open(\"r0\") <1> said 'EBUSY' &quot;), and it was recovered"
    );
    assert!(e.advice.contains("bring b back") && e.advice.contains("crm resource cleanup d"), "{}", e.advice);
    assert!(!e.well);
    // A failure alone is told as before.
    let alone = say(&seen("", &two(), &clone, more).cluster, "c");
    assert!(alone.why.starts_with("promote of d failed on a"), "{}", alone.why);
}

/// A monitor that comes round again is no operation to wait for; what it found the last time is told.
#[test]
fn a_running_monitor_hides_nothing() {
    let failure = "<failures><failure op_key=\"d_monitor_5000\" node=\"a\" exitstatus=\"error\" exitreason=\"\" exitcode=\"1\" call=\"9\" status=\"Timed Out\" last-rc-change=\"T\" task=\"monitor\"/></failures>";
    let c = seen("", &two(), &one("d", "Started", &["a"], "pending=\"Monitoring\""), failure).cluster;
    assert!(!c.resources[0].busy() && say(&c, "d").why.contains("Timed Out"), "{}", say(&c, "d").sentence());
    let c = seen("", &two(), &one("d", "Stopped", &[], "pending=\"Monitoring\""), "").cluster;
    assert!(c.resources[0].busy(), "a probe must end first");
    let c = seen("", &two(), &one("d", "Starting", &["a"], "pending=\"Starting\""), "").cluster;
    assert!(say(&c, "d").why.contains("operation of d is running"), "{}", say(&c, "d").sentence());
}

#[test]
fn what_runs_elsewhere_is_told_where() {
    let c = seen("", &two(), &one("d", "Started", &["a"], ""), "").cluster;
    let e = explain(&c, "d", Some("b")).unwrap();
    assert_eq!(
        e.sentence(),
        "d is not running on b: it runs on a, and one place is all that it has; nothing is to be done"
    );
}

#[test]
fn orphans_targets_locks_and_switches() {
    let e = say(&seen("", &two(), &one("o", "Started", &["a"], "orphaned=\"true\""), "").cluster, "o");
    assert!(!e.well && e.why.contains("orphan"), "{}", e.sentence());
    // Pacemaker 3 has another word for it.
    let newer = one("o", "Started", &["a"], "orphaned=\"x\"").replace("orphaned=\"x\"", "removed=\"true\"");
    assert!(seen("", &two(), &newer, "").cluster.resources[0].orphaned);
    let off = seen("", &two(), &one("d", "Stopped", &[], "target_role=\"stopped\""), "").cluster;
    assert_eq!(off.resources[0].target_role, Some(Role::Stopped));
    assert!(say(&off, "d").why.contains("target-role=Stopped"));
    let e = say(&seen("stop-all-resources=\"true\"", &two(), &one("d", "Stopped", &[], ""), "").cluster, "d");
    assert!(e.why.contains("stop-all-resources"), "{}", e.sentence());
    // Something runs, so that it is not for want of fencing.
    let other = one("x", "Started", &["a"], "");
    let locked = format!("{other}{}", one("d", "Stopped", &[], "locked_to=\"b\""));
    let e = say(&seen("", &two(), &locked, "").cluster, "d");
    assert!(e.why.contains("locked to b"), "{}", e.sentence());
    let stopped = format!("{other}{}", one("d", "Stopped", &[], ""));
    let e = say(&seen("symmetric-cluster=\"false\"", &two(), &stopped, "").cluster, "d");
    assert!(e.why.contains("symmetric-cluster=false"), "{}", e.sentence());
}

#[test]
fn what_runs_where_nobody_is_is_told_so() {
    let nodes = format!("{}{}", node("a", true, ""), node("b", false, ""));
    let s = seen("maintenance-mode=\"true\"", &nodes, &one("d", "Started", &["b"], "managed=\"false\""), "");
    assert_eq!(say(&s.cluster, "d").state, "running on b (offline)");
}

const CIB: &str = r#"<cib validate-with="pacemaker-3.7"><configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="fencing-enabled" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes><resources>
<primitive id="f" class="stonith" type="fence_ipmilan"/><template id="t" class="ocf" provider="pacemaker" type="Dummy"/>
<primitive id="d" template="t"/><bundle id="w"><podman image="x"/><network ip-range-start="10.0.0.1"/><primitive id="h" class="ocf" provider="heartbeat" type="apache"/></bundle>
<primitive id="vm" class="ocf" provider="heartbeat" type="VirtualDomain"><meta_attributes id="m"><nvpair id="m1" name="remote-node" value="guest1"/></meta_attributes></primitive>
</resources><constraints><rsc_colocation id="c1" rsc="d" with-rsc="w"/><rsc_order id="c2" first="t" then="h"/><rsc_location id="c3" rsc="tag" node="guest1" score="1"/><rsc_location id="c4" rsc="d" node="w-0" score="1"/></constraints>
<tags><tag id="tag"><obj_ref id="d"/></tag></tags></configuration><status/></cib>"#;

#[test]
fn a_cib_with_bundles_templates_tags_and_guests() {
    let cib = read_cib("x", CIB).unwrap();
    let errors: Vec<_> = lint_cib(&cib, None)
        .into_iter()
        .filter(|f| f.severity == Severity::Error || f.code == "cib::unknown-node")
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(read_cib("x", &cib.to_xml()).unwrap(), cib);
    let wrong = read_cib("x", &CIB.replace("with-rsc=\"w\"", "with-rsc=\"nope\"")).unwrap();
    assert!(lint_cib(&wrong, None).iter().any(|f| f.code == "cib::unknown-resource"));
}

#[test]
fn answers_of_crm_resource_stonith_admin_and_cmapctl() {
    let fixture = |name: &str| esos_fixtures::text(&format!("cluster/pacemaker/{name}")).unwrap();
    for name in ["promotable.xml", "promotable.txt", "promotable-instance.txt"] {
        let l = located(name, &fixture(&format!("crm_resource-locate.{name}"))).unwrap();
        let at = [("n1".to_owned(), Role::Started), ("n2".to_owned(), Role::Promoted)];
        assert_eq!(l.nodes, at, "{name}");
    }
    let none = located("x", "resource d1 is NOT running\n").unwrap();
    assert_eq!((none.resource.as_deref(), none.nodes.len()), (Some("d1"), 0));
    assert!(
        located("x", &fixture("crm_resource-locate.missing.xml")).unwrap_err().to_string().contains("nope")
    );
    assert!(located("x", "").is_err());

    let blocked = why("x", &fixture("crm_resource-why.g2-blocked.xml")).unwrap();
    assert_eq!(blocked.running, Some(true));
    assert!(blocked.resources[0].sentence().unwrap().contains("g-tgt is to stay stopped"));
    let lost = why("x", &fixture("crm_resource-why.quorum-lost.xml")).unwrap();
    let rows: Vec<_> = lost.resources.iter().map(|r| (r.id.as_str(), r.running)).collect();
    assert_eq!(rows, [("d1", Some(false)), ("ms-sim", Some(false)), ("g-tgt", Some(false))]);
    let more = "<pacemaker-result><reason running=\"false\"><check id=\"d\" unmanaged=\"true\" locked-to=\"b\" moon=\"full\"/></reason><status code=\"0\"/></pacemaker-result>";
    let said = why("x", more).unwrap().resources[0].sentence().unwrap();
    assert!(
        said.contains("unmanaged") && said.contains("locked to b") && said.contains("moon is full"),
        "{said}"
    );

    let devices = fence_list("x", &fixture("stonith_admin-L.one.xml")).unwrap();
    assert_eq!(
        (devices.name.as_str(), devices.items),
        ("registered fence devices", vec!["fence-ns".to_owned()])
    );
    assert!(fence_list("x", &fixture("stonith_admin-L.none.xml")).unwrap().items.is_empty());
    let done = fence_list("x", &fixture("stonith_admin-history.after-fence.xml")).unwrap();
    assert_eq!((done.events[0].target.as_str(), done.events[0].state.as_str()), ("n2", "success"));
    let shorter = fixture("stonith_admin-history.after-fence.xml").replace("count=\"1\"", "count=\"2\"");
    assert!(fence_list("x", &shorter).is_err(), "a list that is shorter than it says passes");

    let map = cmap("x", &fixture("cmapctl.2n-online.txt")).unwrap();
    assert_eq!(map.get("totem.transport"), Some("knet"));
    let members: Vec<_> = map.members().into_iter().map(|m| (m.id, m.status)).collect();
    assert_eq!(members, [(1, "joined".to_owned()), (2, "joined".to_owned())]);
    let stats = cmap("x", &fixture("cmapctl-stats.2n-online.txt")).unwrap();
    assert_eq!(stats.links(), [(1, 0, true), (2, 0, true)]);
    assert!(cmap("x", "nonsense\n").is_err() && cmap("x", "a (u8) = 1").is_err());
}

#[test]
fn links_that_do_not_meet_and_sections_that_we_never_write() {
    let text = |ring: &str| {
        format!(
            "totem {{\n version: 2\n cluster_name: x\n}}\nquorum {{\n provider: corosync_votequorum\n two_node: 1\n}}\nnodelist {{\n node {{\n  name: a\n  nodeid: 1\n  ring0_addr: 10.0.0.1\n }}\n node {{\n  name: b\n  nodeid: 2\n  {ring}_addr: 10.0.0.2\n }}\n}}\nnozzle {{\n name: noz1\n ipaddr: 192.168.3.0\n ipprefix: 24\n}}\nresources {{\n system {{\n  memory_used {{\n   recovery: shutdown\n   max: 80\n  }}\n }}\n}}\n"
        )
    };
    let codes = |text: String| {
        let document = esos_cluster::CorosyncDocument::parse("x", text);
        let mut all = document.diagnostics().to_vec();
        all.extend(esos_cluster::lint_corosync(&document));
        all.into_iter().map(|d| d.code).collect::<Vec<String>>()
    };
    assert!(codes(text("ring1")).contains(&"corosync::links-differ".to_owned()));
    let fine = codes(text("ring0"));
    assert!(!fine.iter().any(|c| c.contains("unknown") || c.contains("links-differ")), "{fine:?}");
}
