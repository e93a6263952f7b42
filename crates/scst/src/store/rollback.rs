//! Back to an earlier generation, as a plan that can be shown first.
use super::generation::Generation;
use super::{Store, StoreError};
use crate::attributes::Attributes;
use crate::conf::Document;
use crate::model::{Config, Target};
use crate::planner::Policy;
use std::collections::BTreeSet;

/// What it takes to go back.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// The generation that is in force again then.
    pub number: u64,
    /// Its file.
    pub document: Document,
    /// What SCST is to be, as far as the objects of [`Rollback::policy`] go.
    pub wanted: Config,
    /// Only what later generations touched; what they made goes.
    pub policy: Policy,
}

impl Store<'_> {
    /// What it takes to go back to a generation, or to the one before the last.
    ///
    /// # Errors
    /// [`StoreError::NoGeneration`], [`StoreError::NothingBefore`], [`StoreError::Waiting`].
    pub fn rollback(&self, to: Option<u64>) -> Result<Rollback, StoreError> {
        if let Some(waiting) = self.waiting()? {
            return Err(StoreError::Waiting { number: waiting.number });
        }
        let history = self.history()?;
        let number = match (to, history.len().checked_sub(2).and_then(|i| history.get(i))) {
            (Some(number), _) => number,
            (None, Some(before)) => before.number,
            (None, None) => return Err(StoreError::NothingBefore),
        };
        let goal = history.iter().find(|g| g.number == number).ok_or(StoreError::NoGeneration { number })?;
        let later: Vec<&Generation> =
            history.iter().filter(|g| g.number > number && !g.paths.is_empty()).collect();
        let read = |g: &Generation| Document::parse("history", g.before.as_str()).config().clone();
        let mut wanted = later.first().map(|g| read(g)).unwrap_or_default();
        // What a later generation changed first is as that one found it.
        later.iter().skip(1).for_each(|g| fill(&mut wanted, &read(g)));
        let only: BTreeSet<String> = later.iter().flat_map(|g| g.paths.iter().cloned()).collect();
        // Without a selection everything would be.
        let only = if only.is_empty() { vec!["-".to_owned()] } else { only.into_iter().collect() };
        let policy = Policy { prune: true, only, ..Policy::default() };
        let document = Document::parse(super::CONF, goal.text.as_str());
        Ok(Rollback { number, document, wanted, policy })
    }
}

fn fill(wanted: &mut Config, later: &Config) {
    attributes(&mut wanted.attributes, &later.attributes);
    for (name, handler) in &mut wanted.handlers {
        let Some(later) = later.handlers.get(name) else { continue };
        attributes(&mut handler.attributes, &later.attributes);
        for (name, device) in &mut handler.devices {
            if let Some(later) = later.devices.get(name) {
                attributes(&mut device.attributes, &later.attributes);
            }
        }
    }
    for (name, driver) in &mut wanted.drivers {
        let Some(later) = later.drivers.get(name) else { continue };
        attributes(&mut driver.attributes, &later.attributes);
        for (name, target) in &mut driver.targets {
            if let Some(later) = later.targets.get(name) {
                fill_target(target, later);
            }
        }
    }
    for (name, group) in &mut wanted.device_groups {
        let Some(later) = later.device_groups.get(name) else { continue };
        for (name, group) in &mut group.target_groups {
            if let Some(later) = later.target_groups.get(name) {
                attributes(&mut group.attributes, &later.attributes);
            }
        }
    }
}

fn fill_target(target: &mut Target, later: &Target) {
    attributes(&mut target.attributes, &later.attributes);
    for (name, group) in &mut target.groups {
        if let Some(later) = later.groups.get(name) {
            attributes(&mut group.attributes, &later.attributes);
        }
    }
}

/// Attributes of one value that only the later state names.
fn attributes(wanted: &mut Attributes, later: &Attributes) {
    for (name, values) in later.iter() {
        // The size is said once, in bytes or in MiB.
        let size = ["size", "size_mb"];
        let said = size.contains(&name) && size.iter().any(|n| wanted.get(n).is_some());
        // Of those with several values, none may have been wanted.
        if wanted.get(name).is_none()
            && !said
            && !crate::conf::is_multiple(name)
            && let Some(value) = values.first()
        {
            wanted.set(name, value.expose());
        }
    }
}
