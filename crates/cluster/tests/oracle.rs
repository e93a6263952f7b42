//! Corosync and Pacemaker take what we write, and Pacemaker moves things where we say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test"
)]
use esos_cluster::{
    Cib, ClusterSpec, Constraint, Corosync, CorosyncDocument, Entries, Happening, KEYS, NodeEntry, Op, Pairs,
    Primitive, Res, Role, Value, placement, predict, read_cib, simulated,
};
use std::collections::BTreeMap;
use std::process::Command;

struct Rng(u64);

impl Rng {
    fn next(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }
    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.next(list.len() as u64)).unwrap()]
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.next(100) < percent
    }
}

/// As many as the issue asks for in the slow run (`ESOS_VM=all`), a tenth else.
fn cases(all: u64) -> u64 {
    if std::env::var("ESOS_VM").is_ok_and(|v| v == "all") { all } else { all / 10 }
}

fn there(program: &str, test: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
        || Command::new(program).arg("-v").output().is_ok_and(|o| o.status.success());
    if !found {
        println!("skipped: {test}: {program} is not installed");
    }
    found
}

fn value(rng: &mut Rng, key: &str, v: Value) -> Option<String> {
    Some(match v {
        Value::Word(words) => rng.one(words).to_string(),
        Value::Number(min, max) => match key {
            // Corosync sees to it that timers fit each other.
            "token" => (1000 + rng.next(9000)).to_string(),
            "token_coefficient" => rng.next(1000).to_string(),
            "token_retransmits_before_loss_const" => (4 + rng.next(6)).to_string(),
            "join" => (50 + rng.next(50)).to_string(),
            "merge" => (200 + rng.next(100)).to_string(),
            "downcheck" => (1000 + rng.next(1000)).to_string(),
            "window_size" => (50 + rng.next(50)).to_string(),
            "max_messages" => (10 + rng.next(10)).to_string(),
            "netmtu" => (1500 + rng.next(500)).to_string(),
            "version" => "2".to_owned(),
            "knet_mtu" => (1000 + rng.next(400)).to_string(),
            "knet_ping_interval" => (200 + rng.next(100)).to_string(),
            "knet_ping_timeout" => (500 + rng.next(100)).to_string(),
            "knet_compression_level" => rng.next(9).to_string(),
            "token_warning" => rng.next(100).to_string(),
            _ => (min + rng.next((max - min).min(2000) + 1)).to_string(),
        },
        Value::Text => match key {
            "cluster_name" => rng.one(&["esos", "a-b", "x1"]).to_string(),
            "logfile" => "/var/log/corosync.log".to_owned(),
            "syslog_facility" => rng.one(&["daemon", "local0"]).to_string(),
            "subsys" => rng.one(&["QUORUM", "TOTEM"]).to_string(),
            "host" => rng.one(&["10.0.0.9", "qnet.example"]).to_string(),
            "tie_breaker" => rng.one(&["lowest", "highest", "1"]).to_string(),
            "auto_tie_breaker_node" => rng.one(&["lowest", "highest"]).to_string(),
            _ => return None,
        },
        _ => return None,
    })
}

fn corosync(seed: u64, seen: &mut BTreeMap<String, usize>) -> Corosync {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xc0);
    let entries = |rng: &mut Rng, section: &str, percent: u64, always: &[&str]| -> Entries {
        let mut out = Entries::new();
        for k in KEYS.iter().filter(|k| k.section == section) {
            if (always.contains(&k.name) || rng.chance(percent))
                && let Some(v) = value(rng, k.name, k.value)
            {
                out.insert(k.name.to_owned(), v);
            }
        }
        out
    };
    let mut c = Corosync::default();
    c.totem = entries(&mut rng, "totem", 12, &["version"]);
    c.totem.retain(|k, _| {
        ![
            "secauth",
            "nodeid",
            "rrp_mode",
            "interface",
            "key",
            "keyfile",
            "consensus",
            "token_retransmit",
            "hold",
            "ip_version",
            "netmtu",
            "vsftype",
            "max_network_delay",
        ]
        .contains(&k.as_str())
    });
    c.totem.insert("transport".to_owned(), "knet".to_owned());
    if c.totem.get("crypto_hash").is_none_or(|h| h == "none") {
        c.totem.insert("crypto_cipher".to_owned(), "none".to_owned());
    }
    c.logging = entries(&mut rng, "logging", 25, &["to_logfile", "logfile"]);
    if rng.chance(30) {
        c.subsystems.push(entries(&mut rng, "logging.logger_subsys", 40, &["subsys"]));
    }
    let count = 2 + rng.next(3);
    c.quorum = entries(&mut rng, "quorum", 15, &["provider"]);
    c.quorum.retain(|k, _| {
        !["two_node", "expected_votes", "votes", "auto_tie_breaker_node"].contains(&k.as_str())
    });
    if rng.chance(30) {
        c.device = entries(&mut rng, "quorum.device", 40, &["model", "votes"]);
        c.device.insert("votes".to_owned(), "1".to_owned());
        c.net = entries(&mut rng, "quorum.device.net", 40, &["host", "algorithm"]);
        // A device excludes these.
        c.quorum.retain(|k, _| {
            !["last_man_standing", "auto_tie_breaker", "allow_downscale"].contains(&k.as_str())
        });
    } else if count == 2 && rng.chance(60) {
        c.quorum.insert("two_node".to_owned(), "1".to_owned());
        c.quorum.retain(|k, _| {
            !["last_man_standing", "auto_tie_breaker", "allow_downscale"].contains(&k.as_str())
        });
    }
    let links = 1 + rng.next(3);
    for l in 0..links {
        if rng.chance(40) {
            let mut i = entries(&mut rng, "totem.interface", 30, &["linknumber"]);
            i.retain(|k, _| {
                !["bindnetaddr", "mcastaddr", "broadcast", "ttl", "ringnumber"].contains(&k.as_str())
            });
            i.insert("linknumber".to_owned(), l.to_string());
            if i.contains_key("knet_ping_interval") != i.contains_key("knet_ping_timeout") {
                i.remove("knet_ping_interval");
                i.remove("knet_ping_timeout");
            }
            c.interfaces.push(i);
        }
    }
    for n in 1..=count {
        let mut node = NodeEntry::default();
        node.name = Some(format!("n{n}"));
        node.id = Some(u32::try_from(n).unwrap());
        // Corosync looks for itself in the list.
        let address = |l: u64| if n == 1 { format!("127.0.0.{}", l + 1) } else { format!("10.{l}.0.{n}") };
        node.addresses = (0..links).map(|l| (u8::try_from(l).unwrap(), address(l))).collect();
        if rng.chance(20) {
            node.more.insert("quorum_votes".to_owned(), (1 + rng.next(3)).to_string());
        }
        c.nodes.push(node);
    }
    let sections = [
        ("totem", vec![&c.totem]),
        ("totem.interface", c.interfaces.iter().collect()),
        ("logging", vec![&c.logging]),
        ("logging.logger_subsys", c.subsystems.iter().collect()),
        ("quorum", vec![&c.quorum]),
        ("quorum.device", vec![&c.device]),
        ("quorum.device.net", vec![&c.net]),
        ("nodelist.node", c.nodes.iter().map(|n| &n.more).collect()),
    ];
    for (section, key) in sections
        .into_iter()
        .flat_map(|(s, maps)| maps.into_iter().flat_map(move |m| m.keys().map(move |k| (s, k))))
    {
        *seen.entry(format!("{section}.{key}")).or_default() += 1;
    }
    c
}

#[test]
fn corosync_accepts_configurations() {
    if !there("corosync", "corosync_accepts_configurations") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut seen = BTreeMap::new();
    // With crypto on the key must be there.
    let key = dir.path().join("authkey");
    std::fs::write(&key, [7u8; 256]).unwrap();
    let all = cases(500);
    for seed in 0..all {
        let mut c = corosync(seed, &mut seen);
        c.totem.insert("keyfile".to_owned(), key.display().to_string());
        let text = c.to_conf();
        let document = CorosyncDocument::parse("own", text.clone());
        assert!(!document.has_errors(), "{seed}: {:?}\n{text}", document.diagnostics());
        assert_eq!(document.config(), c, "{seed}\n{text}");
        let path = dir.path().join("corosync.conf");
        std::fs::write(&path, &text).unwrap();
        let out = Command::new("corosync").args(["-t", "-c"]).arg(&path).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
        assert!(out.status.success(), "{seed}: {said}\n{text}");
    }
    println!("keys in {all} configurations:");
    seen.iter().for_each(|(k, n)| println!("  {n:5} {k}"));
    let rare: Vec<_> = seen.iter().filter(|(_, n)| **n < 20).collect();
    assert!(all < 500 || rare.is_empty(), "{rare:?}");
}

fn primitive(rng: &mut Rng, id: String) -> Primitive {
    let mut p = Primitive::default();
    p.id = id;
    p.class = "ocf".to_owned();
    p.provider = Some("pacemaker".to_owned());
    p.agent = rng.one(&["Dummy", "Stateful"]).to_string();
    for (k, v) in [("op_sleep", "0"), ("fake", "a & <b> \"c\""), ("passwd", "x")] {
        if rng.chance(40) {
            p.params.insert(k.to_owned(), v.to_owned());
        }
    }
    for (k, v) in [
        ("priority", "5"),
        ("resource-stickiness", "20"),
        ("migration-threshold", "3"),
        ("failure-timeout", "60s"),
        ("target-role", "Started"),
        ("is-managed", "true"),
        ("multiple-active", "stop_start"),
        ("allow-migrate", "false"),
        ("critical", "true"),
        ("requires", "quorum"),
    ] {
        if rng.chance(20) {
            p.meta.insert(k.to_owned(), v.to_owned());
        }
    }
    for (n, (name, interval)) in [("monitor", "10s"), ("start", "0"), ("stop", "0")].into_iter().enumerate() {
        if rng.chance(70) {
            let mut op = Op::default();
            op.name = name.to_owned();
            op.interval = interval.to_owned();
            op.more.insert("timeout".to_owned(), format!("{}s", 20 + n));
            if rng.chance(30) {
                op.more.insert(
                    "on-fail".to_owned(),
                    if name == "stop" { "fence" } else { "restart" }.to_owned(),
                );
            }
            if rng.chance(20) {
                op.more.insert("record-pending".to_owned(), "true".to_owned());
            }
            p.ops.push(op);
        }
    }
    p
}

fn cib(seed: u64, seen: &mut BTreeMap<String, usize>) -> Cib {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xc1b);
    let mut c = Cib::default();
    c.schema = Some("pacemaker-3.7".to_owned());
    for (k, v) in [
        ("stonith-enabled", "false"),
        ("no-quorum-policy", "freeze"),
        ("symmetric-cluster", "true"),
        ("cluster-recheck-interval", "5min"),
        ("maintenance-mode", "false"),
        ("batch-limit", "30"),
        ("stop-all-resources", "false"),
        ("concurrent-fencing", "true"),
        ("dc-deadtime", "5s"),
        ("stonith-timeout", "60s"),
        ("priority-fencing-delay", "10s"),
        ("start-failure-is-fatal", "true"),
    ] {
        if k == "stonith-enabled" || rng.chance(30) {
            c.properties.insert(k.to_owned(), v.to_owned());
        }
    }
    let nodes = 2 + rng.next(2);
    for n in 1..=nodes {
        c.nodes.insert(format!("n{n}"), n.to_string());
        if rng.chance(20) {
            c.node_attributes
                .insert(format!("n{n}"), Pairs::from([("standby".to_owned(), "off".to_owned())]));
        }
    }
    if rng.chance(40) {
        c.rsc_defaults.insert("resource-stickiness".to_owned(), "100".to_owned());
    }
    if rng.chance(40) {
        c.op_defaults.insert("timeout".to_owned(), "30s".to_owned());
    }
    let count = 1 + rng.next(5);
    for i in 0..count {
        let r = match rng.next(4) {
            0 => Res::Group {
                id: format!("g{i}"),
                meta: Pairs::new(),
                members: (0..=rng.next(2)).map(|k| primitive(&mut rng, format!("g{i}-{k}"))).collect(),
            },
            1 => {
                let mut meta = Pairs::from([("interleave".to_owned(), "true".to_owned())]);
                if rng.chance(60) {
                    meta.insert("promotable".to_owned(), "true".to_owned());
                    meta.insert("notify".to_owned(), "true".to_owned());
                    meta.insert("promoted-max".to_owned(), "1".to_owned());
                }
                let mut p = primitive(&mut rng, format!("c{i}-p"));
                p.agent = "Stateful".to_owned();
                Res::Clone { id: format!("c{i}"), meta, inner: Box::new(Res::Primitive(p)) }
            }
            _ => Res::Primitive(primitive(&mut rng, format!("p{i}"))),
        };
        c.resources.push(r);
    }
    let ids: Vec<String> = c.resources.iter().map(|r| r.id().to_owned()).collect();
    for i in 0..rng.next(4) {
        let (a, b) = (rng.one(&ids).clone(), rng.one(&ids).clone());
        if a == b {
            let node = format!("n{}", 1 + rng.next(nodes));
            c.constraints.push(Constraint::Location {
                id: format!("x{i}"),
                rsc: a,
                node,
                score: rng.one(&["100", "-50", "INFINITY", "-INFINITY"]).to_string(),
                role: None,
            });
        } else if rng.chance(50) {
            c.constraints.push(Constraint::Colocation {
                id: format!("x{i}"),
                rsc: a,
                rsc_role: None,
                with: b,
                with_role: None,
                score: rng.one(&["INFINITY", "10"]).to_string(),
            });
        } else {
            c.constraints.push(Constraint::Order {
                id: format!("x{i}"),
                first: a,
                first_action: rng.chance(50).then(|| "start".to_owned()),
                then: b,
                then_action: None,
                order: rng.chance(50).then(|| "Optional".to_owned()),
                symmetrical: rng.chance(30).then(|| "true".to_owned()),
            });
        }
    }
    let mut count = |k: String| *seen.entry(k).or_default() += 1;
    c.properties.keys().for_each(|k| count(format!("property {k}")));
    for r in &c.resources {
        count(
            match r {
                Res::Primitive(_) => "primitive",
                Res::Group { .. } => "group",
                _ => "clone",
            }
            .to_owned(),
        );
        r.meta().keys().for_each(|k| count(format!("meta {k}")));
        for p in r.primitives() {
            p.params.keys().for_each(|k| count(format!("parameter {k}")));
            p.ops.iter().flat_map(|o| o.more.keys()).for_each(|k| count(format!("operation {k}")));
        }
    }
    for x in &c.constraints {
        count(
            match x {
                Constraint::Location { .. } => "location",
                Constraint::Colocation { .. } => "colocation",
                _ => "order",
            }
            .to_owned(),
        );
    }
    c
}

#[test]
fn crm_verify_accepts_cibs() {
    if !there("crm_verify", "crm_verify_accepts_cibs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cib.xml");
    let mut seen = BTreeMap::new();
    let all = cases(500);
    for seed in 0..all {
        let c = cib(seed, &mut seen);
        let xml = c.to_xml();
        assert_eq!(read_cib("own", &xml).unwrap(), c, "{seed}");
        std::fs::write(&path, &xml).unwrap();
        let out = Command::new("crm_verify").arg("-x").arg(&path).output().unwrap();
        assert!(out.status.success(), "{seed}: {}\n{xml}", String::from_utf8_lossy(&out.stderr));
    }
    println!("words in {all} CIBs:");
    seen.iter().for_each(|(k, n)| println!("  {n:5} {k}"));
    let rare: Vec<_> = seen.iter().filter(|(_, n)| **n < 20).collect();
    assert!(all < 500 || rare.is_empty(), "{rare:?}");
}

/// What `esos-cluster init` writes is taken without a word, as it lies in the file.
#[test]
fn crm_verify_accepts_what_init_makes() {
    if !there("crm_verify", "crm_verify_accepts_what_init_makes") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cib.xml");
    for seed in 0..cases(50) {
        std::fs::write(&path, spec(seed).0.cib_xml()).unwrap();
        let out = Command::new("crm_verify").arg("-x").arg(&path).output().unwrap();
        assert!(out.status.success(), "{seed}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

/// A cluster as `init` makes it, of two or three nodes, with one or two resources and what else is there.
fn generated(seed: u64) -> Cib {
    let (spec, mut rng) = spec(seed);
    let mut cib = spec.cib();
    cib.schema = Some("pacemaker-3.7".to_owned());
    if rng.chance(30) {
        cib.properties.insert("no-quorum-policy".to_owned(), "freeze".to_owned());
    }
    // Agents that every installation of Pacemaker has; what moves where does not depend on them.
    for p in ["drbd", "scst-alua"] {
        let xml = cib
            .to_xml()
            .replace(&format!("provider=\"linbit\" type=\"{p}\""), "provider=\"pacemaker\" type=\"Stateful\"")
            .replace(&format!("provider=\"esos\" type=\"{p}\""), "provider=\"pacemaker\" type=\"Stateful\"");
        cib = read_cib("x", &xml).unwrap();
    }
    cib
}

fn spec(seed: u64) -> (ClusterSpec, Rng) {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x517);
    let nodes = 2 + rng.next(2);
    let mut text = "name = \"c\"\n".to_owned();
    for n in 1..=nodes {
        text.push_str(&format!("[[node]]\nname = \"n{n}\"\naddresses = [\"10.0.0.{n}\"]\nfence = {{ agent = \"fence_dummy\", x = \"1\" }}\n"));
    }
    for r in 0..=rng.next(2) {
        text.push_str(&format!(
            "[[resource]]\nname = \"r{r}\"\nminor = {r}\ndisk = \"/dev/vg/{r}\"\nport = {}\n",
            7000 + r
        ));
        text.push_str("targets = { ");
        text.push_str(
            &(1..=nodes).map(|n| format!("n{n} = [\"iqn.x:{n}-{r}\"]")).collect::<Vec<_>>().join(", "),
        );
        text.push_str(" }\n");
    }
    (ClusterSpec::parse(&text).unwrap(), rng)
}

#[test]
fn crm_simulate_moves_things_where_we_say() {
    if !there("crm_simulate", "crm_simulate_moves_things_where_we_say") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut compared, mut count) = (0, BTreeMap::<String, usize>::new());
    for seed in 0..cases(50) {
        let cib = generated(seed);
        let nodes: Vec<String> = cib.nodes.keys().cloned().collect();
        let (first, state) = (dir.path().join("a.xml"), dir.path().join("b.xml"));
        std::fs::write(&first, with_status(&cib, &nodes, seed)).unwrap();
        let simulate = |from: &std::path::Path, more: &[&str], save: Option<&std::path::Path>| {
            let mut c = Command::new("crm_simulate");
            c.arg("--xml-file").arg(from).args(["--simulate", "--output-as=xml"]).args(more);
            if let Some(save) = save {
                c.arg("--save-output").arg(save);
            }
            let out = c.output().unwrap();
            assert!(out.status.success(), "{seed}: {}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap()
        };
        // The cluster starts: that is the state from which things happen.
        simulate(&first, &[], Some(&state));
        simulate(&state, &[], Some(&first));
        let now = simulated("x", &simulate(&first, &[], Some(&state))).unwrap().cluster;
        let mut now = now;
        scores(&mut now.attributes, &cib, &nodes, seed);
        let promoted: Vec<String> = placement(&now)
            .iter()
            .filter(|(_, r)| **r == Role::Promoted)
            .map(|((_, n), _)| n.clone())
            .collect();
        assert!(!promoted.is_empty(), "{seed}: nothing was promoted");
        let victim = promoted[0].clone();
        let some = cib.resources.iter().find(|r| r.is_promotable()).unwrap().primitives()[0].id.clone();
        for what in [
            Happening::NodeDown(victim.clone()),
            Happening::Standby(victim.clone()),
            Happening::Fails { resource: some.clone(), node: victim.clone() },
            Happening::QuorumLost,
        ] {
            let (args, from) = match &what {
                Happening::NodeDown(n) => (vec![format!("--node-fail={n}")], state.clone()),
                Happening::Standby(n) => {
                    let xml = std::fs::read_to_string(&state).unwrap();
                    let id = &cib.nodes[n];
                    let on = format!(
                        "<node id=\"{id}\" uname=\"{n}\"><instance_attributes id=\"nodes-{id}\"><nvpair id=\"nodes-{id}-standby\" name=\"standby\" value=\"on\"/></instance_attributes></node>"
                    );
                    let standby = dir.path().join("s.xml");
                    let xml = xml.replace(&format!("<node id=\"{id}\" uname=\"{n}\"/>"), &on);
                    assert!(xml.contains("standby"), "{seed}");
                    std::fs::write(&standby, xml).unwrap();
                    (vec![], standby)
                }
                Happening::Fails { resource, node } => {
                    (vec![format!("--op-inject={resource}_monitor_9000@{node}=1")], state.clone())
                }
                _ => {
                    let lost = dir.path().join("q.xml");
                    std::fs::write(
                        &lost,
                        std::fs::read_to_string(&state)
                            .unwrap()
                            .replace("have-quorum=\"1\"", "have-quorum=\"0\""),
                    )
                    .unwrap();
                    (vec![], lost)
                }
            };
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let after = simulated("x", &simulate(&from, &args, None)).unwrap().cluster;
            let fences = |p: esos_cluster::Placement| -> esos_cluster::Placement {
                p.into_iter().filter(|((id, _), _)| !id.starts_with("fence-")).collect()
            };
            let found = fences(placement(&after));
            let wanted = fences(predict(&cib, &now, &what));
            assert_eq!(found, wanted, "{seed}: {what:?}\nbefore {:?}", placement(&now));
            compared += 1;
            *count
                .entry(format!("{what:?}").split('(').next().unwrap().split(' ').next().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    println!("{compared} predictions agree: {count:?}");
}

/// The score of each node for each promotable resource.
fn score(seed: u64, r: usize, n: usize) -> i64 {
    let mut rng = Rng(seed.wrapping_add(1000 * r as u64 + n as u64) ^ 0xabc);
    rng.next(3);
    5 + i64::try_from(rng.next(90)).unwrap()
}

fn scores(out: &mut BTreeMap<String, BTreeMap<String, String>>, cib: &Cib, nodes: &[String], seed: u64) {
    for (k, r) in cib.resources.iter().filter(|r| r.is_promotable()).enumerate() {
        for (i, n) in nodes.iter().enumerate() {
            let id = &r.primitives()[0].id;
            out.entry(n.clone()).or_default().insert(format!("master-{id}"), score(seed, k, i).to_string());
        }
    }
}

/// The CIB with all nodes online and their promotion scores.
fn with_status(cib: &Cib, nodes: &[String], seed: u64) -> String {
    let mut all = BTreeMap::new();
    scores(&mut all, cib, nodes, seed);
    let mut status = "<status>".to_owned();
    for n in nodes {
        let id = &cib.nodes[n];
        let pairs: String = all[n]
            .iter()
            .map(|(k, v)| format!("<nvpair id=\"status-{id}-{k}\" name=\"{k}\" value=\"{v}\"/>"))
            .collect();
        status.push_str(&format!("<node_state id=\"{id}\" uname=\"{n}\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\"><transient_attributes id=\"{id}\"><instance_attributes id=\"status-{id}\">{pairs}</instance_attributes></transient_attributes><lrm id=\"{id}\"><lrm_resources/></lrm></node_state>"));
    }
    status.push_str("</status>");
    let xml = cib.to_xml().replace("<status/>", &status);
    xml.replace("<cib ", "<cib have-quorum=\"1\" dc-uuid=\"1\" crm_feature_set=\"3.16.1\" ")
}
