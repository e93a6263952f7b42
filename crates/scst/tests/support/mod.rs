//! What the tests of plan and apply share: a machine, configurations, and generators of both.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test helpers; each test uses some of them"
)]
pub(crate) mod generate;

use esos_scst::{
    Action, ApplyError, Config, Document, Live, NoJournal, Options, Plan, Policy, apply, observe, plan,
};
use esos_scst_sim::{Environment, Sim};

pub(crate) const ALL: Options = Options { allow_disruptive: true, allow_destructive: true, suspend: None };

pub(crate) fn sim() -> Sim {
    let mut env = Environment::default();
    for n in 0..6 {
        env = env.file(&format!("/disks/f{n}"), 8 << 20).block(&format!("/dev/b{n}"), 64 << 20);
    }
    let sim = Sim::new(env);
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    sim.load_scst_local();
    sim.load_pass_through(&["2:0:0:1"]);
    sim.load_hardware("qla2x00t", &["21:00:00:24:ff:00:00:01"]);
    sim
}

pub(crate) fn config(text: &str) -> Config {
    let document = Document::parse("test", text);
    document.to_config().unwrap_or_else(|d| panic!("{d:#?}\n{text}"))
}

pub(crate) fn run(sim: &Sim, wanted: &Config, policy: &Policy, options: Options) -> Result<(), ApplyError> {
    let live = observe(sim).unwrap();
    let planned = plan(&live, wanted, policy);
    apply(sim, &live, &planned, wanted, policy, options, &mut NoJournal).map(|_| ())
}

pub(crate) fn must(sim: &Sim, text: &str) {
    let wanted = config(text);
    if let Err(e) = run(sim, &wanted, &Policy::default(), ALL) {
        panic!("{e}: {:?}", std::error::Error::source(&e));
    }
}

/// The object that a write touches although the configuration does not name it; none without `--prune`.
pub(crate) fn stranger(
    before: &Live,
    wanted: &Config,
    planned: &Plan,
    file: &str,
    value: &str,
) -> Option<String> {
    // A device that is made anew gets the LUNs back that it had, named or not.
    let anew = planned.operations.iter().any(|o| o.path.starts_with("dev/") && o.action == Action::Remove);
    for (driver, live_driver) in &before.drivers {
        for target in live_driver.targets.keys() {
            let named = wanted.drivers.get(driver).is_some_and(|d| d.targets.contains_key(target));
            let inside = file.starts_with(&format!("targets/{driver}/{target}/"));
            if (inside && !named && !anew) || value == format!("del_target {target}") {
                return Some(format!("{driver}/{target}"));
            }
        }
    }
    for device in before.devices.keys() {
        let named = wanted.handlers.values().any(|h| h.devices.contains_key(device));
        let touched =
            file.starts_with(&format!("devices/{device}/")) || value == format!("del_device {device}");
        if touched && !named {
            return Some(format!("device {device}"));
        }
    }
    for group in before.device_groups.keys().filter(|g| !wanted.device_groups.contains_key(*g)) {
        let moved = value.strip_prefix("del ").is_some_and(|name| {
            wanted.device_groups.values().any(|g| g.devices.iter().any(|d| d.as_str() == name))
        });
        // A device that moves to a named group leaves its old one.
        if file.starts_with(&format!("device_groups/{group}/")) && !moved && !anew {
            return Some(format!("device group {group}"));
        }
    }
    None
}

pub(crate) fn live(sim: &Sim) -> Live {
    observe(sim).unwrap()
}

pub(crate) const FULL: &str = "setup_id 0x1234
HANDLER vdisk_fileio {
	DEVICE disk1 {
		filename /disks/f1
		nv_cache 1
		t10_dev_id abc
	}
	DEVICE disk2 {
		filename /disks/f2
		read_only 1
		blocksize 4096
		prod_id \"My Product\"
	}
}
HANDLER vdisk_nullio {
	DEVICE n1
	DEVICE n2 {
		size_mb 32
	}
}
TARGET_DRIVER iscsi {
	enabled 1
	IncomingUser \"disc discpasswd12\"
	TARGET iqn.2026-01.org.esos:t1 {
		enabled 1
		rel_tgt_id 5
		comment \"hello world\"
		IncomingUser \"joe 12charpasswd\"
		IncomingUser \"ann 12charpasswd\"
		allowed_portal 127.0.0.1
		allowed_portal 10.*
		MaxBurstLength 262144
		LUN 0 disk1
		LUN 1 disk2 {
			read_only 1
		}
		GROUP g1 {
			addr_method FLAT
			LUN 0 n1
			LUN 1 n2
			INITIATOR iqn.2026-01.org.esos:ini1
			INITIATOR iqn.2026-01.org.esos:w*
		}
	}
}
TARGET_DRIVER scst_local {
	TARGET lt1 {
		session_name s1
		LUN 0 disk1
	}
}
DEVICE_GROUP dg1 {
	DEVICE disk1
	TARGET_GROUP tg1 {
		group_id 101
		state active
		preferred 1
		TARGET iqn.2026-01.org.esos:t1
	}
	TARGET_GROUP tg2 {
		group_id 102
		state nonoptimized
		TARGET remote-tgt {
			rel_tgt_id 22
		}
	}
}
";
