//! What holds for the whole cluster, or for a node, before anything else does: a node that was lost, quorum,
//! maintenance.
use super::{Case, Explanation};
use crate::model::Node;
use crate::words::{Fencing, Role};

impl Case<'_> {
    /// A node that holds it, or is in the way, must be fenced first.
    pub(super) fn unclean(&self) -> Option<Explanation> {
        let holds = |n: &&Node| n.unclean && self.instances().iter().any(|r| r.nodes.contains(&n.name));
        let node = self.c.nodes.iter().find(holds).or_else(|| self.c.nodes.iter().find(|n| n.unclean))?;
        let name = &node.name;
        let list = self.instances();
        let lacks = self.promotable() && !list.iter().any(|r| r.role == Role::Promoted);
        if !holds(&node) && list.iter().any(|r| r.active) && !lacks {
            return None;
        }
        let events: Vec<_> = self.c.fencing.iter().filter(|e| e.target == *name).collect();
        let pending = events.iter().find(|e| e.state == Fencing::Pending);
        let failed = events.iter().find(|e| e.state == Fencing::Failed);
        let held = self.instances().iter().any(|r| r.nodes.contains(name));
        let lost = if held {
            format!("it was on {name}, which was lost and is not known to be off")
        } else {
            format!(
                "{name} was lost and is not known to be off, and until then nothing may be started in its place"
            )
        };
        let confirm = format!(
            "look at {name} and its fencing device; only when {name} is certainly off, confirm it with `stonith_admin --confirm {name}`"
        );
        let since = failed
            .and_then(|e| e.completed.clone())
            .or_else(|| self.c.time.clone().filter(|_| failed.is_none() && pending.is_none()));
        Some(match (pending, failed) {
            (_, Some(f)) => {
                let reason = f.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
                let again = if pending.is_some() { " and is tried again" } else { "" };
                self.answer(format!("{lost}: fencing {name} failed{reason}{again}"), since, confirm, false)
            }
            (Some(_), None) => self.answer(
                format!("{lost}: fencing {name} is pending"),
                since,
                format!("wait for it; if it does not end, {confirm}"),
                false,
            ),
            (None, None) if !self.c.fencing_on() => self.answer(
                format!("{lost}, and fencing is switched off"),
                since,
                "set up fencing: without it nothing can be taken over safely",
                false,
            ),
            (None, None) => self.answer(
                format!("{lost}, and no fencing of it was begun"),
                since,
                format!("look whether a fencing device for {name} is there (`esos cluster fence-test`)"),
                false,
            ),
        })
    }

    pub(super) fn quorum(&self) -> Option<Explanation> {
        if self.c.quorum != Some(false) {
            return None;
        }
        let policy = self.c.options.get("no-quorum-policy").map_or("stop", String::as_str);
        let members: Vec<&Node> = self.c.nodes.iter().filter(|n| n.is_member()).collect();
        let online = members.iter().filter(|n| n.online).count();
        let seen = format!("this partition has no quorum ({online} of {} nodes seen)", members.len());
        let advice = "bring enough nodes back for a majority, or look at the side that has it";
        let active = self.instances().iter().any(|r| r.active);
        Some(match policy {
            "ignore" => return None,
            "freeze" if active => self.answer(
                format!("{seen}, and what runs goes on (no-quorum-policy=freeze)"),
                self.c.time.clone(),
                advice,
                false,
            ),
            "demote" if active => self.answer(
                format!("{seen}: what is promoted is demoted, the rest goes on (no-quorum-policy=demote)"),
                self.c.time.clone(),
                advice,
                false,
            ),
            "suicide" | "fence" => self.answer(
                format!("{seen} and its nodes are fenced (no-quorum-policy={policy})"),
                self.c.time.clone(),
                advice,
                false,
            ),
            _ if active => self.answer(
                format!("{seen} and is about to stop it (no-quorum-policy={policy})"),
                self.c.time.clone(),
                advice,
                false,
            ),
            _ => self.answer(
                format!("{seen} and runs nothing (no-quorum-policy={policy})"),
                self.stopped_since(),
                advice,
                false,
            ),
        })
    }

    pub(super) fn maintenance(&self) -> Option<Explanation> {
        if self.c.option("maintenance-mode", false) {
            let advice = "end it with `crm configure property maintenance-mode=false`";
            return Some(
                self.answer(
                    "the whole cluster is in maintenance: Pacemaker watches nothing and changes nothing"
                        .to_owned(),
                    self.c.last_change.clone(),
                    advice,
                    false,
                ),
            );
        }
        let here = self
            .c
            .nodes
            .iter()
            .find(|n| n.maintenance && self.instances().iter().any(|r| r.nodes.contains(&n.name)));
        if let Some(n) = here {
            let advice = format!("end it with `crm node ready {}`", n.name);
            return Some(self.answer(
                format!("{} is in maintenance: what is there is left alone", n.name),
                self.c.last_change.clone(),
                advice,
                false,
            ));
        }
        self.instances().into_iter().find(|r| !r.managed && !r.blocked)?;
        Some(self.answer(
            "it is unmanaged: Pacemaker does not act on it".to_owned(),
            self.c.last_change.clone(),
            format!("give it back with `crm resource manage {}`", self.id),
            false,
        ))
    }
}
