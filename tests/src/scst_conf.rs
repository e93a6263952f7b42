//! Generated `scst.conf` files: every one is good for the kernel, none asks for hardware.
//!
//! The same seed gives the same file. Backing files are `/data/f0` to `/data/f7`, which whoever applies the
//! file makes.
use std::collections::BTreeSet;
use std::fmt::Write;

/// Backing files that the configurations name.
pub const FILES: usize = 8;

/// A small generator of numbers (`xorshift64*`), so that the same seed is the same file for ever.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap_or(0).checked_rem(below).unwrap_or(0)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.roll(n) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all.get(self.roll(all.len())).copied().unwrap_or_default()
    }
}

const TEXTS: &[&str] = &["prod1", "\"two words\"", "a\\#b", "x.y-z", "\"\\#1 of 2\"", "UPPER_lower"];
const DEVICE: &[(&str, &[&str])] = &[
    ("prod_id", TEXTS),
    ("usn", &["0a1b2c3d", "serial-7", "\"s 1\""]),
    ("t10_vend_id", &["ESOS", "\"V 1\""]),
    ("prod_rev_lvl", &["1.0", "22"]),
    ("threads_num", &["1", "2", "5"]),
    ("threads_pool_type", &["per_initiator", "shared"]),
    ("max_tgt_dev_commands", &["16", "128"]),
    ("naa_id", &["0x5001405011223344"]),
    ("inq_vend_specific", &["hello"]),
];
const TARGET: &[(&str, &[&str])] = &[
    ("HeaderDigest", &["CRC32C,None"]),
    ("InitialR2T", &["Yes"]),
    ("ImmediateData", &["No"]),
    ("MaxBurstLength", &["65536", "524288"]),
    ("MaxOutstandingR2T", &["2"]),
    ("MaxSessions", &["3"]),
    ("NopInInterval", &["15", "0"]),
    ("QueuedCommands", &["16", "64"]),
    ("RspTimeout", &["60"]),
    ("io_grouping_type", &["never", "this_group_only", "4"]),
    ("addr_method", &["FLAT", "LUN"]),
    ("comment", TEXTS),
    ("per_portal_acl", &["1"]),
    ("redirect", &["\"10.0.0.9:3260 temp\""]),
];
const GROUP: &[(&str, &[&str])] = &[("io_grouping_type", &["never", "2"]), ("addr_method", &["LUN", "FLAT"])];
const INITIATORS: &[&str] = &[
    "iqn.2026-11.org.example:h",
    "*esx?",
    "iqn.1991-05.com.microsoft:*",
    "!bad",
    "a\\#1",
    "eui.02004567A425678D",
];

/// Attributes of a block, each once, one in three.
fn attributes(out: &mut String, indent: &str, dice: &mut Dice, all: &[(&str, &[&str])]) {
    for (name, values) in all {
        if dice.one_in(3) {
            let _infallible = writeln!(out, "{indent}{name} {}", dice.pick(values));
        }
    }
}

/// The LUNs of a target or group: different numbers, devices in any order and more than once.
fn luns(out: &mut String, indent: &str, dice: &mut Dice, devices: &[String]) {
    let mut taken = BTreeSet::new();
    for _ in 0..dice.roll(5) {
        let lun = if dice.one_in(6) { 200_usize.saturating_add(dice.roll(16_000)) } else { dice.roll(12) };
        let Some(device) = devices.get(dice.roll(devices.len())).filter(|_| taken.insert(lun)) else {
            continue;
        };
        let _infallible = if dice.one_in(4) {
            writeln!(out, "{indent}LUN {lun} {device} {{\n{indent}\tread_only 1\n{indent}}}")
        } else {
            writeln!(out, "{indent}LUN {lun} {device}")
        };
    }
}

/// A configuration.
#[must_use]
pub fn config(seed: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (mut out, mut devices) = (String::new(), Vec::new());
    let _infallible = writeln!(out, "# case {seed}\nHANDLER vdisk_fileio {{");
    for n in 0..dice.roll(4) {
        let name = format!("file{n}");
        let file = dice.roll(FILES);
        let _infallible = writeln!(out, "\tDEVICE {name} {{\n\t\tfilename /data/f{file}");
        // The kernel refuses write options on a device that is read-only.
        let read_only = dice.one_in(4);
        for flag in ["read_only", "nv_cache", "write_through", "removable"] {
            let fits = if flag == "read_only" { read_only } else { flag == "removable" || !read_only };
            if fits && (flag == "read_only" || dice.one_in(4)) {
                let _infallible = writeln!(out, "\t\t{flag} 1");
            }
        }
        if dice.one_in(4) {
            out.push_str("\t\tblocksize 4096\n");
        }
        attributes(&mut out, "\t\t", &mut dice, DEVICE);
        out.push_str("\t}\n");
        devices.push(name);
    }
    out.push_str("}\nHANDLER vdisk_nullio {\n");
    for n in 0..dice.roll(5) {
        let name = format!("{}{n}", dice.pick(&["null", "Vol", "a-b_", "x:"]));
        let size = dice.pick(&["64", "1024", "12345"]);
        let _infallible = writeln!(out, "\tDEVICE {name} {{\n\t\tsize_mb {size}");
        attributes(&mut out, "\t\t", &mut dice, DEVICE);
        out.push_str("\t}\n");
        devices.push(name);
    }
    out.push_str("}\nTARGET_DRIVER iscsi {\n\tenabled 1\n");
    let targets: Vec<String> = (0..dice.roll(4))
        .map(|n| format!("iqn.2026-11.org.example:{}{n}", dice.pick(&["t", "store.", "x-"])))
        .collect();
    for (n, target) in targets.iter().enumerate() {
        let _infallible = writeln!(out, "\tTARGET {target} {{\n\t\trel_tgt_id {}", n.saturating_add(1));
        if dice.one_in(2) {
            out.push_str("\t\tenabled 1\n");
        }
        for user in 0..dice.roll(3) {
            let _infallible = writeln!(out, "\t\tIncomingUser \"user{user} 0123456789a{user}\"");
        }
        if dice.one_in(4) {
            out.push_str("\t\tOutgoingUser \"me 0123456789abc\"\n");
        }
        attributes(&mut out, "\t\t", &mut dice, TARGET);
        luns(&mut out, "\t\t", &mut dice, &devices);
        let mut initiators: Vec<&str> = INITIATORS.to_vec();
        for group in 0..dice.roll(3) {
            let _infallible = writeln!(out, "\t\tGROUP g{group} {{");
            attributes(&mut out, "\t\t\t", &mut dice, GROUP);
            luns(&mut out, "\t\t\t", &mut dice, &devices);
            for _ in 0..dice.roll(3) {
                if !initiators.is_empty() {
                    // One initiator is in one group: scstadmin refuses anything else.
                    let name = initiators.swap_remove(dice.roll(initiators.len()));
                    let _infallible = writeln!(out, "\t\t\tINITIATOR {name}");
                }
            }
            out.push_str("\t\t}\n");
        }
        out.push_str("\t}\n");
    }
    out.push_str("}\n");
    alua(&mut out, &mut dice, &devices, &targets);
    out
}

fn alua(out: &mut String, dice: &mut Dice, devices: &[String], targets: &[String]) {
    let mut left: Vec<&String> = devices.iter().collect();
    for group in 0..dice.roll(3) {
        let _infallible = writeln!(out, "DEVICE_GROUP dg{group} {{");
        for _ in 0..dice.roll(3) {
            if !left.is_empty() {
                let device = left.swap_remove(dice.roll(left.len()));
                let _infallible = writeln!(out, "\tDEVICE {device}");
            }
        }
        let mut free: Vec<&String> = targets.iter().collect();
        for tgroup in 0..dice.roll(3) {
            let state =
                dice.pick(&["active", "nonoptimized", "standby", "unavailable", "offline", "transitioning"]);
            let id = tgroup.saturating_add(1);
            let _infallible =
                writeln!(out, "\tTARGET_GROUP tg{tgroup} {{\n\t\tgroup_id {id}\n\t\tstate {state}");
            if dice.one_in(3) {
                out.push_str("\t\tpreferred 1\n");
            }
            if !free.is_empty() && dice.one_in(2) {
                let target = free.swap_remove(dice.roll(free.len()));
                let _infallible = writeln!(out, "\t\tTARGET {target}");
            }
            if dice.one_in(3) {
                let id = 100_usize.saturating_add(dice.roll(100));
                let _infallible =
                    writeln!(out, "\t\tTARGET far{group}{tgroup} {{\n\t\t\trel_tgt_id {id}\n\t\t}}");
            }
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_file_and_others_differ() {
        assert_eq!(config(7), config(7));
        let all: BTreeSet<String> = (0..200).map(config).collect();
        assert_eq!(all.len(), 200);
        for word in ["OutgoingUser", "read_only 1", "redirect", "INITIATOR !bad", "TARGET far", "LUN 0 "] {
            assert!(all.iter().any(|c| c.contains(word)), "no configuration has {word}");
        }
    }
}
