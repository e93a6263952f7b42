//! scstadmin's flags on the simulator, against what the Perl program did in the recordings: the same exit code
//! and the same last line, or a difference that is named here with its reason.
mod support;

use esos_scst::scstadmin::{Host, Outcome, Refusal, run};
use esos_scst::{Config, Journal, Live, NoJournal, Plan, Policy, apply};
use esos_scst_sim::{Environment, Sim};
use esos_sysfs::AttrTree;
use serde_json::Value;
use support::ALL;

/// What is done otherwise on purpose: the case, and why.
const MENDED: [(&str, &str); 12] = [
    ("full-example", "a `#` in quotes belongs to the value; Perl cuts the value there and stops half-way"),
    ("missing-close", "a file that is cut off is refused; Perl applies what it could read"),
    ("extra-close", "an extra `}` is refused; Perl drops everything behind it"),
    ("same-section-twice", "a section that is given twice is refused; Perl forgets the first"),
    ("duplicate-device", "a section that is given twice is refused; Perl forgets the first"),
    (
        "duplicate-attr",
        "an attribute that is given twice is refused; Perl writes both, in an order that is chance",
    ),
    (
        "lun-two-devices",
        "refused by the check, before anything is written; Perl finds it after it has made devices",
    ),
    ("bad-first-device", "a backing file that is not there leaves its device pending; Perl stops half-way"),
    ("two-hashes", "a `#` starts a comment; nothing before it is lost"),
    ("list_drv_attr", "the exit code says that it worked; Perl's is 1"),
    ("quotes-brace", "a brace in quotes belongs to the value; Perl opens a block"),
    ("unknown-top", "an attribute of SCST that is not there is said and left out, as everywhere else"),
];

struct Machine<'s> {
    sim: &'s Sim,
    conf: Option<String>,
    journal: NoJournal,
}

impl Host for Machine<'_> {
    fn read(&mut self, path: &str) -> Result<String, String> {
        let missing = || "No such file or directory".to_owned();
        self.conf.clone().filter(|_| path == "/tmp/c.conf").ok_or_else(missing)
    }
    fn write(&mut self, _path: &str, text: &str) -> Result<(), String> {
        self.conf = Some(text.to_owned());
        Ok(())
    }
    fn policy(&mut self, wanted: &Config) -> Policy {
        let devices = wanted.handlers.values().flat_map(|h| h.devices.values());
        let files = devices.filter_map(|d| d.attributes.get("filename")).map(|f| f.expose().to_owned());
        let missing = files.filter(|f| !f.starts_with("/disks/d") && !f.starts_with("/dev/ram")).collect();
        Policy { missing, ..Policy::default() }
    }
    fn apply(
        &mut self,
        live: &Live,
        planned: &Plan,
        wanted: &Config,
        policy: &Policy,
    ) -> Result<(), Refusal> {
        let done = apply(self.sim, live, planned, wanted, policy, ALL, &mut self.journal);
        done.map(|_| ()).map_err(|e| Refusal::from(&e))
    }
    fn ask(&mut self, _question: &str) -> Option<bool> {
        None
    }
    fn journal(&mut self) -> &mut dyn Journal {
        &mut self.journal
    }
}

fn sim() -> Sim {
    let mut env = Environment::default();
    for n in 0..9 {
        env = env.file(&format!("/disks/d{n}"), 8 << 20).block(&format!("/dev/ram{n}"), 64 << 20);
    }
    let sim = Sim::new(env);
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    sim.load_scst_local();
    sim
}

fn words(args: &str) -> Vec<String> {
    args.split_whitespace().map(str::to_owned).collect()
}

fn call(sim: &Sim, args: &str, conf: Option<String>) -> Outcome {
    run(&words(args), sim, &mut Machine { sim, conf, journal: NoJournal })
}

fn last(text: &str) -> &str {
    text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("")
}

#[test]
fn exit_code_and_last_line_are_perls() {
    let mut equal = 0;
    let mut mended = 0;
    let mut wrong = Vec::new();
    for file in ["scstadmin-behaviour.jsonl", "scstadmin-behaviour-2.jsonl", "scstadmin-behaviour-4.jsonl"] {
        let text = esos_fixtures::text(&format!("scst/{file}")).unwrap();
        let mut machine = sim();
        let mut keep = false;
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            if !keep {
                machine = sim();
            }
            keep = case["keep"] == 1;
            let (args, name) = (case["args"].as_str().unwrap(), case["name"].as_str().unwrap());
            let conf = case["conf"].as_str().map(str::to_owned);
            let got = call(&machine, args, conf);
            let (code, wanted) = (case["rc"].as_u64().unwrap(), last(case["out"].as_str().unwrap()));
            if u64::from(got.code) == code && last(&got.out) == wanted {
                equal += 1;
            } else if MENDED.iter().any(|(n, _)| *n == name || args.contains(n)) {
                mended += 1;
            } else {
                wrong.push(format!(
                    "{file} {name} `{args}`: {} {:?}, Perl {code} {wanted:?}",
                    got.code,
                    last(&got.out)
                ));
            }
        }
    }
    println!("{equal} equal, {mended} differ on purpose");
    assert!(wrong.is_empty(), "{equal} equal, {mended} mended\n{}", wrong.join("\n"));
    assert!(equal > 60, "{equal}");
}

#[test]
fn what_agents_call_works() {
    let sim = sim();
    let must = |args: &str| {
        let got = call(&sim, args, None);
        assert_eq!((got.code, last(&got.out)), (0, "All done."), "{args}\n{}", got.out);
    };
    // resource-agents: iSCSITarget and iSCSILogicalUnit.
    must("-add_target iqn.a:t -driver iscsi");
    must("-add_tgt_attr iqn.a:t -driver iscsi -attributes allowed_portal=10.0.0.1");
    must("-add_group allowed -driver iscsi -target iqn.a:t");
    must("-add_init iqn.i -group allowed -driver iscsi -target iqn.a:t");
    must("-open_dev lun1 -handler vdisk_blockio -attributes filename=/dev/ram1,nv_cache=0,write_through=1");
    must("-set_dev_attr lun1 -attributes usn=1234 -force -noprompt");
    must("-add_lun 1 -driver iscsi -target iqn.a:t -device lun1 -group allowed -force -noprompt");
    must("-enable_target iqn.a:t -driver iscsi");
    // ESOS: the agents for ALUA, the init script, the start-up mail.
    must("-add_dgrp dg");
    must("-add_dgrp_dev lun1 -dev_group dg");
    must("-add_tgrp local -dev_group dg");
    must("-add_tgrp_tgt iqn.a:t -dev_group dg -tgt_group local");
    must("-noprompt -set_tgrp_attr local -dev_group dg -attributes state=nonoptimized");
    must("-issue_lip");
    must("-list_target");
    must("-list_device");
    must("-force -write_config /tmp/c.conf");
    must("-disable_target iqn.a:t -driver iscsi -force -noprompt");
    must("-rem_lun 1 -driver iscsi -target iqn.a:t -group allowed -force -noprompt");
    must("-rem_target iqn.a:t -driver iscsi -force -noprompt");
    must("-close_dev lun1 -handler vdisk_blockio -force -noprompt");
    must("-noprompt -force -clear_config");
    // TrueNAS: reload, a LUN that goes, a target that goes, iSNS that is switched off.
    let conf = include_str!("import/truenas.conf").replace("/mnt/tank/backup.2024", "/disks/d1");
    let conf = conf.replace("/dev/zvol/tank/vm-store", "/dev/ram2").replace("HANDLER dev_disk {\n}\n", "");
    let reload = "-noprompt -preserve_cluster_mode -force -config /tmp/c.conf";
    let got = call(&sim, reload, Some(conf));
    assert_eq!((got.code, last(&got.out)), (0, "All done."), "{}", got.out);
    must(
        "-noprompt -preserve_cluster_mode -rem_lun 0 -driver iscsi -target iqn.2005-10.org.freenas.ctl:vms -group security_group",
    );
    must(
        "-force -noprompt -preserve_cluster_mode -rem_target iqn.2005-10.org.freenas.ctl:backup -driver iscsi",
    );
    must("-force -noprompt -preserve_cluster_mode -set_drv_attr iscsi -attributes iSNSServer=\"\"");
    assert!(sim.read("targets/iscsi/iSNSServer").is_ok_and(|v| v.trim().is_empty()));
    must("-noprompt -force -clear_config");
    let panic = call(&sim, "-open_dev n -handler vdisk_nullio -attributes numa_node_id=7", None);
    assert_eq!(panic.code, 1);
    assert!(!sim.oopsed());
    if panic.out.is_empty() {
        panic!("nothing was said");
    }
}
