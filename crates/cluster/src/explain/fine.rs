//! It runs, or nothing else says why not: what its place follows from.
use super::Explanation;
use super::{Case, NOTHING, back, base, reason};
use crate::model::{Failure, Kind, Node, Operation, Resource};
use crate::words::{Fencing, Role};

impl<'c> Case<'c> {
    /// It runs; why there.
    pub(super) fn fine(&self) -> Option<Explanation> {
        let list = self.instances();
        if !list.iter().any(|r| r.active) {
            return None;
        }
        let main =
            list.iter().find(|r| r.role == Role::Promoted).or_else(|| list.iter().find(|r| r.active))?;
        let node = self.node.map(str::to_owned).or_else(|| main.nodes.first().cloned())?;
        let task =
            if main.role == Role::Promoted && self.node.is_none_or(|n| main.nodes.iter().any(|x| x == n)) {
                "promote"
            } else {
                "start"
            };
        let ids: Vec<&str> = list.iter().map(|r| base(&r.id)).collect();
        let here = |o: &&Operation| o.node == node && ids.contains(&base(&o.resource)) && o.rc == Some(0);
        let last = self.c.history.iter().filter(here).filter(|o| o.task == task).max_by_key(|o| o.call);
        let last = last.or_else(|| self.c.history.iter().filter(here).min_by_key(|o| o.call));
        let since = last.and_then(|o| o.time.clone());
        let mine = |f: &&Failure| ids.contains(&base(&f.resource)) && f.task != "promote_probe";
        if let Some(f) = self.c.failures.iter().rfind(mine) {
            return Some(self.failed_once(f, &list, &node, since));
        }
        let elsewhere =
            self.node.is_some_and(|n| !list.iter().any(|r| r.active && r.nodes.iter().any(|x| x == n)));
        if elsewhere {
            let many = self.c.top(self.id).is_some_and(|t| matches!(t.kind, Kind::Clone | Kind::Promotable));
            let mut places: Vec<&str> =
                list.iter().filter(|r| r.active).flat_map(|r| r.nodes.iter().map(String::as_str)).collect();
            places.sort_unstable();
            places.dedup();
            let why = if many {
                format!(
                    "its instances are on {}, and nothing in this output says why none is here",
                    places.join(" and ")
                )
            } else {
                format!("it runs on {}, and one place is all that it has", places.join(" and "))
            };
            let advice = match many {
                true => format!("look at `crm_resource --why --resource {}`", self.id),
                false => NOTHING.to_owned(),
            };
            return Some(self.answer(why, since, advice, !many));
        }
        let gone = self.lost(&node);
        let why = match gone.first() {
            None => "all nodes can run it, and it is where Pacemaker put it".to_owned(),
            Some(_) => self.all_gone(&gone),
        };
        let advice = gone.first().map_or(NOTHING.to_owned(), |n| back(n));
        Some(self.answer(why, since, advice, gone.is_empty()))
    }

    /// It runs, and an operation of it failed before. A node that is away is told too: of a failover it is
    /// the cause, whatever had to be tried twice on the way.
    fn failed_once(&self, f: &Failure, list: &[&Resource], node: &str, since: Option<String>) -> Explanation {
        let there = list.iter().any(|r| r.active && r.nodes.contains(&f.node));
        let clone = self.c.top(self.id).is_some_and(|t| matches!(t.kind, Kind::Clone | Kind::Promotable));
        let then =
            if there || !(clone || f.task == "probe") { "it was recovered" } else { "it does not run there" };
        let what = format!("{} of {} failed on {}{}, and {then}", f.task, f.resource, f.node, reason(f));
        let forget = format!("forget the failure with `crm resource cleanup {}`", f.resource);
        let gone = self.lost(node);
        match gone.first() {
            None => self.answer(what, f.time.clone(), format!("look at the cause, then {forget}"), false),
            Some(n) => {
                let why = format!("{}; {what}", self.all_gone(&gone));
                self.answer(why, since, format!("{}, and {forget}", back(n)), false)
            }
        }
    }

    /// Nodes other than this one that cannot run anything.
    fn lost(&self, node: &str) -> Vec<&'c Node> {
        self.c.nodes.iter().filter(|n| !n.can_run() && n.name != node && !n.is_guest()).collect()
    }

    fn all_gone(&self, gone: &[&Node]) -> String {
        gone.iter().map(|n| self.gone(n)).collect::<Vec<_>>().join(" and ")
    }

    pub(super) fn gone(&self, n: &Node) -> String {
        let fenced = self.c.fencing.iter().find(|e| e.target == n.name && e.state == Fencing::Success);
        match fenced.filter(|_| !n.online) {
            Some(e) => {
                let at = e.completed.as_ref().map(|t| format!(" at {t}")).unwrap_or_default();
                let by = e.delegate.as_ref().map_or(String::new(), |d| format!(" by {d}"));
                format!("{} was fenced{by}{at} and is off", n.name)
            }
            None => format!("{} is {}", n.name, n.phrase()),
        }
    }

    /// It is there, and its last operation failed.
    pub(super) fn failing(&self) -> Option<Explanation> {
        let list = self.instances();
        let r = list.iter().find(|r| r.failed && self.node.is_none_or(|n| r.nodes.iter().any(|x| x == n)))?;
        let at = r.nodes.first().cloned();
        let f = self.failure_of(&r.id, |f| at.as_ref().is_none_or(|n| f.node == *n));
        let place = at.map(|n| format!(" on {n}")).unwrap_or_default();
        let what = f.map_or(format!("{} has failed{place}", r.id), |f| {
            format!("{} of {} failed on {}{}", f.task, r.id, f.node, reason(f))
        });
        let advice = format!("look at the cause; if it stays so, `crm resource cleanup {}`", base(&r.id));
        Some(self.answer(
            format!("{what}, and Pacemaker has not recovered it"),
            f.and_then(|f| f.time.clone()),
            advice,
            false,
        ))
    }

    /// A group of which a part does not run: what stands behind it waits for it.
    pub(super) fn partial(&self) -> Option<Explanation> {
        if self.r.kind != Kind::Group {
            return None;
        }
        let off = self.instances().into_iter().find(|r| !r.active)?;
        let f = self.failure_of(&off.id, |_| true);
        let why = if off.target_role == Some(Role::Stopped) {
            format!("an operator switched {} off (target-role=Stopped)", off.id)
        } else {
            f.map_or(format!("{} does not run, and nothing in this output says why", off.id), |f| {
                format!("{} of {} failed on {}{}", f.task, off.id, f.node, reason(f))
            })
        };
        let advice = match f {
            Some(f) => format!("mend the cause, then `crm resource cleanup {}`", f.resource),
            None => format!("look at `crm_resource --why --resource {}`", off.id),
        };
        let since = f.and_then(|f| f.time.clone());
        Some(self.answer(
            format!("{why}, and what stands behind it in the group waits"),
            since,
            advice,
            false,
        ))
    }

    /// It runs, and its configuration is gone.
    pub(super) fn orphaned(&self) -> Option<Explanation> {
        let list = self.instances();
        let r = list.iter().find(|r| r.orphaned && r.active)?;
        let node = r.nodes.first().map(|n| format!(" on {n}")).unwrap_or_default();
        Some(self.answer(
            format!("{}{node} is an orphan: its configuration was taken away while it ran, and Pacemaker stops it", r.id),
            self.c.last_change.clone(),
            "if it stays, look whether `stop-orphan-resources` is on",
            false,
        ))
    }

    /// Nothing above fits.
    pub(super) fn unsaid(&self) -> Explanation {
        let locked = self.instances().into_iter().find_map(|r| r.extra.get("locked_to"));
        let why = match locked {
            Some(n) => format!("it is locked to {n}, which was shut down in order (shutdown-lock), and waits for it"),
            None if !self.c.option("symmetric-cluster", true) => {
                "nothing in this output says why: the cluster runs a resource only where a location constraint allows it (symmetric-cluster=false)".to_owned()
            }
            None => "nothing in this output says why: it may wait for another resource, by order or colocation".to_owned(),
        };
        self.answer(why, None, format!("look at `crm_resource --why --resource {}`", self.id), false)
    }

    /// Nothing starts, because fencing is on and there is no device.
    pub(super) fn no_stonith(&self) -> Option<Explanation> {
        let devices = self
            .c
            .resources
            .iter()
            .flat_map(Resource::all)
            .any(|r| r.agent.as_deref().is_some_and(|a| a.starts_with("stonith:")));
        if devices || !self.c.fencing_on() || self.c.resources.iter().any(|r| r.active) {
            return None;
        }
        Some(self.answer("fencing is on (stonith-enabled) and no fencing device is configured, so Pacemaker starts nothing".to_owned(), self.c.last_change.clone(), "configure a fencing device for each node (`esos cluster init` does)", false))
    }

    pub(super) fn failure_of(&self, id: &str, which: impl Fn(&Failure) -> bool) -> Option<&'c Failure> {
        self.c.failures.iter().rfind(|f| base(&f.resource) == base(id) && which(f))
    }

    /// When the last of these operations of it was done.
    pub(super) fn newest(&self, tasks: &[&str]) -> Option<String> {
        let list = self.instances();
        let mine = |o: &&Operation| {
            list.iter().any(|r| base(&r.id) == base(&o.resource)) && tasks.contains(&o.task.as_str())
        };
        self.c.history.iter().filter(mine).max_by_key(|o| o.call).and_then(|o| o.time.clone())
    }

    pub(super) fn stopped_since(&self) -> Option<String> {
        self.newest(&["stop"])
    }
}
