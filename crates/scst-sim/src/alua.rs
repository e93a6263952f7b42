//! Device groups and target groups.
use crate::attribute::{keyed, zero_or_one};
use crate::errno::{EEXIST, EINVAL, Outcome};
use crate::sim::State;
use crate::template::{DG_DEVICES_MGMT, TARGET_GROUPS_MGMT, TG_MGMT};
use crate::tree::Node;
use crate::words::{lexeme, strim, unsigned};

const STATES: [&str; 6] = ["active", "nonoptimized", "standby", "unavailable", "offline", "transitioning"];

/// The action and the name; further words are ignored.
fn command(value: &str) -> Result<(String, String), i32> {
    let (action, rest) = lexeme(value);
    let (name, _) = lexeme(rest);
    if name.is_empty() { Err(EINVAL) } else { Ok((action.to_owned(), name.to_owned())) }
}

impl State {
    pub(crate) fn device_groups_mgmt(&mut self, value: &str) -> Outcome {
        let (action, name) = command(value)?;
        let path = format!("device_groups/{}", Self::shown(&name));
        match action.as_str() {
            "create" | "add" if self.tree.exists(&path) => Err(EEXIST),
            "create" | "add" => {
                self.tree.dir(&path);
                self.tree.dir(&format!("{path}/devices"));
                self.tree.attr(format!("{path}/devices/mgmt"), 0o644, DG_DEVICES_MGMT);
                self.tree.dir(&format!("{path}/target_groups"));
                self.tree.attr(format!("{path}/target_groups/mgmt"), 0o644, TARGET_GROUPS_MGMT);
                if name.contains('/') {
                    self.slashed.insert(path, name);
                }
                Ok(())
            }
            "del" if self.is_named(&path, &name) => {
                self.tree.remove(&path);
                self.slashed.remove(&path);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    pub(crate) fn group_devices_mgmt(&mut self, group: &str, value: &str) -> Outcome {
        let (action, name) = command(value)?;
        let path = format!("device_groups/{group}/devices/{name}");
        match action.as_str() {
            "add" if !self.tree.is_dir(&format!("devices/{name}")) => Err(EINVAL),
            "add" => {
                let groups = self.tree.dirs("device_groups");
                if groups.iter().any(|g| self.tree.exists(&format!("device_groups/{g}/devices/{name}"))) {
                    return Err(EEXIST);
                }
                self.tree.link(path, format!("../../../devices/{name}"));
                Ok(())
            }
            "del" if matches!(self.tree.get(&path), Some(Node::Link(_))) => {
                self.tree.remove(&path);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    pub(crate) fn target_groups_mgmt(&mut self, group: &str, value: &str) -> Outcome {
        let (action, name) = command(value)?;
        let path = format!("device_groups/{group}/target_groups/{}", Self::shown(&name));
        match action.as_str() {
            "create" | "add" if self.tree.exists(&path) => Err(EEXIST),
            "create" | "add" => {
                self.tree.dir(&path);
                self.tree.attr(format!("{path}/group_id"), 0o644, "0\n[key]\n");
                self.tree.attr(format!("{path}/mgmt"), 0o644, TG_MGMT);
                self.tree.attr(format!("{path}/preferred"), 0o644, "0\n");
                self.tree.attr(format!("{path}/state"), 0o644, "active\n[key]\n");
                if name.contains('/') {
                    self.slashed.insert(path, name);
                }
                Ok(())
            }
            "del" if self.is_named(&path, &name) => {
                self.tree.remove(&path);
                self.slashed.remove(&path);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    /// The directory of a target of this box, whatever its driver.
    fn local_target(&self, name: &str) -> Option<String> {
        let drivers = self.tree.dirs("targets");
        drivers.into_iter().map(|d| format!("targets/{d}/{name}")).find(|path| self.tree.is_dir(path))
    }

    pub(crate) fn target_group_mgmt(&mut self, group: &str, tg: &str, value: &str) -> Outcome {
        let (action, name) = command(value)?;
        let groups = format!("device_groups/{group}/target_groups");
        let path = format!("{groups}/{tg}/{name}");
        match action.as_str() {
            "add" => {
                let taken = |g: &String| self.tree.exists(&format!("{groups}/{g}/{name}"));
                if self.tree.dirs(&groups).iter().any(taken) {
                    return Err(EEXIST);
                }
                match self.local_target(&name) {
                    Some(target) => self.tree.link(path, format!("../../../../{target}")),
                    None => {
                        self.tree.dir(&path);
                        self.tree.attr(format!("{path}/rel_tgt_id"), 0o644, "0\n[key]\n");
                    }
                }
                Ok(())
            }
            "del" if matches!(self.tree.get(&path), Some(Node::Link(_) | Node::Dir)) => {
                self.tree.remove(&path);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    /// Targets that go away leave their target groups.
    pub(crate) fn leave_target_groups(&mut self, target: &str) {
        for group in self.tree.dirs("device_groups") {
            let groups = format!("device_groups/{group}/target_groups");
            for tg in self.tree.dirs(&groups) {
                let path = format!("{groups}/{tg}/{target}");
                if matches!(self.tree.get(&path), Some(Node::Link(_))) {
                    self.tree.remove(&path);
                }
            }
        }
    }

    pub(crate) fn alua_state(&mut self, path: &str, value: &str) -> Outcome {
        let state = strim(value);
        if !STATES.contains(&state) {
            return Err(EINVAL);
        }
        if self.tree.value(path) != state {
            self.bind_devices(path.trim_end_matches("/state"), matches!(state, "active" | "nonoptimized"));
        }
        self.tree.set(path, format!("{state}\n[key]\n"));
        Ok(())
    }

    /// The devices of a target group's device group that have `bind_alua_state` are opened and closed by its
    /// state (`__scst_tg_set_state`, `vdev_on_alua_state_change_finish`). The state of a group with a target
    /// of another box moves only those that a session sees through one of its own targets.
    fn bind_devices(&mut self, tg: &str, opens: bool) {
        let parts: Vec<&str> = tg.split('/').collect();
        let ["device_groups", group, ..] = parts.as_slice() else { return };
        let named = self.tree.children(tg).into_iter();
        let targets: Vec<(String, bool)> =
            named.map(|(n, node)| (n.to_owned(), matches!(node, Node::Dir))).collect();
        let remote = targets.iter().any(|(_, remote)| *remote);
        let devices = self.tree.children(&format!("device_groups/{group}/devices")).into_iter();
        let devices: Vec<String> =
            devices.filter(|(_, node)| matches!(node, Node::Link(_))).map(|(n, _)| n.to_owned()).collect();
        for device in devices {
            let bound = self.tree.value(&format!("devices/{device}/bind_alua_state")) == "1";
            let seen = |s: &Self| targets.iter().any(|(t, _)| s.is_seen_through(&device, Some(t)));
            if bound && (!remote || seen(self)) {
                // The kernel only logs that a backing device cannot be opened.
                let _logged = self.set_active(&device, u64::from(opens));
            }
        }
    }

    pub(crate) fn alua_attribute(&mut self, path: &str, value: &str) -> Outcome {
        let parts: Vec<&str> = path.split('/').collect();
        let text = match parts.as_slice() {
            [.., "group_id"] => match unsigned(strim(value)) {
                Ok(id) if id <= 65535 => format!("{id}\n[key]\n"),
                _ => return Err(EINVAL),
            },
            [.., "preferred"] => keyed(zero_or_one(value)?, 0),
            ["device_groups", _, "target_groups", _, _, "rel_tgt_id"] => match unsigned(strim(value)) {
                Ok(id @ 1..=65535) => format!("{id}\n[key]\n"),
                _ => return Err(EINVAL),
            },
            _ => return self.plain(path, value),
        };
        self.tree.set(path, text);
        Ok(())
    }
}
