//! A pair under Corosync and Pacemaker that serves through SCST, and a third box that writes through both paths.
use crate::fencing::Switch;
use crate::image::{eventually, small_with};
use crate::pair::{self, MINUTE, Pair, Plan, SLOTS};
use crate::scst::told;
use esos_units::Bytes;
use esos_vm::{Guest, Mark, Net};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The resource that serves.
pub const SERVICE: &str = "ms-scst-r0";

/// The settings for initiators that we give to everybody.
const DOCS: &str = include_str!("../../docs/scst.md");

/// The image of these boxes: `ESOS_HA_IMAGE`, or a small one with DRBD, SCST, Pacemaker and an initiator.
///
/// # Errors
/// In words: no `esos-image`, or what it said when it could not build.
pub fn built(debs: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let more =
        ["drbd-utils", "pacemaker", "pacemaker-cli-utils", "corosync", "open-iscsi", "multipath-tools"];
    // SCST's own drivers want the core of InfiniBand.
    let change = |text: String| text.replace("\"drivers/infiniband/\", ", "");
    small_with("ESOS_HA_IMAGE", "ha", &more, change, Some(debs))
}

/// The two boxes, the switch of their power, and the initiator.
#[derive(Debug)]
pub struct Ha {
    /// The boxes.
    pub pair: Pair,
    switch: Switch,
    /// The initiator.
    pub client: Guest,
    /// Its multipath device.
    pub disk: String,
}

impl Ha {
    /// From one TOML to a pair that serves, and an initiator that has both paths.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn new(image: &Path) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let machines = [0, 1].map(|n| (format!("n{}", n + 1), pair::pid_file(dir.path(), n)));
        let switch = Switch::new(BTreeMap::from(machines))?;
        let set_up = format!(
            "cat >/usr/sbin/fence_vm <<'FENCE_END'\n{}FENCE_END\nchmod 755 /usr/sbin/fence_vm
            out=$(ls /sys/class/net | grep -v '^lo$' | sort -V | tail -n 1); ip link set $out up; ip addr replace 10.0.2.15/24 dev $out
            grep -q n2 /etc/hosts || printf '10.77.0.1 n1\\n10.77.0.2 n2\\n' >>/etc/hosts; lsmod | grep -q ^iscsi_scst",
            switch.agent()
        );
        let net = Some(Net::User { forward: Vec::new(), closed: false });
        // Guests that are emulated are late: a token of a second would call them dead.
        let toml = pair::toml("token_ms = 15000\n", [r#"agent = "fence_vm""#; 2]);
        let plan = Plan { toml, net, memory: Bytes::mib(1536), set_up };
        let mut pair = Pair::new(dir, image, plan)?;
        pair.make()?;
        pair.sh(0, "esos-drbd demote r0 --yes")?;
        for n in 0..2 {
            started(&pair, n)?;
        }
        let both = || pair.sh(0, "crm_node --list").is_ok_and(|t| t.matches("member").count() == 2);
        eventually("both boxes are members", MINUTE * 15, both)?;
        // Emulated boxes are slow: what is a failure there is not one here.
        let load = "sed -e 's/timeout=\"\\(20\\|60\\|90\\)s\"/timeout=\"240s\"/g' /var/lib/esos/cluster/cib.xml >/run/cib.xml
            cibadmin --replace --scope configuration --xml-file /run/cib.xml
            crm_attribute --type crm_config --name stonith-timeout --update 180s";
        pair.sh(0, load)?;
        let client = pair.up(pair.machine("client").memory(Bytes::mib(1024)), "client", 3)?;
        let mut ha = Self { pair, switch, client, disk: String::new() };
        ha.settled()?;
        ha.disk = ha.logged_in()?;
        Ok(ha)
    }

    /// The box whose ports serve, by its own SCST.
    #[must_use]
    pub fn active(&self) -> Option<usize> {
        (0..2).find(|n| self.pair.is_on(*n) && self.state(*n) == "active 1")
    }

    /// Ports of a box by its own SCST, and whether its device is open.
    fn state(&self, n: usize) -> String {
        let tree = "/sys/kernel/scst_tgt";
        let ask = format!(
            "echo $(head -n 1 {tree}/device_groups/r0/target_groups/n{}/state) $(head -n 1 {tree}/devices/r0/active)",
            n + 1
        );
        self.pair.sh(n, &ask).unwrap_or_default().trim().to_owned()
    }

    /// Waits until one box serves and the other stands by, with both sides UpToDate.
    ///
    /// # Errors
    /// How it stands instead.
    pub fn settled(&self) -> Result<usize, Box<dyn Error>> {
        let fine = || {
            let states = [self.state(0), self.state(1)];
            states.contains(&"active 1".to_owned()) && states.contains(&"standby 0".to_owned())
        };
        if let Err(why) = eventually("one box serves and the other stands by", MINUTE * 20, fine) {
            let log = "crm_mon -1rfA; tail -n 40 /var/log/pacemaker/pacemaker.log; esos-drbd status";
            let seen = [0, 1].map(|n| self.pair.sh(n, log).unwrap_or_else(|e| e.to_string()));
            return Err(
                format!("{why}: {} {}\n{}", self.state(0), self.state(1), seen.join("\n----\n")).into()
            );
        }
        self.pair.even()?;
        self.active().ok_or_else(|| "nobody serves any more".into())
    }

    /// Both paths of the initiator, with the settings of docs/scst.md; gives the multipath device.
    fn logged_in(&self) -> Result<String, Box<dyn Error>> {
        let linux = DOCS.split("**Linux**").nth(1).and_then(|t| t.split("```").nth(1)).unwrap_or_default();
        let conf =
            linux.trim_start_matches("text").replace("no_path_retry          12", "no_path_retry queue");
        if !conf.contains("no_path_retry queue") {
            return Err("docs/scst.md has no settings of multipath any more".into());
        }
        let conf = format!("defaults {{\n user_friendly_names no\n find_multipaths greedy\n}}\n{conf}");
        self.client.write_file("/etc/multipath.conf", conf.as_bytes())?;
        told(&self.client, include_str!("../guest/ha-client.sh"), MINUTE * 10)?;
        self.paths(2)?;
        Ok(format!("/dev/mapper/{}", told(&self.client, "multipath -l -v 1", MINUTE)?.trim()))
    }

    /// Waits until the initiator has that many paths that work or stand by; gives what multipath says.
    ///
    /// # Errors
    /// What multipath says instead.
    pub fn paths(&self, count: usize) -> Result<String, Box<dyn Error>> {
        let list = || told(&self.client, "multipath -ll", MINUTE * 3).unwrap_or_else(|e| e.to_string());
        let there = || {
            let list = list();
            list.lines().filter(|l| l.contains("active ready") || l.contains("active ghost")).count() == count
        };
        let what = format!("the initiator has {count} paths");
        eventually(&what, MINUTE * 10, there).map_err(|why| format!("{why}\n{}", list()))?;
        Ok(list())
    }

    /// Begins to write through the paths, without end.
    ///
    /// # Errors
    /// The writer does not start.
    pub fn write(&self) -> Result<Mark, Box<dyn Error>> {
        let mark = self.client.console().mark();
        let (disk, stamp) = (&self.disk, self.pair.stamp);
        let run = format!("/root/acked write {disk} {SLOTS} {stamp} >/dev/ttyS0 2>&1 </dev/null & sleep 1");
        told(&self.client, &run, MINUTE * 2)?;
        Ok(mark)
    }

    /// What was acknowledged to the initiator since a mark.
    #[must_use]
    pub fn acks(&self, mark: Mark) -> Vec<String> {
        pair::lines(&self.client, mark, "ack ")
    }

    /// Waits until that many writes were acknowledged.
    ///
    /// # Errors
    /// They do not come: what multipath and the survivors say.
    pub fn wait_acks(&self, mark: Mark, count: usize) -> Result<(), Box<dyn Error>> {
        let what = format!("{count} acknowledged writes");
        let Err(why) = eventually(&what, MINUTE * 25, || self.acks(mark).len() >= count) else {
            return Ok(());
        };
        let ask = "multipath -ll; dmesg | tail -n 30; pidof acked";
        let client = told(&self.client, ask, MINUTE * 3).unwrap_or_else(|e| e.to_string());
        let on = (0..2).filter(|n| self.pair.is_on(*n));
        let seen: Vec<String> = on
            .map(|n| self.pair.sh(n, "crm_mon -1rf; esos-drbd status").unwrap_or_else(|e| e.to_string()))
            .collect();
        Err(format!("{why}, {} came\n{client}\n{}", self.acks(mark).len(), seen.join("\n----\n")).into())
    }

    /// Ends the writer, which must still be there: no write failed. Gives how many writes were acknowledged since
    /// the mark, and the longest time in milliseconds that one of them took.
    ///
    /// # Errors
    /// The writer had ended by itself.
    pub fn ended(&mut self, mark: Mark) -> Result<(usize, u64), Box<dyn Error>> {
        told(&self.client, "pkill -x acked; sleep 2", MINUTE * 2).map_err(|e| {
            format!("a write of the initiator failed: {e}\n{}", self.client.console().tail(20))
        })?;
        let acked = self.pair.book(self.acks(mark));
        let waits = pair::lines(&self.client, mark, "waited ");
        let longest = waits.iter().filter_map(|l| l.strip_prefix("waited ")?.parse().ok()).max();
        Ok((acked, longest.unwrap_or(0)))
    }

    /// Power comes back to a box: it joins again, and its path comes back to the initiator ([`Ha::paths`]).
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn back(&mut self, n: usize) -> Result<String, Box<dyn Error>> {
        self.pair.boot_again(n)?;
        started(&self.pair, n)?;
        self.settled()?;
        self.paths(2)
    }

    /// Who was fenced so far.
    #[must_use]
    pub fn fenced(&self) -> Vec<String> {
        self.switch.told()
    }
}

/// What is left to do after `join`: SCST's part, and the cluster.
fn started(pair: &Pair, n: usize) -> Result<(), Box<dyn Error>> {
    pair.sh(n, "esos-scst apply /var/lib/esos/cluster/scst.conf")?;
    pair.sh(n, "service corosync start && service pacemaker start")?;
    Ok(())
}
