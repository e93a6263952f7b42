//! What Pacemaker takes and is still wrong, or dangerous.
use super::model::{Cib, Constraint, Primitive, Res};
use esos_diag::Severity;
use serde::Serialize;
use std::collections::BTreeMap;

/// One finding about a CIB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CibFinding {
    /// A stable code such as `cib::no-fencing`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: an id, or the name of an option.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do.
    pub help: String,
}

struct Lint<'a> {
    cib: &'a Cib,
    out: Vec<CibFinding>,
}

/// All findings. `nodes` is how many nodes there are, where the CIB does not say.
#[must_use]
pub fn lint_cib(cib: &Cib, nodes: Option<usize>) -> Vec<CibFinding> {
    let mut l = Lint { cib, out: Vec::new() };
    let count = if cib.nodes.is_empty() { nodes.unwrap_or(0) } else { cib.nodes.len() };
    l.fencing(count);
    l.references();
    for r in &cib.resources {
        l.resource(r);
    }
    l.chain();
    l.leftovers();
    l.out
}

impl Lint<'_> {
    fn add(&mut self, severity: Severity, code: &str, subject: &str, message: String, help: &str) {
        self.out.push(CibFinding {
            code: format!("cib::{code}"),
            severity,
            subject: subject.to_owned(),
            message,
            help: help.to_owned(),
        });
    }

    fn error(&mut self, code: &str, subject: &str, message: String, help: &str) {
        self.add(Severity::Error, code, subject, message, help);
    }

    fn warn(&mut self, code: &str, subject: &str, message: String, help: &str) {
        self.add(Severity::Warning, code, subject, message, help);
    }

    fn fencing(&mut self, count: usize) {
        let cib = self.cib;
        let on = cib.fencing_on();
        let devices: Vec<&Primitive> =
            cib.resources.iter().flat_map(Res::primitives).filter(|p| p.fences()).collect();
        let watchdog = cib.properties.get("stonith-watchdog-timeout").is_some_and(|v| v != "0");
        let policy = cib.properties.get("no-quorum-policy").map_or("stop", String::as_str);
        if !on {
            self.error(
                "fencing-off",
                "stonith-enabled",
                "fencing is switched off: after a partition both sides may write".to_owned(),
                "set `stonith-enabled=true` and configure a fencing device for each node",
            );
        } else if devices.is_empty() && !watchdog {
            self.error(
                "no-fencing",
                "stonith-enabled",
                "no fencing device is configured: Pacemaker starts nothing".to_owned(),
                "configure a fencing device for each node, or sbd with a watchdog",
            );
        }
        if policy == "ignore" && !(on && !devices.is_empty() && count <= 2) {
            self.error(
                "quorum-ignored",
                "no-quorum-policy",
                "`no-quorum-policy=ignore` without fencing of two nodes: a partition without quorum acts"
                    .to_owned(),
                "use `stop` or `freeze`; two nodes need `two_node: 1` in corosync.conf instead",
            );
        }
        let priority = cib
            .properties
            .get("priority-fencing-delay")
            .is_some_and(|v| v.trim_start_matches('0').chars().next().is_some_and(|c| c.is_ascii_digit()));
        let delayed = devices
            .iter()
            .any(|d| ["pcmk_delay_base", "pcmk_delay_max"].iter().any(|k| d.params.contains_key(*k)));
        if on && count == 2 && !devices.is_empty() && !priority && !delayed {
            self.warn("fence-race", "priority-fencing-delay", "two nodes without a fencing delay: after the network was cut both may be shot".to_owned(), "set `priority-fencing-delay=10s` and a `priority` of the main resource, or `pcmk_delay_base` of one device");
        }
        if priority {
            let any = cib.resources.iter().any(|r| {
                r.meta().contains_key("priority")
                    || r.primitives().iter().any(|p| p.meta.contains_key("priority"))
            }) || cib.rsc_defaults.contains_key("priority");
            if !any {
                self.warn(
                    "no-priority",
                    "priority-fencing-delay",
                    "`priority-fencing-delay` has no effect: no resource has a `priority`".to_owned(),
                    "give the promotable SCST resource `priority=10`",
                );
            }
        }
        if watchdog && cib.properties.get("have-watchdog").is_some_and(|v| v == "false") {
            self.error(
                "no-watchdog",
                "stonith-watchdog-timeout",
                "watchdog fencing is configured, and there is no watchdog (sbd is not running)".to_owned(),
                "start sbd with a hardware watchdog on every node",
            );
        }
        if devices.len() == 1
            && count == 2
            && devices
                .iter()
                .all(|d| d.params.get("pcmk_host_list").is_some_and(|l| !l.contains([',', ' ', ';'])))
        {
            self.warn(
                "fence-one-node",
                &devices.first().map_or(String::new(), |d| d.id.clone()),
                "the only fencing device reaches one node: the other cannot be fenced".to_owned(),
                "add a device for the other node",
            );
        }
    }

    fn references(&mut self) {
        let cib = self.cib;
        let ids = cib.ids();
        for c in &cib.constraints {
            let known = |n: &&str| ids.contains(n) || cib.named.contains(*n);
            for name in c.names().into_iter().filter(|n| !known(n)) {
                self.error(
                    "unknown-resource",
                    c.id(),
                    format!("the constraint names `{name}`, which is no resource"),
                    "mend the name, or remove the constraint",
                );
            }
            if let Constraint::Location { id, node, .. } = c
                && !cib.nodes.is_empty()
                && !cib.nodes.contains_key(node)
                && !cib.made_nodes.iter().any(|m| node == m || (m.ends_with('-') && node.starts_with(m)))
            {
                self.warn(
                    "unknown-node",
                    id,
                    format!("the constraint names `{node}`, which is no node"),
                    "mend the name",
                );
            }
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let all = cib.resources.iter().flat_map(|r| {
            std::iter::once(r.id())
                .chain(r.primitives().into_iter().map(|p| p.id.as_str()).filter(move |id| *id != r.id()))
        });
        all.chain(cib.constraints.iter().map(Constraint::id))
            .for_each(|id| *seen.entry(id).or_default() += 1);
        for (id, _) in seen.into_iter().filter(|(_, n)| *n > 1) {
            self.error("duplicate-id", id, format!("the id `{id}` stands twice"), "each id once");
        }
    }

    fn resource(&mut self, r: &Res) {
        if let Res::Clone { id, meta, inner } = r {
            let get = |k: &str| meta.get(k).map(String::as_str);
            let drbd = inner.primitives().iter().any(|p| p.agent_name() == "ocf:linbit:drbd");
            let scst = inner.primitives().iter().any(|p| is_scst(p));
            if (drbd || scst) && get("promotable") == Some("true") {
                if get("notify") != Some("true") {
                    self.error(
                        "no-notify",
                        id,
                        format!("{id} needs `notify=true`: the agent tells its peers through it"),
                        "add the meta attribute `notify=true`",
                    );
                }
                if get("promoted-max").or(get("master-max")).is_some_and(|v| v != "1") {
                    self.error(
                        "promoted-max",
                        id,
                        format!("{id} may be promoted on several nodes: SCST and DRBD have one active side"),
                        "set `promoted-max=1`",
                    );
                }
                if get("clone-node-max").is_some_and(|v| v != "1") {
                    self.error(
                        "clone-node-max",
                        id,
                        format!("{id} may run twice on one node"),
                        "set `clone-node-max=1`",
                    );
                }
            }
            if (drbd || scst) && get("promotable") != Some("true") {
                self.error(
                    "not-promotable",
                    id,
                    format!("{id} must be promotable"),
                    "add the meta attribute `promotable=true`",
                );
            }
        }
        // What a template brings is not looked up.
        for p in r.primitives().into_iter().filter(|p| !p.fences() && p.template.is_none()) {
            let monitors: Vec<_> = p
                .ops
                .iter()
                .filter(|o| o.name == "monitor" && o.interval.trim_end_matches('s') != "0")
                .collect();
            if monitors.is_empty() {
                self.warn(
                    "no-monitor",
                    &p.id,
                    format!("{} is never looked at: its failure is not noticed", p.id),
                    "add `op monitor interval=10s timeout=20s`",
                );
            }
            if r.is_promotable() && !monitors.is_empty() {
                let promoted = |o: &&&crate::cib::Op| o.more.get("role").is_some_and(|r| r == "Promoted");
                match monitors.iter().find(promoted) {
                    None => self.warn(
                        "no-promoted-monitor",
                        &p.id,
                        format!("the promoted {} is never looked at", p.id),
                        "add `op monitor role=Promoted interval=5s`",
                    ),
                    Some(a) if monitors.iter().any(|b| b != a && b.interval == a.interval) => {
                        self.error(
                            "same-interval",
                            &p.id,
                            format!(
                                "both monitors of {} have the interval {}: Pacemaker keeps one of them",
                                p.id, a.interval
                            ),
                            "give them different intervals",
                        );
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// DRBD first, then SCST, on the same node.
    fn chain(&mut self) {
        let cib = self.cib;
        let with = |f: &dyn Fn(&Primitive) -> bool| -> Vec<&Res> {
            cib.resources.iter().filter(|r| r.primitives().iter().any(|p| f(p))).collect()
        };
        let drbd = with(&|p| p.agent_name() == "ocf:linbit:drbd");
        let scst = with(&is_scst);
        if drbd.is_empty() {
            return;
        }
        for s in scst {
            let ordered = cib.constraints.iter().any(|c| matches!(c, Constraint::Order { first, first_action, then, .. } if *then == s.id() && drbd.iter().any(|d| d.id() == first) && first_action.as_deref() == Some("promote")));
            let placed = cib.constraints.iter().any(|c| matches!(c, Constraint::Colocation { rsc, with, with_role, score, .. } if *rsc == s.id() && drbd.iter().any(|d| d.id() == with) && with_role.as_deref() == Some("Promoted") && score == "INFINITY"));
            let others = cib.constraints.iter().any(|c| matches!(c, Constraint::Other { .. }));
            if !ordered && !others {
                self.error("no-order", s.id(), format!("{} is not ordered behind the promotion of DRBD: it would open a device that is Secondary", s.id()), "add `order … Mandatory: DRBD:promote SCST:promote`");
            }
            if !placed && !others {
                self.error(
                    "no-colocation",
                    s.id(),
                    format!("{} is not bound to where DRBD is promoted", s.id()),
                    "add `colocation … inf: SCST:Promoted DRBD:Promoted`",
                );
            }
        }
        for p in cib.resources.iter().flat_map(Res::primitives).filter(|p| is_scst(p)) {
            let passive = p.params.get("s_alua_state").map_or("nonoptimized", String::as_str);
            let active = p.params.get("set_dev_active").is_some_and(|v| v == "true");
            if p.agent == "alua" && active && ["active", "nonoptimized"].contains(&passive) {
                self.error("alua-serving", &p.id, format!("{}: the passive side offers paths (`s_alua_state={passive}`) whose device is closed: writes there fail and are not tried elsewhere", p.id), "set `s_alua_state=standby` (or `unavailable`)");
            }
        }
    }

    fn leftovers(&mut self) {
        let cib = self.cib;
        for c in &cib.constraints {
            let id = c.id();
            if id.starts_with("cli-ban") || id.starts_with("cli-prefer") {
                self.warn(
                    "moved",
                    id,
                    format!("`{id}` is left of a move or ban: it binds the resource until it is taken away"),
                    "take it away with `crm resource clear`",
                );
            }
            if id.starts_with("drbd-fence-by-handler") {
                self.warn("drbd-fenced", id, format!("`{id}` is set by DRBD's fence handler: a node whose data may be old must not be promoted"), "bring the node back and let the resync end; the handler takes it away");
            }
        }
        if cib.on("maintenance-mode", false) {
            self.warn(
                "maintenance",
                "maintenance-mode",
                "the cluster is in maintenance: nothing is taken over".to_owned(),
                "`crm configure property maintenance-mode=false`",
            );
        }
    }
}

fn is_scst(p: &Primitive) -> bool {
    p.provider.as_deref() == Some("esos") && ["scst", "scst-alua", "alua"].contains(&p.agent.as_str())
}
