//! Parameters: those of the original's `scst` and `alua` agents, and a few more.
use esos_cluster::{OcfExit, OcfRequest};

/// ALUA states of SCST.
pub const STATES: [&str; 6] =
    ["active", "nonoptimized", "standby", "unavailable", "offline", "transitioning"];

/// What the operator configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// SCST's device group.
    pub device_group: String,
    /// The target group of this box; `%n` in it is this node's name.
    pub local: String,
    /// The other target groups; empty: all that there are.
    pub remotes: Vec<String>,
    /// The state of the promoted box's ports.
    pub active_state: String,
    /// The state of an unpromoted box's ports.
    pub passive_state: String,
    /// The state of a stopped box's ports.
    pub stopped_state: String,
    /// Whether backing devices are opened and closed with the role.
    pub set_dev_active: bool,
    /// Whether ports say `transitioning` meanwhile.
    pub use_trans_state: bool,
    /// DRBD resources that must be Primary and UpToDate before anything is opened.
    pub drbd: Vec<String>,
    /// This node.
    pub node: String,
}

/// Parameters that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BadParams {
    /// What is wrong.
    pub reason: String,
    /// What the agent answers: [`OcfExit::Configured`] only for what is wrong on every node.
    pub exit: OcfExit,
}

/// OCF's words for yes.
#[must_use]
pub fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "yes" | "true" | "1" | "on" | "y")
}

impl Params {
    /// Reads and checks them. Redirect mode of the original (the passive side passes I/O on to the active
    /// one) is accepted and not used: the passive side's ports stand by.
    ///
    /// # Errors
    /// [`BadParams`].
    pub fn read(request: &OcfRequest, node: &str) -> Result<Self, BadParams> {
        let wrong = |reason: String| Err(BadParams { reason, exit: OcfExit::Configured });
        let get = |name: &str, default: &str| request.param(name).unwrap_or(default).to_owned();
        let named = |text: String| text.replace("%n", node);
        let list = |text: &str| {
            text.split([' ', ',']).filter(|w| !w.is_empty()).map(|w| w.replace("%n", node)).collect()
        };
        let set_dev_active = is_true(&get("set_dev_active", "true"));
        let redirect = is_true(&get("redirect_mode", "false"));
        let mut p = Self {
            device_group: get("device_group", ""),
            local: named(get("local_tgt_grp", "%n")),
            remotes: list(&get("remote_tgt_grp", "")),
            active_state: get("m_alua_state", "active"),
            passive_state: get("s_alua_state", "standby"),
            stopped_state: get("remote_inact_state", "offline"),
            set_dev_active,
            use_trans_state: is_true(&get("use_trans_state", "true")),
            drbd: list(&get("drbd_resource", "")),
            node: node.to_owned(),
        };
        p.remotes.retain(|r| *r != p.local);
        if p.device_group.is_empty() || p.device_group.contains('/') {
            return wrong("`device_group` must name SCST's device group".to_owned());
        }
        if p.local.is_empty() || p.local.contains('/') {
            return wrong("`local_tgt_grp` must name the target group of this box".to_owned());
        }
        for (name, state) in [
            ("m_alua_state", &p.active_state),
            ("s_alua_state", &p.passive_state),
            ("remote_inact_state", &p.stopped_state),
        ] {
            if !STATES.contains(&state.as_str()) {
                return wrong(format!("`{name}` is `{state}`, which is none of {}", STATES.join(", ")));
            }
        }
        if !["active", "nonoptimized"].contains(&p.active_state.as_str()) {
            return wrong(format!("`m_alua_state={}` serves nothing", p.active_state));
        }
        if set_dev_active && !redirect && ["active", "nonoptimized"].contains(&p.passive_state.as_str()) {
            return wrong(format!(
                "`s_alua_state={}` would offer paths whose device is closed: writes there fail, and initiators do not try another path; use standby or unavailable",
                p.passive_state
            ));
        }
        if p.stopped_state == p.passive_state {
            return wrong("`remote_inact_state` and `s_alua_state` must differ: they tell a stopped box from one that stands by".to_owned());
        }
        for (name, most) in [
            ("clone_node_max", 1),
            ("promoted_max", 1),
            ("master_max", 1),
            ("promoted_node_max", 1),
            ("master_node_max", 1),
        ] {
            let value = request.meta.get(name).and_then(|v| v.parse::<u32>().ok());
            if value.is_some_and(|v| v > most) {
                return wrong(format!(
                    "the meta attribute `{}` must be 1: there is one active side",
                    name.replace('_', "-")
                ));
            }
        }
        // Redirecting needs a path between the boxes that nobody sets up here.
        if redirect && ["active", "nonoptimized"].contains(&p.passive_state.as_str()) {
            p.passive_state = "standby".to_owned();
        }
        Ok(p)
    }
}
