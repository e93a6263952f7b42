//! The search itself.
use super::super::package::{Demands, PackageId, Universe};
use super::super::relation::{Dependency, Relation};
use super::super::version::compare;
use super::{Base, Because, DeadEnd, Link, Refusal, ResolveError, Selected, Wish};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// A place in the order of choices.
type Level = usize;

/// Something that must be met.
#[derive(Debug, Clone)]
struct Goal {
    wanted: Rc<Dependency>,
    /// The choice that brought it in; `None` for the request itself.
    owner: Option<Level>,
    base: bool,
}

/// A package in the set, and what else could be there instead.
#[derive(Debug)]
struct Choice {
    package: PackageId,
    goal: Goal,
    /// Candidates that were not tried yet, the next one last.
    rest: Vec<PackageId>,
    /// Choices that have to do with the failure of those that were.
    blame: BTreeSet<Level>,
    refusals: Vec<(String, Refusal)>,
    /// The agenda as it was before.
    saved: Agenda,
}

/// How far the two lists of goals were worked off, and how long they were.
#[derive(Debug, Clone, Copy, Default)]
struct Agenda {
    next: usize,
    len: usize,
    later_next: usize,
    later_len: usize,
}

/// A name that is present in the set: by whom, and as which version.
#[derive(Debug, Clone)]
struct Present {
    level: Level,
    version: Option<String>,
    own: bool,
}

#[derive(Debug)]
pub(super) struct Search<'u, 't> {
    universe: &'u Universe<'t>,
    wish: &'u Wish,
    demands: HashMap<PackageId, Rc<Demands>>,
    /// Goals to look at, in order; those with a choice are looked at again in `later`.
    goals: Vec<Goal>,
    later: Vec<Goal>,
    at: Agenda,
    choices: Vec<Choice>,
    present: HashMap<String, Vec<Present>>,
    /// Names that must not come, by the choice that forbids them.
    forbidden: HashMap<String, Vec<(Level, &'static str, Relation)>>,
    first: Option<Box<DeadEnd>>,
    count: u64,
    /// Choices after which it gives up.
    limit: u64,
}

/// The candidates of a goal, and why the others are none.
#[derive(Debug, Default)]
struct Candidates {
    viable: Vec<PackageId>,
    refusals: Vec<(String, Refusal)>,
    blame: BTreeSet<Level>,
}

impl<'u, 't> Search<'u, 't> {
    pub(super) fn new(universe: &'u Universe<'t>, wish: &'u Wish, limit: u64) -> Self {
        let goal = |wanted, base| Goal { wanted: Rc::new(wanted), owner: None, base };
        let mut goals: Vec<Goal> = wish.seeds.iter().map(|s| goal(s.clone(), false)).collect();
        let is_base = |id: &PackageId| match (universe.package(*id), wish.base) {
            (Some(p), Base::Essential) => p.essential,
            (Some(p), Base::Required) => p.essential || p.priority == "required",
            _ => false,
        };
        let names: BTreeSet<&str> = universe.packages().iter().map(|p| p.name).collect();
        for name in names.into_iter().filter(|n| universe.named(n).first().is_some_and(is_base)) {
            goals.push(goal(Dependency { alternatives: vec![Relation::named(name)] }, true));
        }
        Self {
            universe,
            wish,
            demands: HashMap::new(),
            at: Agenda { len: goals.len(), ..Agenda::default() },
            goals,
            later: Vec::new(),
            choices: Vec::new(),
            present: HashMap::new(),
            forbidden: HashMap::new(),
            first: None,
            count: 0,
            limit,
        }
    }

    pub(super) fn run(mut self) -> Result<Vec<Selected>, ResolveError> {
        while let Some((goal, may_wait)) = self.next_goal() {
            if self.is_met(&goal) {
                continue;
            }
            let found = self.candidates(&goal)?;
            if may_wait && found.viable.len() > 1 {
                self.later.push(goal);
                self.at.later_len = self.later.len();
                continue;
            }
            self.count = self.count.saturating_add(1);
            let dead = self.decide(goal, found)?;
            if let Some((blame, end)) = dead {
                self.first.get_or_insert_with(|| Box::new(end.clone()));
                self.back(blame, end)?;
            }
            // Without a dead end there is nothing to give up: choices are finite.
            if self.count > self.limit
                && let Some(first) = self.first.take()
            {
                return Err(ResolveError::GaveUp { choices: self.count, first });
            }
        }
        Ok(self.selected())
    }

    fn selected(&self) -> Vec<Selected> {
        let because = |goal: &Goal| match goal.owner.and_then(|level| self.choices.get(level)) {
            Some(owner) => Because::Needed { by: owner.package, relation: goal.wanted.to_string() },
            None if goal.base => Because::Base,
            None => Because::Asked(goal.wanted.to_string()),
        };
        self.choices.iter().map(|c| Selected { package: c.package, because: because(&c.goal) }).collect()
    }

    fn next_goal(&mut self) -> Option<(Goal, bool)> {
        if let Some(goal) = self.goals.get(self.at.next) {
            self.at.next = self.at.next.saturating_add(1);
            return Some((goal.clone(), true));
        }
        let goal = self.later.get(self.at.later_next)?;
        self.at.later_next = self.at.later_next.saturating_add(1);
        Some((goal.clone(), false))
    }

    fn relations<'g>(&self, goal: &'g Goal) -> impl Iterator<Item = &'g Relation> + use<'g, 'u, 't> {
        let architecture = &self.wish.architecture;
        goal.wanted.alternatives.iter().filter(move |r| r.applies_to(architecture))
    }

    fn is_met(&self, goal: &Goal) -> bool {
        let mut any = false;
        for relation in self.relations(goal) {
            any = true;
            let here = self.present.get(&relation.name).map(Vec::as_slice).unwrap_or_default();
            let assumed = self.wish.assumed.contains(&relation.name);
            if assumed || here.iter().any(|p| accepts(relation, p.version.as_deref())) {
                return true;
            }
        }
        // What is restricted to other machines asks for nothing.
        !any
    }

    fn demands(&mut self, id: PackageId) -> Result<Rc<Demands>, ResolveError> {
        if let Some(known) = self.demands.get(&id) {
            return Ok(Rc::clone(known));
        }
        let read = self.universe.package(id).map(|p| p.demands()).transpose()?;
        let demands = Rc::new(read.unwrap_or_default());
        self.demands.insert(id, Rc::clone(&demands));
        Ok(demands)
    }

    fn name(&self, id: PackageId) -> String {
        self.universe.package(id).map(ToString::to_string).unwrap_or_default()
    }

    fn candidates(&mut self, goal: &Goal) -> Result<Candidates, ResolveError> {
        let mut found = Candidates::default();
        let mut seen = BTreeSet::new();
        let mut ids: Vec<PackageId> = Vec::new();
        for relation in self.relations(goal) {
            let real = self.universe.named(&relation.name);
            let providers = self.universe.providers(&relation.name);
            let before = ids.len();
            let version = |id: &PackageId| self.universe.package(*id).map_or("", |p| p.version);
            ids.extend(real.iter().filter(|id| relation.accepts(version(id)) && seen.insert(**id)));
            let suits = |(_, version): &&(PackageId, Option<&str>)| accepts(relation, *version);
            ids.extend(providers.iter().filter(suits).map(|(id, _)| *id).filter(|id| seen.insert(*id)));
            let name = |id: &PackageId| self.universe.package(*id).map_or("", |p| p.name);
            ids.retain(|id| !self.wish.assumed.contains(name(id)));
            if ids.len() == before {
                let mut versions: Vec<String> = real.iter().map(|id| version(id).to_owned()).collect();
                let provided = providers
                    .iter()
                    .map(|(id, v)| format!("{} (in {})", v.unwrap_or("no version"), name(id)));
                versions.extend(provided);
                let refusal =
                    if versions.is_empty() { Refusal::Unknown } else { Refusal::Versions(versions) };
                found.refusals.push((relation.to_string(), refusal));
            }
        }
        let preference = |id: &PackageId| {
            let name = self.universe.package(*id).map_or("", |p| p.name);
            self.wish.preferred.iter().position(|p| p == name).unwrap_or(usize::MAX)
        };
        ids.sort_by_key(preference);
        for id in ids {
            match self.obstacle(id)? {
                None => found.viable.push(id),
                Some((level, refusal)) => {
                    found.blame.insert(level);
                    found.refusals.push((self.name(id), refusal));
                }
            }
        }
        found.blame.extend(goal.owner);
        Ok(found)
    }

    /// What in the set keeps a package out of it.
    fn obstacle(&mut self, id: PackageId) -> Result<Option<(Level, Refusal)>, ResolveError> {
        let Some(package) = self.universe.package(id) else { return Ok(None) };
        let demands = self.demands(id)?;
        let here = |name: &str| self.present.get(name).map(Vec::as_slice).unwrap_or_default();
        if let Some(own) = here(package.name).iter().find(|p| p.own) {
            let (other, chain) = (self.at_level(own.level), self.chain(own.level));
            return Ok(Some((own.level, Refusal::Taken { other, chain })));
        }
        let own = (package.name, Some(package.version));
        let provided = demands.provides.iter().map(|(name, version)| (name.as_str(), version.as_deref()));
        for (name, version) in std::iter::once(own).chain(provided) {
            let rules = self.forbidden.get(name).map(Vec::as_slice).unwrap_or_default();
            if let Some((level, field, relation)) = rules.iter().find(|(_, _, r)| accepts(r, version)) {
                let says = self.at_level(*level);
                let refusal = Refusal::Conflict {
                    words: format!("{field}: {relation}"),
                    with: says.clone(),
                    says,
                    chain: self.chain(*level),
                };
                return Ok(Some((*level, refusal)));
            }
        }
        for (field, relation) in &demands.conflicts {
            let hit = here(&relation.name).iter().find(|p| accepts(relation, p.version.as_deref()));
            if let Some(hit) = hit {
                let refusal = Refusal::Conflict {
                    says: package.to_string(),
                    words: format!("{field}: {relation}"),
                    with: self.at_level(hit.level),
                    chain: self.chain(hit.level),
                };
                return Ok(Some((hit.level, refusal)));
            }
        }
        Ok(None)
    }

    fn at_level(&self, level: Level) -> String {
        self.choices.get(level).map(|c| self.name(c.package)).unwrap_or_default()
    }

    /// Who needed whom until that choice was made.
    fn chain(&self, level: Level) -> Vec<Link> {
        self.choices.get(level).map(|c| self.chain_of(&c.goal)).unwrap_or_default()
    }

    fn chain_of(&self, goal: &Goal) -> Vec<Link> {
        let mut links = Vec::new();
        let mut goal = goal;
        loop {
            let owner = goal.owner.and_then(|level| self.choices.get(level));
            let package = match owner {
                Some(owner) => self.name(owner.package),
                None if goal.base => "the base system".to_owned(),
                None => "the request".to_owned(),
            };
            links.push(Link { package, needs: goal.wanted.to_string() });
            match owner {
                Some(owner) => goal = &owner.goal,
                None => break,
            }
        }
        links.reverse();
        links
    }

    /// Takes the first candidate, or says why there is none and which choices are to blame.
    fn decide(
        &mut self,
        goal: Goal,
        found: Candidates,
    ) -> Result<Option<(BTreeSet<Level>, DeadEnd)>, ResolveError> {
        let mut rest = found.viable;
        rest.reverse();
        let Some(package) = rest.pop() else {
            let end = DeadEnd { chain: self.chain_of(&goal), refusals: found.refusals };
            return Ok(Some((found.blame, end)));
        };
        let (blame, refusals) = (found.blame, found.refusals);
        let choice = Choice { package, goal, rest, blame, refusals, saved: self.at };
        self.take(choice)?;
        Ok(None)
    }

    fn take(&mut self, choice: Choice) -> Result<(), ResolveError> {
        let id = choice.package;
        let level = self.choices.len();
        let demands = self.demands(id)?;
        if let Some(package) = self.universe.package(id) {
            let own = Present { level, version: Some(package.version.to_owned()), own: true };
            self.present.entry(package.name.to_owned()).or_default().push(own);
        }
        for (name, version) in &demands.provides {
            let provided = Present { level, version: version.clone(), own: false };
            self.present.entry(name.clone()).or_default().push(provided);
        }
        for (field, relation) in &demands.conflicts {
            let rule = (level, *field, relation.clone());
            self.forbidden.entry(relation.name.clone()).or_default().push(rule);
        }
        let goal = |d: &Dependency| Goal { wanted: Rc::new(d.clone()), owner: Some(level), base: false };
        self.goals.extend(demands.depends.iter().map(goal));
        self.at.len = self.goals.len();
        self.choices.push(choice);
        Ok(())
    }

    /// Undoes the last choice.
    fn untake(&mut self) -> Option<Choice> {
        let choice = self.choices.pop()?;
        let level = self.choices.len();
        let demands = self.demands.get(&choice.package).map(Rc::clone).unwrap_or_default();
        let own = self.universe.package(choice.package).map(|p| p.name);
        for name in demands.provides.iter().map(|(name, _)| name.as_str()).chain(own) {
            if let Some(here) = self.present.get_mut(name) {
                here.retain(|p| p.level != level);
            }
        }
        for (_, relation) in &demands.conflicts {
            if let Some(rules) = self.forbidden.get_mut(&relation.name) {
                rules.retain(|(l, _, _)| *l != level);
            }
        }
        self.at = choice.saved;
        self.goals.truncate(self.at.len);
        self.later.truncate(self.at.later_len);
        Some(choice)
    }

    /// Goes back to the last choice that is to blame and has another candidate.
    fn back(&mut self, blame: BTreeSet<Level>, end: DeadEnd) -> Result<(), ResolveError> {
        let (mut blame, mut end) = (blame, end);
        while let Some(mut choice) = self.untake() {
            let level = self.choices.len();
            if !blame.remove(&level) {
                continue;
            }
            choice.refusals.push((self.name(choice.package), Refusal::Leads(Arc::new(end.clone()))));
            choice.blame.append(&mut blame);
            if let Some(next) = choice.rest.pop() {
                self.count = self.count.saturating_add(1);
                choice.package = next;
                return self.take(choice);
            }
            end = DeadEnd { chain: self.chain_of(&choice.goal), refusals: choice.refusals };
            blame = choice.blame;
        }
        let proof = Box::new(end);
        let first = self.first.take().unwrap_or_else(|| proof.clone());
        Err(ResolveError::Impossible { first, proof })
    }
}

/// Whether a name that is present in a version (or none, if provided without one) is what is meant.
fn accepts(relation: &Relation, version: Option<&str>) -> bool {
    match (&relation.version, version) {
        (None, _) => true,
        (Some((op, wanted)), Some(version)) => op.accepts(compare(version, wanted.as_str())),
        (Some(_), None) => false,
    }
}
