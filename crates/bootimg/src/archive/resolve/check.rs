//! Whether a set of packages holds together, asked without the search's help.
use super::super::package::{Demands, Package, PackageId, Universe};
use super::super::relation::Relation;
use super::super::version::compare;
use super::{Base, Wish};
use esos_diag::ParseError;
use std::fmt;

/// What is wrong with a set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A need that nothing in the set meets.
    Unmet {
        /// Who needs it.
        package: String,
        /// What.
        needs: String,
    },
    /// Two packages that exclude each other.
    Conflict {
        /// Who says so.
        package: String,
        /// The words.
        words: String,
        /// The other one.
        with: String,
    },
    /// Two packages of one name.
    Twice(String),
    /// A package that was to be left out.
    Excluded(String),
    /// An essential package is missing.
    NoBase(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmet { package, needs } => write!(f, "{package} needs {needs}"),
            Self::Conflict { package, words, with } => write!(f, "{package} has {words}, which hits {with}"),
            Self::Twice(name) => write!(f, "{name} is there twice"),
            Self::Excluded(name) => write!(f, "{name} was to be left out"),
            Self::NoBase(name) => write!(f, "{name} is missing"),
        }
    }
}

fn meets(package: &Package<'_>, demands: &Demands, relation: &Relation) -> bool {
    let provided = |(name, version): &(String, Option<String>)| {
        let right = match (&relation.version, version) {
            (None, _) => true,
            (Some((op, wanted)), Some(version)) => op.accepts(compare(version, wanted.as_str())),
            (Some(_), None) => false,
        };
        *name == relation.name && right
    };
    (package.name == relation.name && relation.accepts(package.version))
        || demands.provides.iter().any(provided)
}

/// Everything that is wrong with a set; empty for a set that holds together. Quadratic on purpose: it is
/// as plain as the rules themselves.
///
/// # Errors
/// [`ParseError`] for fields that make no sense.
pub fn check(
    universe: &Universe<'_>,
    wish: &Wish,
    set: impl IntoIterator<Item = PackageId>,
) -> Result<Vec<Violation>, ParseError> {
    let mut all = Vec::new();
    for package in set.into_iter().filter_map(|id| universe.package(id)) {
        all.push((package, package.demands()?));
    }
    let mut wrong = Vec::new();
    let met = |d: &super::Dependency| {
        let mut applying = d.alternatives.iter().filter(|r| r.applies_to(&wish.architecture)).peekable();
        applying.peek().is_none()
            || applying.any(|r| wish.assumed.contains(&r.name) || all.iter().any(|(p, d)| meets(p, d, r)))
    };
    for seed in wish.seeds.iter().filter(|s| !met(s)) {
        wrong.push(Violation::Unmet { package: "the request".to_owned(), needs: seed.to_string() });
    }
    for (n, (package, demands)) in all.iter().enumerate() {
        for dependency in demands.depends.iter().filter(|d| !met(d)) {
            wrong.push(Violation::Unmet { package: package.to_string(), needs: dependency.to_string() });
        }
        for (field, relation) in &demands.conflicts {
            let others = all.iter().enumerate().filter(|(m, (p, d))| *m != n && meets(p, d, relation));
            wrong.extend(others.map(|(_, (other, _))| Violation::Conflict {
                package: package.to_string(),
                words: format!("{field}: {relation}"),
                with: other.to_string(),
            }));
        }
        if all.iter().take(n).any(|(p, _)| p.name == package.name) {
            wrong.push(Violation::Twice(package.name.to_owned()));
        }
        if wish.assumed.contains(package.name) {
            wrong.push(Violation::Excluded(package.name.to_owned()));
        }
    }
    for package in universe.packages().iter().filter(|p| in_base(p, wish.base)) {
        let best = universe.named(package.name).first().and_then(|id| universe.package(*id));
        let counts = best.is_some_and(|b| in_base(b, wish.base)) && !wish.assumed.contains(package.name);
        let violation = Violation::NoBase(package.name.to_owned());
        if counts && !all.iter().any(|(p, _)| p.name == package.name) && !wrong.contains(&violation) {
            wrong.push(violation);
        }
    }
    Ok(wrong)
}

fn in_base(package: &Package<'_>, base: Base) -> bool {
    match base {
        Base::None => false,
        Base::Essential => package.essential,
        Base::Required => package.essential || package.priority == "required",
    }
}
