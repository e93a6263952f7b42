//! drbdadm reads what we write, and we read back what it says: 500 random configurations.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test"
)]
use esos_drbd::{
    Address, Config, ConnectionConfig, Document, End, Host, Kind, Mesh, OPTIONS, Opt, ResourceConfig,
    Sections, ValueKind, Volume, read,
};
use std::collections::BTreeMap;
use std::process::Command;

/// A small generator, so that a failing configuration can be made again from its number.
struct Rng(u64);

impl Rng {
    fn next(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.next(list.len() as u64)).unwrap()]
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.next(100) < percent
    }
}

fn value(rng: &mut Rng, kind: &ValueKind, name: &str) -> Option<String> {
    Some(match kind {
        ValueKind::Yes => rng.one(&["yes", "no"]).to_string(),
        ValueKind::Word(words) => rng.one(words).to_string(),
        ValueKind::Number { min, max, prefix } => {
            let span = u64::try_from((*max).min(1 << 30) - *min).unwrap().max(1);
            let n = i64::try_from(rng.next(span)).unwrap() + *min;
            match prefix {
                'k' if rng.chance(50) => format!("{n}k"),
                's' if rng.chance(50) => format!("{n}s"),
                _ => n.to_string(),
            }
        }
        ValueKind::NumberOr { min, max, words } if rng.chance(50) => {
            let _ = words;
            (i64::try_from(rng.next(u64::try_from(max - min).unwrap())).unwrap() + min).to_string()
        }
        ValueKind::NumberOr { words, .. } => rng.one(words).to_string(),
        ValueKind::Text => match name {
            "shared-secret" => rng.one(&["secret", "two words", "se;cret{}"]).to_string(),
            "cpu-mask" => rng.one(&["3", "f", "ff"]).to_string(),
            "resync-after" => return None,
            "transport" => "tcp".to_owned(),
            name if name.ends_with("-alg") => rng.one(&["sha1", "crc32c", "md5"]).to_string(),
            "become-primary-on" => "both".to_owned(),
            _ => rng.one(&["/bin/true", "/usr/lib/drbd/notify.sh root; true", "echo a b"]).to_string(),
        },
        _ => return None,
    })
}

/// drbdadm wants options of single volumes in `disk`, of connections in `net` and `disk`.
fn options(rng: &mut Rng, section: &str, percent: u64, seen: &mut BTreeMap<String, usize>) -> Vec<Opt> {
    let mut out = Vec::new();
    for o in OPTIONS.iter().filter(|o| o.sections.contains(&section) && o.until == 9) {
        if rng.chance(percent) && o.kind == ValueKind::Flag {
            *seen.entry(format!("{section}/{}", o.name)).or_default() += 1;
            let mut flag = Opt::new(o.name, "");
            flag.value = None;
            out.push(flag);
        } else if rng.chance(percent)
            && let Some(value) = value(rng, &o.kind, o.name)
        {
            *seen.entry(format!("{section}/{}", o.name)).or_default() += 1;
            out.push(Opt::new(o.name, value));
        }
    }
    out
}

fn config(seed: u64, here: &str, seen: &mut BTreeMap<String, usize>) -> Config {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
    let mut c = Config::default();
    c.global = options(&mut rng, "global", 20, seen);
    for section in ["net", "disk", "options", "handlers", "startup"] {
        c.common.insert(section.to_owned(), options(&mut rng, section, 6, seen));
    }
    let count = 1 + rng.next(3);
    for i in 0..count {
        let mut r = ResourceConfig::default();
        r.name = format!("r{i}");
        let hosts = 2 + rng.next(3);
        let volumes = 1 + rng.next(3);
        let per_host = rng.chance(30);
        let make = |rng: &mut Rng, seen: &mut BTreeMap<String, usize>| {
            (0..volumes)
                .map(|v| {
                    let minor = u32::try_from(i * 10 + v).unwrap();
                    let mut volume = Volume::default();
                    volume.number = u32::try_from(v).unwrap();
                    volume.minor = Some(minor);
                    volume.device = rng.chance(50).then(|| format!("/dev/drbd{minor}"));
                    volume.disk = Some(format!("/dev/vg/{i}-{v}"));
                    volume.meta_disk = Some(rng.one(&["internal", "/dev/vg/meta"]).to_string());
                    if volume.meta_disk.as_deref() == Some("/dev/vg/meta") {
                        volume.meta_disk = Some(format!("/dev/vg/meta [{minor}]"));
                    }
                    if rng.chance(30) {
                        volume.options = options(rng, "disk", 8, seen);
                        // drbdadm keeps these two for whole peers.
                        volume.options.retain(|o| {
                            !o.name.starts_with("c-") && o.name != "resync-rate" && o.name != "bitmap"
                        });
                    }
                    volume
                })
                .collect::<Vec<_>>()
        };
        if !per_host {
            r.volumes = make(&mut rng, seen);
        }
        for h in 0..hosts {
            let mut host = Host::default();
            host.keyword = "on".to_owned();
            host.names = vec![if h == 0 { here.to_owned() } else { format!("node{h}") }];
            host.node_id = Some(u32::try_from(h).unwrap());
            let port = Some(u16::try_from(7000 + i).unwrap());
            let v6 = h > 0 && rng.chance(20);
            host.address = Some(if h == 0 {
                Address { family: "ipv4".to_owned(), host: "127.0.0.1".to_owned(), port }
            } else if v6 {
                Address { family: "ipv4".to_owned(), host: format!("192.168.{h}.9"), port }
            } else {
                Address { family: "ipv4".to_owned(), host: format!("10.0.0.{h}"), port }
            });
            if per_host {
                host.volumes = make(&mut rng, seen);
            }
            r.hosts.push(host);
        }
        let names: Vec<String> = r.hosts.iter().map(|h| h.names[0].clone()).collect();
        if hosts > 2 && rng.chance(50) {
            let mut mesh = Mesh::default();
            mesh.hosts.clone_from(&names);
            mesh.sections = Sections::from([("net".to_owned(), options(&mut rng, "net", 5, seen))]);
            r.meshes.push(mesh);
        } else {
            for (a, x) in names.iter().enumerate() {
                for y in &names[a + 1..] {
                    let end = |n: &String| End { host: n.clone(), address: None };
                    let mut conn = ConnectionConfig::default();
                    conn.ends = vec![end(x), end(y)];
                    if rng.chance(40) {
                        conn.sections.insert("net".to_owned(), options(&mut rng, "net", 5, seen));
                    }
                    r.connections.push(conn);
                }
            }
        }
        for section in ["net", "disk", "options", "handlers", "startup"] {
            r.sections.insert(section.to_owned(), options(&mut rng, section, 8, seen));
        }
        if i > 0 && rng.chance(40) {
            *seen.entry("disk/resync-after".to_owned()).or_default() += 1;
            r.sections.entry("disk".to_owned()).or_default().push(Opt::new("resync-after", "r0/0"));
        }
        c.resources.push(r);
    }
    c
}

/// Options that drbdadm takes and does not print back.
fn unprinted(c: &mut Config) {
    let printed = |o: &Opt| {
        let name = o.name.as_str();
        let default = [("usage-count", "ask"), ("dialog-refresh", "1")]
            .contains(&(name, o.value.as_deref().unwrap_or("")));
        !name.starts_with("cmd-timeout")
            && !default
            && !["udev-always-use-vnr", "become-primary-on", "stacked-timeouts"].contains(&name)
    };
    c.global.retain(printed);
    for sections in std::iter::once(&mut c.common).chain(c.resources.iter_mut().map(|r| &mut r.sections)) {
        sections.values_mut().for_each(|list| list.retain(printed));
        sections.retain(|_, list| !list.is_empty());
    }
}

#[test]
fn drbdadm_accepts_and_reads_back_configurations() {
    let Ok(name) = Command::new("hostname").output() else {
        return println!("skipped: drbdadm: no `hostname`");
    };
    let here = String::from_utf8(name.stdout).unwrap().trim().to_owned();
    let version = Command::new("drbdadm").arg("--version").output();
    if !version.is_ok_and(|v| v.status.success()) {
        return println!(
            "skipped: drbdadm_accepts_and_reads_back_configurations: drbd-utils is not installed"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let mut seen = BTreeMap::new();
    // As many as the issue asks for in the slow run, a tenth else.
    let wanted = if std::env::var("ESOS_VM").is_ok_and(|v| v == "all") { 500 } else { 50 };
    for seed in 0..wanted {
        let config = config(seed, &here, &mut seen);
        let text = config.to_conf().unwrap();
        let own = Document::parse("own", text.clone());
        assert!(!own.has_errors(), "{seed}: {:?}\n{text}", own.diagnostics());
        assert_eq!(own.config().normalized(), config.normalized(), "{seed}: our own reading\n{text}");
        let path = dir.path().join(format!("{seed}.conf"));
        std::fs::write(&path, &text).unwrap();
        let run = |what: &str| {
            let out = Command::new("drbdadm").arg("-c").arg(&path).arg(what).output().unwrap();
            let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.success(), "{seed}: drbdadm {what}: {stderr}\n{text}");
            String::from_utf8(out.stdout).unwrap()
        };
        let mut dump = read(Some(Kind::Config), "dump", &run("dump")).unwrap().config.unwrap().normalized();
        unprinted(&mut dump);
        let mut expected = config.normalized();
        unprinted(&mut expected);
        assert_eq!(dump, expected, "{seed}: drbdadm dump\n{text}");
        let mut xml =
            read(Some(Kind::DumpXml), "dump-xml", &run("dump-xml")).unwrap().config.unwrap().normalized();
        // It leaves these out.
        let mut expected = config.normalized();
        unprinted(&mut expected);
        unprinted(&mut xml);
        expected.global.clear();
        for r in expected.resources.iter_mut().chain(&mut xml.resources) {
            for h in &mut r.hosts {
                h.node_id = None;
                h.volumes.iter_mut().for_each(|v| v.options.clear());
            }
        }
        assert_eq!(xml, expected, "{seed}: drbdadm dump-xml\n{text}");
        std::fs::remove_file(&path).unwrap();
    }
    println!("options in {wanted} configurations:");
    for (name, n) in &seen {
        println!("  {n:5} {name}");
    }
    let never: Vec<_> = OPTIONS
        .iter()
        .filter(|o| o.until == 9 && !o.sections.iter().any(|s| seen.contains_key(&format!("{s}/{}", o.name))))
        .collect();
    assert!(wanted < 500 || never.is_empty(), "{never:?}");
    let rare: Vec<_> = seen.iter().filter(|(_, n)| **n < 20).collect();
    assert!(wanted < 500 || rare.is_empty(), "{rare:?}");
}
