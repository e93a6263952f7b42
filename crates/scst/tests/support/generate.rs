//! Configurations that reach every kind of object, and what they reached.
use super::{must, sim};
use esos_scst::{Config, ObjectPath, Plan};
use esos_scst_sim::Sim;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

type Text = BoxedStrategy<String>;

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

/// A line that is there or not.
fn maybe(line: impl Strategy<Value = String> + 'static) -> Text {
    prop::option::of(line).prop_map(Option::unwrap_or_default).boxed()
}

fn lines(parts: Vec<Text>) -> Text {
    parts.prop_map(|parts| parts.concat()).boxed()
}

/// A device of one of the kinds, by number: its handler, its name, its attributes.
fn device(n: usize) -> impl Strategy<Value = (&'static str, String, String)> {
    let flag = |name: &'static str| maybe((0..2u8).prop_map(move |v| format!("{name} {v}\n")));
    let common = move || {
        lines(vec![
            maybe("[A-Za-z]{1,8}( [a-z]{1,4})?".prop_map(|v| format!("prod_id \"{v}\"\n"))),
            maybe("[a-z0-9]{1,12}".prop_map(|v| format!("t10_dev_id {v}\n"))),
            maybe("[0-9a-f]{8}".prop_map(|v| format!("usn {v}\n"))),
            maybe((1..9u8).prop_map(|v| format!("threads_num {v}\n"))),
        ])
    };
    let file = lines(vec![
        common(),
        // fileio refuses a cache on what is read-only.
        prop_oneof![
            flag("nv_cache"),
            Just("read_only 1\n".to_owned()).boxed(),
            Just("thin_provisioned 1\n".to_owned()).boxed(),
        ]
        .boxed(),
    ]);
    let block = lines(vec![common(), flag("read_only"), flag("nv_cache"), flag("expl_alua")]);
    let null = lines(vec![common(), maybe((1..64u32).prop_map(|v| format!("size_mb {v}\n")))]);
    prop_oneof![
        3 => file.prop_map(move |a| ("vdisk_fileio", format!("d{n}"), format!("filename /disks/f{n}\n{a}"))),
        3 => block.prop_map(move |a| ("vdisk_blockio", format!("d{n}"), format!("filename /dev/b{n}\n{a}"))),
        3 => null.prop_map(move |a| ("vdisk_nullio", format!("d{n}"), a)),
        1 => Just(("vcdrom", format!("d{n}"), String::new())),
    ]
}

fn luns(devices: Vec<String>) -> Text {
    if devices.is_empty() {
        return Just(String::new()).boxed();
    }
    let lun = (prop::sample::select(devices), prop::bool::ANY);
    prop::collection::btree_map(0..6u32, lun, 0..4)
        .prop_map(|luns| {
            let one = |(lun, (device, ro)): (u32, (String, bool))| {
                if ro {
                    format!("LUN {lun} {device} {{\nread_only 1\n}}\n")
                } else {
                    format!("LUN {lun} {device}\n")
                }
            };
            luns.into_iter().map(one).collect()
        })
        .boxed()
}

fn shared() -> Text {
    lines(vec![
        maybe(one_of(&["FLAT", "LUN", "PERIPHERAL"]).prop_map(|v| format!("addr_method {v}\n"))),
        maybe(
            one_of(&["auto", "never", "this_group_only", "3"])
                .prop_map(|v| format!("io_grouping_type {v}\n")),
        ),
    ])
}

fn groups(devices: Vec<String>) -> Text {
    let initiators = prop::collection::btree_set("iqn\\.[a-c]:[0-2*]", 0..3)
        .prop_map(|names| names.into_iter().map(|i| format!("INITIATOR {i}\n")).collect::<String>());
    let group = lines(vec![luns(devices), shared(), initiators.boxed()]);
    prop::collection::btree_map("g[0-2]", group, 0..3)
        .prop_map(|groups| groups.into_iter().map(|(n, body)| format!("GROUP {n} {{\n{body}}}\n")).collect())
        .boxed()
}

fn users(name: &'static str, most: usize) -> Text {
    prop::collection::btree_map("[a-c]", "[a-z]{12,16}", 0..most)
        .prop_map(move |users| users.into_iter().map(|(u, p)| format!("{name} \"{u} {p}\"\n")).collect())
        .boxed()
}

fn target(devices: Vec<String>) -> Text {
    let portals = prop::collection::btree_set("10\\.[0-3]\\.\\*", 0..3)
        .prop_map(|all| all.into_iter().map(|p| format!("allowed_portal {p}\n")).collect::<String>());
    lines(vec![
        luns(devices.clone()),
        groups(devices),
        shared(),
        maybe((0..2u8).prop_map(|v| format!("enabled {v}\n"))),
        users("IncomingUser", 3),
        users("OutgoingUser", 2),
        portals.boxed(),
        maybe((1..8u32).prop_map(|v| format!("MaxBurstLength {}\n", v * 65536))),
        maybe("[a-z]{1,6}( [a-z]{1,6})?".prop_map(|v| format!("comment \"{v}\"\n"))),
    ])
}

fn port(devices: Vec<String>) -> Text {
    lines(vec![
        luns(devices.clone()),
        groups(devices),
        shared(),
        maybe((0..2u8).prop_map(|v| format!("enabled {v}\n"))),
    ])
}

fn device_groups(devices: Vec<String>) -> Text {
    let some = (
        prop::collection::vec(0..3usize, devices.len()),
        one_of(&["active", "nonoptimized", "standby", "offline"]),
        1..200u32,
        prop::collection::btree_set("(iqn\\.t:[0-2]|remote[0-1])", 0..3),
        prop::bool::ANY,
    );
    some.prop_map(move |(split, state, id, targets, preferred)| {
        let mut text = String::new();
        for g in 0..2 {
            let mine =
                devices.iter().zip(&split).filter(|(_, s)| **s == g).map(|(d, _)| format!("DEVICE {d}\n"));
            let mine: String = mine.collect();
            if mine.is_empty() {
                continue;
            }
            text +=
                &format!("DEVICE_GROUP dg{g} {{\n{mine}TARGET_GROUP a {{\ngroup_id {id}\nstate {state}\n");
            if preferred {
                text += "preferred 1\n";
            }
            for t in &targets {
                text += &match t.starts_with("remote") {
                    true => format!("TARGET {t} {{\nrel_tgt_id {}\n}}\n", 500 + g),
                    false => format!("TARGET {t}\n"),
                };
            }
            text += "}\n}\n";
        }
        text
    })
    .boxed()
}

/// A whole configuration.
pub(crate) fn wanted() -> Text {
    let devices = (0..5usize).map(|n| prop::option::of(device(n))).collect::<Vec<_>>();
    (devices, prop::option::of(one_of(&["dev_disk", "dev_disk_perf"])))
        .prop_flat_map(|(devices, disk)| {
            let devices: Vec<_> = devices.into_iter().flatten().collect();
            let mut names: Vec<String> = devices.iter().map(|d| d.1.clone()).collect();
            names.extend(disk.map(|_| "2:0:0:1".to_owned()));
            let mut text = String::new();
            for handler in ["vdisk_fileio", "vdisk_blockio", "vdisk_nullio", "vcdrom"] {
                text += &format!("HANDLER {handler} {{\n");
                for (_, name, attrs) in devices.iter().filter(|d| d.0 == handler) {
                    text += &format!("DEVICE {name} {{\n{attrs}}}\n");
                }
                text += "}\n";
            }
            if let Some(handler) = disk {
                text += &format!("HANDLER {handler} {{\nDEVICE 2:0:0:1\n}}\n");
            }
            let targets = |name: &'static str, body: Text, most| {
                prop::collection::btree_map(name, body, 0..most)
                    .prop_map(|all| {
                        all.into_iter().map(|(n, b)| format!("TARGET {n} {{\n{b}}}\n")).collect::<String>()
                    })
                    .boxed()
            };
            let local = lines(vec![luns(names.clone()), groups(names.clone())]);
            let block = |driver: &'static str, body: Text| {
                body.prop_map(move |body| format!("TARGET_DRIVER {driver} {{\n{body}}}\n")).boxed()
            };
            let port = port(names.clone())
                .prop_map(|body| format!("TARGET 21:00:00:24:ff:00:00:01 {{\nHW_TARGET\n{body}}}\n"));
            lines(vec![
                Just(text).boxed(),
                maybe((1..5u32).prop_map(|v| format!("threads {v}\n"))),
                maybe((1..99u32).prop_map(|v| format!("setup_id {v}\n"))),
                block(
                    "iscsi",
                    lines(vec![
                        maybe((0..2u8).prop_map(|v| format!("enabled {v}\n"))),
                        users("IncomingUser", 2),
                        targets("iqn\\.t:[0-2]", target(names.clone()), 3),
                    ]),
                ),
                maybe(block("qla2x00t", port.boxed())),
                maybe(block("scst_local", targets("lt[0-1]", local, 3))),
                device_groups(names),
            ])
        })
        .boxed()
}

/// Initiators that log in, by number.
pub(crate) fn logins() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..6usize, 0..3)
}

/// A state to start from: a configuration with initiators logged in. Targets that are missing or disabled
/// refuse.
pub(crate) fn start(text: &str, logins: &[usize]) -> Sim {
    let sim = sim();
    must(&sim, text);
    for n in logins {
        let _refused =
            sim.login("iscsi", &format!("iqn.t:{}", n % 3), &format!("iqn.{}:1", ['a', 'b', 'c'][n % 3]));
    }
    sim
}

/// Whether nothing of a plan is blocked, such as a group that sessions hold.
pub(crate) fn possible(planned: &Plan) -> bool {
    planned.class() != esos_scst::Class::Blocked
}

/// How often each kind was reached.
#[derive(Default)]
pub(crate) struct Histogram(std::cell::RefCell<BTreeMap<String, u64>>);

impl Histogram {
    pub(crate) fn count(&self, what: impl Into<String>) {
        *self.0.borrow_mut().entry(what.into()).or_insert(0) += 1;
    }

    /// Every operation of a plan: what kind of object, what happens, how bad it is; whose devices are shared.
    pub(crate) fn plan(&self, planned: &Plan, wanted: &Config) {
        for op in &planned.operations {
            let kind = match op.path.parse() {
                Ok(ObjectPath::Scst) => "scst".to_owned(),
                Ok(ObjectPath::Handler(_)) => "handler".to_owned(),
                Ok(ObjectPath::Device(h, _)) => format!("device of {h}"),
                Ok(ObjectPath::Driver(d)) => format!("driver {d}"),
                Ok(ObjectPath::Target(d, _)) => format!("target of {d}"),
                Ok(ObjectPath::Lun { group, .. }) => {
                    format!("lun of a {}", if group.is_some() { "group" } else { "target" })
                }
                Ok(ObjectPath::Group(..)) => "group".to_owned(),
                Ok(ObjectPath::Initiator(..)) => "initiator".to_owned(),
                Ok(ObjectPath::DeviceGroup(_)) => "device group".to_owned(),
                Ok(ObjectPath::GroupDevice(..)) => "device of a device group".to_owned(),
                Ok(ObjectPath::TargetGroup(..)) => "target group".to_owned(),
                Ok(ObjectPath::GroupTarget(..)) => "target of a target group".to_owned(),
                other => format!("{other:?}"),
            };
            let what = if op.attribute.is_some() {
                "attribute".to_owned()
            } else {
                format!("{:?}", op.action).to_lowercase()
            };
            self.count(format!("{kind}: {what}"));
            self.count(format!("class {}", op.class));
        }
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        for target in wanted.drivers.values().flat_map(|d| d.targets.values()) {
            let luns = target.luns.values().chain(target.groups.values().flat_map(|g| g.luns.values()));
            luns.for_each(|l| *shown.entry(l.device.as_str()).or_default() += 1);
        }
        if shown.values().any(|n| *n > 1) {
            self.count("a device behind several LUNs");
        }
    }

    pub(crate) fn print(&self, title: &str) {
        println!("{title}:");
        self.0.borrow().iter().for_each(|(what, n)| println!("{n:9} {what}"));
    }
}

/// Runs a property and prints what its cases reached. Cases of the default run, or as many as
/// `PROPTEST_CASES` says in the slow one.
pub(crate) fn check<S: Strategy>(
    name: &str,
    default: u32,
    strategy: &S,
    property: impl Fn(S::Value, &Histogram) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if config.cases == 256 { default } else { config.cases };
    let histogram = Histogram::default();
    let mut runner = TestRunner::new(ProptestConfig { cases, ..config });
    let outcome = runner.run(strategy, |value| property(value, &histogram));
    histogram.print(&format!("{name}, {cases} cases"));
    if let Err(e) = outcome {
        panic!("{name}: {e}");
    }
}
