//! Memory, file systems, crash kernel, clock, temperature, certificates.
use crate::check::{Told, over};
use crate::limits::{share, was};
use crate::{Before, Fact, Facts, Finding, Status};
use esos_hostfs::MemInfo;

pub(crate) fn memory(facts: &Facts, before: &Before) -> Told {
    over(&facts.meminfo, |text| {
        let parsed = MemInfo::parse("/proc/meminfo", text).ok();
        let numbers = parsed.and_then(|m| Some((m.total()?.get(), m.available()?.get())));
        let Some((total, available)) = numbers.filter(|(total, _)| *total > 0) else {
            return Fact::Unknown("/proc/meminfo has neither MemTotal nor MemAvailable".to_owned());
        };
        let status = share(
            total.saturating_sub(available),
            total,
            [90, 95],
            was(before, ["memory", "memory", "full"]),
        );
        let message = format!("{} of {} MiB are available", available >> 20, total >> 20);
        Fact::Known(one(
            "memory",
            "memory",
            "full",
            status,
            message,
            "ps -eo rss,comm --sort=-rss | head; esos logs archive",
        ))
    })
}

/// A finding, unless all is well.
pub(crate) fn one(
    check: &str,
    object: &str,
    kind: &str,
    status: Status,
    message: String,
    remedy: &str,
) -> Vec<Finding> {
    if status == Status::Ok {
        Vec::new()
    } else {
        vec![Finding::new(check, object, kind, status, message, remedy)]
    }
}

pub(crate) fn file_systems(facts: &Facts, before: &Before) -> Told {
    over(&facts.file_systems, |all| {
        let mut found = Vec::new();
        for fs in all {
            let held = was(before, ["filesystem", &fs.mount, "full"]);
            let status = share(fs.used, fs.total, [80, 90], held);
            let text = format!("{} of {} MiB are used", fs.used >> 20, fs.total >> 20);
            let remedy = format!("du -xh {} | sort -h | tail", fs.mount);
            found.extend(one("filesystem", &fs.mount, "full", status, text, &remedy));
            if fs.inodes > 0 {
                let held = was(before, ["filesystem", &fs.mount, "inodes"]);
                let status = share(fs.used_inodes, fs.inodes, [80, 90], held);
                let text = format!("{} of {} files are there", fs.used_inodes, fs.inodes);
                let remedy = format!("du -x --inodes {} | sort -n | tail", fs.mount);
                found.extend(one("filesystem", &fs.mount, "inodes", status, text, &remedy));
            }
            if fs.read_only {
                let text = "it has become read-only".to_owned();
                found.extend(one(
                    "filesystem",
                    &fs.mount,
                    "readonly",
                    Status::Crit,
                    text,
                    "dmesg; fsck the device",
                ));
            } else if fs.errors > 0 {
                let text =
                    format!("it has met errors ({}); the kernel may have stopped writing to it", fs.errors);
                let remedy = "dmesg; fsck the device";
                found.extend(one("filesystem", &fs.mount, "errors", Status::Crit, text, remedy));
            }
        }
        Fact::Known(found)
    })
}

pub(crate) fn crash(facts: &Facts, _: &Before) -> Told {
    over(&facts.crash_loaded, |text| match text.trim() {
        "1" => Fact::Known(Vec::new()),
        "0" => Fact::Known(one(
            "crash",
            "crash kernel",
            "unarmed",
            Status::Warn,
            "no crash kernel is loaded: a panic would leave no dump".to_owned(),
            "esos crash arm; esos crash status",
        )),
        other => Fact::Unknown(format!("/sys/kernel/kexec_crash_loaded says `{other}`")),
    })
}

/// `chronyc -c tracking`: reference, name, stratum, time, offset in seconds, …, the last field is the leap status.
pub(crate) fn time(facts: &Facts, _: &Before) -> Told {
    over(&facts.time, |text| {
        let fields: Vec<&str> = text.trim().split(',').collect();
        let [_, _, _, _, offset, .., leap] = fields.as_slice() else {
            return Fact::Unknown("the output of chronyc cannot be understood".to_owned());
        };
        let finding = |kind, status, text: String| {
            Fact::Known(one(
                "time",
                "clock",
                kind,
                status,
                text,
                "chronyc sources -v; /etc/chrony/chrony.conf",
            ))
        };
        if *leap == "Not synchronised" {
            return finding("unsynchronised", Status::Warn, "the clock follows no server".to_owned());
        }
        match offset.parse::<f64>() {
            Ok(offset) if offset.abs() > 1.0 => {
                finding("offset", Status::Warn, format!("the clock is off by {offset} s"))
            }
            Ok(_) => Fact::Known(Vec::new()),
            Err(_) => Fact::Unknown(format!("chronyc gives the offset `{offset}`")),
        }
    })
}

pub(crate) fn temperature(facts: &Facts, before: &Before) -> Told {
    over(&facts.sensors, |sensors| {
        let mut found = Vec::new();
        for sensor in sensors {
            // Three degrees below its limit it counts as better.
            let held = was(before, ["temperature", &sensor.name, "hot"]);
            let above = |limit: Option<i64>, held: bool| {
                // A limit of 0 or of hundreds of degrees is a maker's way to say that there is none.
                let limit = limit.filter(|l| (20_000..=150_000).contains(l));
                limit.is_some_and(|l| sensor.now >= if held { l.saturating_sub(3000) } else { l })
            };
            let status = if above(sensor.crit, held == Some(Status::Crit)) {
                Status::Crit
            } else if above(sensor.max, held.is_some()) {
                Status::Warn
            } else {
                Status::Ok
            };
            let text = format!("{}.{} °C", sensor.now / 1000, sensor.now.rem_euclid(1000) / 100);
            found.extend(one(
                "temperature",
                &sensor.name,
                "hot",
                status,
                text,
                "fans, filters, the room's cooling",
            ));
        }
        Fact::Known(found)
    })
}

pub(crate) fn certificates(facts: &Facts, _: &Before) -> Told {
    over(&facts.certificates, |all| {
        let mut found = Vec::new();
        for (path, left) in all {
            let left = match left {
                Fact::Known(left) => left,
                Fact::Unused => continue,
                Fact::Unknown(why) => {
                    let text = format!("until when it is valid cannot be told: {why}");
                    found.extend(one("certificate", path, "unreadable", Status::Unknown, text, "look at it"));
                    continue;
                }
            };
            let (status, text) = match left {
                i64::MIN..0 => (Status::Crit, "it has expired".to_owned()),
                0..1_209_600 => (Status::Warn, format!("it expires in {} days", left / 86_400)),
                _ => (Status::Ok, String::new()),
            };
            found.extend(one("certificate", path, "expiry", status, text, "renew it"));
        }
        Fact::Known(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sensor;

    #[test]
    fn each_fault_is_found_and_cleared() {
        let none = Before::default();
        let mut facts = Facts::unused();
        let known = |told: Told| match told {
            Fact::Known(found) => found,
            other => panic!("{other:?}"),
        };
        facts.meminfo = Fact::Known("MemTotal: 1000 kB\nMemAvailable: 99 kB\n".into());
        assert_eq!(known(memory(&facts, &none))[0].status, Status::Warn);
        facts.meminfo = Fact::Known("MemTotal: 1000 kB\nMemAvailable: 100 kB\n".into());
        assert_eq!(known(memory(&facts, &none)), []);
        facts.meminfo = Fact::Known("MemTotal: 1000 kB\n".into());
        assert!(matches!(memory(&facts, &none), Fact::Unknown(_)));
        for (text, count) in [("1\n", 0), ("0\n", 1)] {
            facts.crash_loaded = Fact::Known(text.into());
            assert_eq!(known(crash(&facts, &none)).len(), count);
        }
        facts.time =
            Fact::Known("C0A80001,ntp,3,1795620166.1,0.000012,0.1,0.1,1,0.1,1,0.1,0.1,64,Normal\n".into());
        assert_eq!(known(time(&facts, &none)), []);
        facts.time =
            Fact::Known("00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n".into());
        assert_eq!(known(time(&facts, &none))[0].kind, "unsynchronised");
        let sensor = |now| {
            Fact::Known(vec![Sensor { name: "cpu".into(), now, max: Some(80_000), crit: Some(100_000) }])
        };
        facts.sensors = sensor(80_000);
        let hot = known(temperature(&facts, &none));
        assert_eq!(hot[0].status, Status::Warn);
        facts.sensors = sensor(78_000);
        assert_eq!(known(temperature(&facts, &Before(hot.clone()))).len(), 1, "still");
        assert_eq!(known(temperature(&facts, &none)), []);
        facts.sensors = sensor(76_000);
        assert_eq!(known(temperature(&facts, &Before(hot))), []);
        facts.certificates = Fact::Known(vec![
            ("/a".into(), Fact::Known(-5)),
            ("/b".into(), Fact::Known(86_400)),
            ("/c".into(), Fact::Known(99_999_999)),
        ]);
        assert_eq!(
            known(certificates(&facts, &none)).iter().map(|f| f.status).collect::<Vec<_>>(),
            [Status::Crit, Status::Warn]
        );
    }
}
