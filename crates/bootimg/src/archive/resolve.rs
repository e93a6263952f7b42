//! From what is wanted to everything that it needs.
//!
//! As `apt-get --no-install-recommends` on an empty system: the best version of each package, the first
//! alternative that can be had, providers of virtual names by importance and name. Dependencies with a
//! single candidate are settled before any choice is made, so that a choice is not made against them.
//! Where a choice leads nowhere, the last one that has to do with the failure is made anew
//! (conflict-directed backjumping), so a solution is found if there is one.
mod check;
mod dead_end;
mod search;

pub use check::{Violation, check};
pub use dead_end::{DeadEnd, Link, Refusal};

use super::package::{PackageId, Universe};
use super::relation::Dependency;
use esos_diag::ParseError;
use std::collections::BTreeSet;
use std::fmt;

/// What the set contains whether asked for or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Base {
    /// Nothing.
    None,
    /// All packages marked `Essential: yes`: what every package may use without saying so.
    #[default]
    Essential,
    /// Those, and all of priority `required`.
    Required,
}

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Packages by name, perhaps with a version or alternatives.
    pub seeds: Vec<Dependency>,
    /// What comes along.
    pub base: Base,
    /// The machine, such as `amd64`.
    pub architecture: String,
    /// Names that count as present in any version, and that are never taken.
    pub assumed: BTreeSet<String>,
    /// Packages that are tried first where there is a choice, the most preferred one first.
    pub preferred: Vec<String>,
}

/// Why a package is in the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// It was asked for, in these words.
    Asked(String),
    /// It is essential or required.
    Base,
    /// A package of the set needs it.
    Needed {
        /// The package.
        by: PackageId,
        /// Its words.
        relation: String,
    },
}

/// A package of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Which.
    pub package: PackageId,
    /// Why it was taken first.
    pub because: Because,
}

/// Why there is no set.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResolveError {
    /// It cannot be had.
    Impossible {
        /// Where the way of the first choices ended.
        first: Box<DeadEnd>,
        /// Why every other way ends too.
        proof: Box<DeadEnd>,
    },
    /// A package's fields make no sense.
    Parse(ParseError),
    /// The search was given up after so many choices.
    GaveUp {
        /// How many.
        choices: u64,
        /// Where it stood first.
        first: Box<DeadEnd>,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible { first, proof } => {
                write!(f, "no set of packages satisfies the request\n{first}")?;
                if proof.branches() { write!(f, "no other choice helps\n{proof}") } else { Ok(()) }
            }
            Self::Parse(e) => e.fmt(f),
            Self::GaveUp { choices, first } => {
                write!(
                    f,
                    "no set of packages found after {choices} choices; the first one failed so\n{first}"
                )
            }
        }
    }
}

impl std::error::Error for ResolveError {}

impl From<ParseError> for ResolveError {
    fn from(e: ParseError) -> Self {
        Self::Parse(e)
    }
}

/// Finds the set of packages, by name.
///
/// ```
/// use esos_bootimg::archive::{Pool, Universe, Wish, parse_index, relation, resolve};
///
/// let hash = "SHA256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// let index = format!("\
/// Package: sh
/// Version: 1
/// Architecture: amd64
/// Depends: libc (>= 2) | musl
/// Filename: sh.deb
/// Size: 1
/// {hash}
///
/// Package: musl
/// Version: 3
/// Architecture: amd64
/// Filename: musl.deb
/// Size: 1
/// {hash}
/// ");
/// let universe = Universe::new(parse_index("Packages", &index, "amd64", Pool::Main, "main")?)?;
/// let seeds = relation::parse("the request", "sh")?;
/// let wish = Wish { seeds, architecture: "amd64".to_owned(), ..Wish::default() };
/// let set = resolve(&universe, &wish)?;
/// let names: Vec<_> = set.iter().filter_map(|s| universe.package(s.package)).map(|p| p.name).collect();
/// assert_eq!(names, ["musl", "sh"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ResolveError::Impossible`] with the chain of needs and why each candidate fails,
/// [`ResolveError::Parse`] for fields that make no sense.
pub fn resolve(universe: &Universe<'_>, wish: &Wish) -> Result<Vec<Selected>, ResolveError> {
    resolve_within(universe, wish, CHOICES)
}

/// Choices after which [`resolve`] gives up; a real image takes some hundreds.
pub const CHOICES: u64 = 200_000;

/// As [`resolve`], for as many choices at most.
///
/// # Errors
/// [`ResolveError::GaveUp`] behind the last of them, and as [`resolve`].
pub fn resolve_within(
    universe: &Universe<'_>,
    wish: &Wish,
    choices: u64,
) -> Result<Vec<Selected>, ResolveError> {
    let mut set = search::Search::new(universe, wish, choices).run()?;
    set.sort_by_key(|s| universe.package(s.package).map(|p| p.name));
    Ok(set)
}

#[cfg(test)]
mod tests;
