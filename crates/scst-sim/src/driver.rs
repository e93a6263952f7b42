//! Target drivers and their targets.
use crate::attribute::{flag, keyed, line, zero_or_one};
use crate::errno::{EBADSLT, EBUSY, ECONNREFUSED, EEXIST, EFAULT, EINVAL, ENOENT, EPERM, Outcome};
use crate::sim::{Sim, State};
use crate::template::{
    COUNTERS, INI_GROUPS_MGMT, ISCSI_MGMT, ISCSI_NUMBERS, ISCSI_TARGET, LOCAL_MGMT, LOCAL_TARGET, LUNS_MGMT,
    PASS_THROUGH, PASS_THROUGH_MGMT, TARGET, TRACE, TRACE_DEFAULT, fill,
};
use crate::words::{lexeme, parameters, strim, unsigned};

/// The text of `trace_level` at its default, with the tokens that a module's help names.
pub(crate) fn trace_text(extra: &str) -> String {
    let set: Vec<&str> = TRACE.iter().filter(|(_, b)| TRACE_DEFAULT & b != 0).map(|(t, _)| *t).collect();
    format!(
        "{}\n\n\nUsage:\n\techo \"all|none|default\" >trace_level\n\techo \"value DEC|0xHEX|0OCT\" >trace_level\n\techo \"add|del TOKEN\" >trace_level\n\nwhere TOKEN is one of [function, line, pid, out_of_mem, special, scsi, mgmt, minor, scsi_serializing, retry, pr{extra}]\n",
        set.join(" | ")
    )
}

impl Sim {
    /// The module `iscsi_scst` is loaded.
    pub fn load_iscsi(&self) {
        let tree = &mut self.state.borrow_mut().tree;
        tree.dir("targets/iscsi");
        tree.attr("targets/iscsi/mgmt".into(), 0o644, ISCSI_MGMT);
        tree.attr("targets/iscsi/open_state".into(), 0o444, "closed\n");
        let trace = trace_text(", d_write, conn, conn_dbg, iov, pdu, net_page");
        tree.attr("targets/iscsi/trace_level".into(), 0o644, trace);
        tree.attr("targets/iscsi/version".into(), 0o444, "3.11.0-pre\nTRACING\n");
    }

    /// `iscsi-scstd` starts.
    pub fn start_iscsi_daemon(&self) {
        let tree = &mut self.state.borrow_mut().tree;
        tree.set("targets/iscsi/open_state", "open\n");
        for (name, text) in [
            ("enabled", "0\n\n"),
            ("iSNSServer", "\n\n"),
            ("internal_portal", "\n\n"),
            ("isns_entity_name", "\n"),
            ("link_local", "1\n\n"),
        ] {
            tree.attr(format!("targets/iscsi/{name}"), 0o644, text);
        }
    }

    /// `iscsi-scstd` dies: its targets and attributes go with it.
    pub fn stop_iscsi_daemon(&self) {
        let mut state = self.state.borrow_mut();
        for target in state.tree.dirs("targets/iscsi") {
            state.drop_target("iscsi", &target);
        }
        let names: Vec<String> =
            state.tree.children("targets/iscsi").into_iter().map(|(n, _)| n.to_owned()).collect();
        for name in
            names.iter().filter(|n| !matches!(n.as_str(), "mgmt" | "open_state" | "trace_level" | "version"))
        {
            state.tree.remove(&format!("targets/iscsi/{name}"));
        }
        state.tree.set("targets/iscsi/open_state", "closed\n");
    }

    /// The module `scst_local` is loaded, with its default target and session.
    pub fn load_scst_local(&self) {
        let mut state = self.state.borrow_mut();
        state.tree.dir("targets/scst_local");
        state.tree.attr("targets/scst_local/mgmt".into(), 0o644, LOCAL_MGMT);
        state.tree.attr(
            "targets/scst_local/stats".into(),
            0o444,
            "Aborts: 0, Device Resets: 0, Target Resets: 0\n",
        );
        state.tree.attr("targets/scst_local/trace_level".into(), 0o644, trace_text(""));
        state.tree.attr("targets/scst_local/version".into(), 0o444, "3.11.0-pre/20110901\nTRACING\n");
        state.make_target("scst_local", "scst_local_tgt");
        state.local_session("targets/scst_local/scst_local_tgt", "scst_local_host");
    }

    /// The module `scst_disk` is loaded on a machine with these SCSI disks (`2:0:0:1`), which no handler has
    /// taken yet.
    pub fn load_pass_through(&self, disks: &[&str]) {
        let mut state = self.state.borrow_mut();
        let tree = &mut state.tree;
        let kind = "0 - Direct-access device (e.g., magnetic disk)\n";
        for handler in ["handlers/dev_disk", "handlers/dev_disk_perf"] {
            tree.dir(handler);
            tree.attr(format!("{handler}/mgmt"), 0o644, PASS_THROUGH_MGMT);
            tree.attr(format!("{handler}/trace_level"), 0o644, trace_text(""));
            tree.attr(format!("{handler}/type"), 0o444, kind);
        }
        tree.attr("handlers/dev_disk/pr_dump_dir".into(), 0o644, "\n");
        for disk in disks {
            let dir = format!("devices/{disk}");
            tree.dir(&dir);
            tree.dir(&format!("{dir}/exported"));
            fill(tree, &dir, PASS_THROUGH);
            tree.attr(format!("{dir}/pr_file_name"), 0o644, format!("/var/lib/scst/pr/{disk}\n"));
            tree.attr(format!("{dir}/type"), 0o444, kind);
        }
    }

    /// A target card's driver is loaded, with targets that come from the hardware.
    pub fn load_hardware(&self, driver: &str, targets: &[&str]) {
        let mut state = self.state.borrow_mut();
        state.tree.dir(&format!("targets/{driver}"));
        state.tree.attr(format!("targets/{driver}/version"), 0o444, "3.11.0-pre\n");
        for target in targets {
            state.make_target(driver, target);
            let dir = format!("targets/{driver}/{target}");
            fill(&mut state.tree, &dir, &[("enabled", 0o644, "0\n"), ("hw_target", 0o444, "1\n")]);
        }
    }
}

impl State {
    /// What every target has.
    pub(crate) fn make_target(&mut self, driver: &str, name: &str) {
        let dir = format!("targets/{driver}/{name}");
        self.tree.dir(&dir);
        fill(&mut self.tree, &dir, TARGET);
        for counter in COUNTERS {
            self.tree.attr(format!("{dir}/{counter}"), 0o444, "0\n");
        }
        let cpus = self.env.all_cpus();
        self.tree.attr(format!("{dir}/cpu_mask"), 0o644, format!("{cpus}\n"));
        for sub in ["ini_groups", "luns", "sessions"] {
            self.tree.dir(&format!("{dir}/{sub}"));
        }
        self.tree.attr(format!("{dir}/ini_groups/mgmt"), 0o644, INI_GROUPS_MGMT);
        self.tree.attr(format!("{dir}/luns/mgmt"), 0o644, LUNS_MGMT);
        match driver {
            "iscsi" => {
                fill(&mut self.tree, &dir, ISCSI_TARGET);
                let tid = self.next_tid;
                self.next_tid = tid.saturating_add(1);
                self.tree.attr(format!("{dir}/tid"), 0o444, format!("{tid}\n"));
            }
            "scst_local" => fill(&mut self.tree, &dir, LOCAL_TARGET),
            _ => {}
        }
        self.birth(&dir);
    }

    pub(crate) fn drop_target(&mut self, driver: &str, name: &str) {
        let dir = format!("targets/{driver}/{name}");
        for session in self.tree.dirs(&format!("{dir}/sessions")) {
            self.tree.remove(&format!("{dir}/sessions/{session}"));
        }
        let groups = self.tree.dirs(&format!("{dir}/ini_groups"));
        let luns = groups.into_iter().map(|g| format!("{dir}/ini_groups/{g}/luns"));
        for luns in luns.chain([format!("{dir}/luns")]) {
            // Clearing LUNs that are there cannot fail.
            let _always = self.luns_mgmt(&luns, "clear");
        }
        self.leave_target_groups(name);
        self.tree.remove(&dir);
        self.slashed.remove(&dir);
    }

    fn local_session(&mut self, dir: &str, name: &str) {
        let session = self.new_session(dir, name);
        let path = format!("{dir}/sessions/{session}");
        let host = self.next_host;
        self.next_host = host.saturating_add(1);
        self.tree.attr(format!("{path}/host_no"), 0o444, format!("{host}\n"));
        let link =
            format!("../../../../../../../devices/scst_local/{session}/host{host}/scsi_host/host{host}");
        self.tree.link(format!("{path}/host"), link);
        self.tree.attr(format!("{path}/transport_id"), 0o644, "");
    }

    pub(crate) fn driver_mgmt(&mut self, driver: &str, value: &str) -> Outcome {
        let (action, rest) = lexeme(value);
        let (name, rest) = lexeme(rest);
        let dir = format!("targets/{driver}/{}", Self::shown(name));
        match action.to_ascii_lowercase().as_str() {
            "add_target" | "del_target" if name.is_empty() => Err(EINVAL),
            "add_target" => self.add_target(driver, name, &dir, rest),
            "del_target" if !self.is_named(&dir, name) => Err(ENOENT),
            "del_target" => {
                let sessions = !self.tree.dirs(&format!("{dir}/sessions")).is_empty();
                if driver != "scst_local" && sessions {
                    return Err(EBUSY);
                }
                let shown = Self::shown(name);
                self.drop_target(driver, &shown);
                Ok(())
            }
            "add_attribute" if driver == "iscsi" => self.add_user(&format!("targets/{driver}"), name, rest),
            "del_attribute" if driver == "iscsi" => self.del_user(&format!("targets/{driver}"), name, rest),
            "add_target_attribute" | "del_target_attribute" if driver == "iscsi" => {
                if !self.is_named(&dir, name) {
                    return Err(ENOENT);
                }
                let (attribute, rest) = lexeme(rest);
                match (action.starts_with("add"), attribute) {
                    (true, "allowed_portal") => self.add_portal(&dir, rest),
                    (false, "allowed_portal") => self.del_portal(&dir, rest),
                    (true, _) => self.add_user(&dir, attribute, rest),
                    (false, _) => self.del_user(&dir, attribute, rest),
                }
            }
            "add_session" | "del_session" if driver == "scst_local" => {
                let (session, extra) = lexeme(rest);
                if session.is_empty() || !extra.is_empty() {
                    return Err(EINVAL);
                }
                if !self.is_named(&dir, name) {
                    return Err(EINVAL);
                }
                let path = format!("{dir}/sessions/{session}");
                match action.starts_with("add") {
                    true => self.local_session(&dir, session),
                    false if self.tree.is_dir(&path) => self.tree.remove(&path),
                    false => return Err(EINVAL),
                }
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    fn add_target(&mut self, driver: &str, name: &str, dir: &str, rest: &str) -> Outcome {
        let iscsi = driver == "iscsi";
        if iscsi && self.tree.value("targets/iscsi/open_state") != "open" {
            return Err(EPERM);
        }
        if self.tree.exists(dir) {
            return Err(if driver == "scst_local" { EFAULT } else { EEXIST });
        }
        let mut session = None;
        let mut first = Vec::new();
        for p in parameters(rest) {
            let Some(value) = p.value.filter(|_| !p.extra) else { return Err(EINVAL) };
            let known = match driver {
                "iscsi" => ISCSI_TARGET.iter().any(|(n, ..)| {
                    *n == p.name && !matches!(*n, "enabled" | "alias" | "redirect" | "per_portal_acl")
                }),
                "scst_local" => p.name == "session_name",
                _ => self.tree.text(&format!("targets/{driver}/mgmt")).contains(p.name),
            };
            if !known {
                return Err(EINVAL);
            }
            if driver == "scst_local" {
                session = Some(value.to_owned());
            } else if iscsi {
                first.push((p.name.to_owned(), iscsi_value(p.name, value)?));
            }
        }
        if name.len() > 255 && !iscsi {
            return Err(EINVAL);
        }
        self.make_target(driver, &Self::shown(name));
        for (name, text) in first {
            self.tree.set(&format!("{dir}/{name}"), text);
        }
        if driver == "scst_local" {
            self.local_session(dir, &session.unwrap_or_else(|| "scst_local_host".to_owned()));
        }
        if name.contains('/') {
            self.slashed.insert(dir.to_owned(), name.to_owned());
        }
        Ok(())
    }

    pub(crate) fn driver_attribute(&mut self, driver: &str, name: &str, value: &str) -> Outcome {
        let path = format!("targets/{driver}/{name}");
        let text = match name {
            "enabled" => format!("{}\n\n", zero_or_one(value)?),
            _ if name.starts_with("IncomingUser") || name.starts_with("OutgoingUser") => {
                return self.rename_user(&path, value);
            }
            "link_local" => match zero_or_one(value)? {
                1 => "1\n\n".to_owned(),
                _ => "0\n[key]\n\n".to_owned(),
            },
            "iSNSServer" if !strim(value).is_empty() => return Err(ECONNREFUSED),
            "iSNSServer" => "\n\n".to_owned(),
            "internal_portal" if strim(value).is_empty() => "\n\n".to_owned(),
            "internal_portal" => format!("{}\n[key]\n\n", strim(value)),
            "allow_not_connected_copy" => keyed(flag(value)?, 0),
            _ => return self.plain(&path, value),
        };
        self.tree.set(&path, text);
        Ok(())
    }

    pub(crate) fn target_attribute(
        &mut self,
        driver: &str,
        target: &str,
        name: &str,
        value: &str,
    ) -> Outcome {
        let dir = format!("targets/{driver}/{target}");
        let path = format!("{dir}/{name}");
        if let Some(outcome) = self.shared_attribute(&dir, name, value) {
            return outcome;
        }
        let text = match name {
            "enabled" => return self.enable(&dir, value),
            "rel_tgt_id" => return self.rel_tgt_id(&dir, value),
            "comment" => match line(value) {
                "" => String::new(),
                text => format!("{text}\n[key]\n"),
            },
            "forwarding" | "forward_dst" => {
                // Two names of one thing.
                let text = keyed(flag(value)?, 0);
                self.tree.set(&format!("{dir}/forwarding"), text.clone());
                self.tree.set(&format!("{dir}/forward_dst"), text);
                return Ok(());
            }
            "forward_src" | "aen_disabled" | "explicit_confirmation" => keyed(flag(value)?, 0),
            _ if name.starts_with("IncomingUser") || name.starts_with("OutgoingUser") => {
                return self.rename_user(&path, value);
            }
            "per_portal_acl" => match zero_or_one(value)? {
                1 => "1\n[key]\n\n".to_owned(),
                _ => "0\n\n".to_owned(),
            },
            "alias" => match line(value) {
                "" => "\n".to_owned(),
                text => format!("{text}\n[key]\n\n"),
            },
            "redirect" => match line(value) {
                "" => "\n".to_owned(),
                text => {
                    let (address, kind) = lexeme(text);
                    if address.is_empty() || !matches!(kind, "temp" | "perm") {
                        return Err(EINVAL);
                    }
                    format!("{text}\n[key]\n\n")
                }
            },
            _ if ISCSI_TARGET.iter().any(|(n, ..)| *n == name) => iscsi_value(name, line(value))?,
            _ => return self.plain(&path, value),
        };
        self.tree.set(&path, text);
        Ok(())
    }

    fn enable(&mut self, dir: &str, value: &str) -> Outcome {
        let enabled = zero_or_one(value)?;
        let used = self.rel_ids(dir);
        let id = self.tree.value(&format!("{dir}/rel_tgt_id")).parse::<u64>().unwrap_or(0);
        if enabled == 1 && id != 0 && used.contains(&id) {
            return Err(EBADSLT);
        }
        if enabled == 1 && id == 0 {
            let free = (1u64..=65535).find(|id| !used.contains(id)).ok_or(EINVAL)?;
            self.tree.set(&format!("{dir}/rel_tgt_id"), keyed(free, 0));
        }
        if enabled == 0 {
            self.close_sessions(dir);
        }
        self.tree.set(&format!("{dir}/enabled"), format!("{enabled}\n"));
        Ok(())
    }

    /// Whether a target serves; one without the attribute always does.
    fn is_enabled(&self, dir: &str) -> bool {
        let path = format!("{dir}/enabled");
        !self.tree.exists(&path) || self.tree.value(&path) == "1"
    }

    /// Relative target ids of all other targets of this box that are enabled: the others may wait with the
    /// same one.
    fn rel_ids(&self, except: &str) -> Vec<u64> {
        let mut ids = Vec::new();
        for driver in self.tree.dirs("targets") {
            for target in self.tree.dirs(&format!("targets/{driver}")) {
                let dir = format!("targets/{driver}/{target}");
                if dir != except && self.is_enabled(&dir) {
                    ids.extend(self.tree.value(&format!("{dir}/rel_tgt_id")).parse::<u64>());
                }
            }
        }
        ids
    }

    fn rel_tgt_id(&mut self, dir: &str, value: &str) -> Outcome {
        let id = unsigned(strim(value))?;
        let enabled = self.is_enabled(dir);
        if id > 65535 || (id == 0 && self.tree.value(&format!("{dir}/enabled")) == "1") {
            return Err(EINVAL);
        }
        if enabled && id != 0 && self.rel_ids(dir).contains(&id) {
            return Err(EBADSLT);
        }
        self.tree.set(&format!("{dir}/rel_tgt_id"), keyed(id, 0));
        Ok(())
    }
}

/// What an iSCSI parameter prints after a value was written to it.
fn iscsi_value(name: &str, value: &str) -> Result<String, i32> {
    let default = ISCSI_TARGET.iter().find(|(n, ..)| *n == name).map_or("", |(_, _, text)| text.trim_end());
    let value = match name {
        "DataDigest" | "HeaderDigest" => {
            let wanted: Vec<&str> = value.split(',').map(str::trim).collect();
            if wanted.iter().any(|w| !matches!(*w, "None" | "CRC32C")) {
                return Err(EINVAL);
            }
            let kept: Vec<&str> = ["None", "CRC32C"].into_iter().filter(|d| wanted.contains(d)).collect();
            kept.join(",")
        }
        "ImmediateData" | "InitialR2T" | "RDMAExtensions" if matches!(value, "Yes" | "No") => {
            value.to_owned()
        }
        _ => {
            let (_, least, most) = ISCSI_NUMBERS.iter().find(|(n, ..)| *n == name).ok_or(EINVAL)?;
            let n = unsigned(value)?;
            if n < *least || n > *most {
                return Err(EINVAL);
            }
            n.to_string()
        }
    };
    Ok(if value == default { format!("{value}\n") } else { format!("{value}\n[key]\n\n") })
}
