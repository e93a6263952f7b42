//! It runs, or nothing else says why not: what its place follows from.
use super::Explanation;
use super::{Case, NOTHING, back, base, reason};
use crate::model::{Failure, Node, Operation, Resource};
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
        if let Some(f) =
            self.c.failures.iter().rfind(|f| ids.contains(&base(&f.resource)) && f.task != "promote_probe")
        {
            let advice = format!(
                "look at the cause, then forget the failure with `crm resource cleanup {}`",
                f.resource
            );
            return Some(self.answer(
                format!(
                    "{} of {} failed on {}{}, and it was recovered",
                    f.task,
                    f.resource,
                    f.node,
                    reason(f)
                ),
                f.time.clone(),
                advice,
                false,
            ));
        }
        let gone: Vec<&Node> = self.c.nodes.iter().filter(|n| !n.can_run() && n.name != node).collect();
        let why = match gone.first() {
            None => "all nodes can run it, and it is where Pacemaker put it".to_owned(),
            Some(_) => {
                let told: Vec<String> = gone.iter().map(|n| self.gone(n)).collect();
                told.join(" and ")
            }
        };
        let advice = gone.first().map_or(NOTHING.to_owned(), |n| back(n));
        Some(self.answer(why, since, advice, gone.is_empty()))
    }

    pub(super) fn gone(&self, n: &Node) -> String {
        let fenced = self.c.fencing.iter().find(|e| e.target == n.name && e.state == Fencing::Success);
        match fenced.filter(|_| !n.online) {
            Some(e) => {
                let at = e.completed.as_ref().map(|t| format!(" at {t}")).unwrap_or_default();
                let by = e.delegate.as_ref().map_or(String::new(), |d| format!(" by {d}"));
                format!("{} was fenced{by}{at} and is off", n.name)
            }
            None => format!("{} is {}", n.name, n.state()),
        }
    }

    /// Nothing starts, because fencing is on and there is no device.
    pub(super) fn no_stonith(&self) -> Option<Explanation> {
        let devices = self
            .c
            .resources
            .iter()
            .flat_map(Resource::all)
            .any(|r| r.agent.as_deref().is_some_and(|a| a.starts_with("stonith:")));
        if devices || !self.c.option("stonith-enabled", true) || self.c.resources.iter().any(|r| r.active) {
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
