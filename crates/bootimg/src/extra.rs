//! Packages that the user brings (`--extra-debs`): which of them go into the image, and which are built
//! for its kernel first.
//!
//! What lies in the directory is wanted, but for headers and debug symbols (`-dev`, `-dbgsym`, `-dbg`). A
//! package with ready kernel modules is taken if they are for the image's kernel. A `dkms` package
//! (`usr/src/NAME-VERSION/dkms.conf`) is taken unless a ready package that fits it conflicts with it; its
//! modules are then built by [`crate::dkms`].
//!
//! ```
//! use esos_bootimg::extra::{Extra, choose};
//!
//! let ready = Extra { kernels: ["6.1.0-1-amd64".to_owned()].into(), ..Extra::named("scst") };
//! let source = Extra { dkms: true, conflicts: "scst".to_owned(), ..Extra::named("scst-dkms") };
//! let all = [ready, source];
//! assert_eq!(choose(&all, Some("6.1.0-1-amd64"))?.wanted, ["scst"]);
//! assert_eq!(choose(&all, Some("6.12.1-amd64"))?.build, ["scst-dkms"]);
//! assert!(choose(&all[..1], Some("6.12.1-amd64")).is_err());
//! # Ok::<(), esos_bootimg::extra::ForeignModules>(())
//! ```
mod survey;

pub use survey::{read, survey};

use crate::archive::relation;
use std::collections::BTreeSet;

/// What matters of a package of the user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extra {
    /// Its name.
    pub name: String,
    /// Kernel releases that it has modules for.
    pub kernels: BTreeSet<String>,
    /// Whether it carries sources for dkms.
    pub dkms: bool,
    /// Its `Conflicts` and `Breaks`, as written.
    pub conflicts: String,
    /// Its `Provides`, as written.
    pub provides: String,
}

impl Extra {
    /// A package without anything special.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    fn clashes_with(&self, other: &Self) -> bool {
        let names = |text: &str| -> BTreeSet<String> {
            let parsed = relation::parse("Conflicts", text).unwrap_or_default();
            parsed.iter().flat_map(|d| &d.alternatives).map(|r| r.name.clone()).collect()
        };
        let (conflicts, mut named) = (names(&self.conflicts), names(&other.provides));
        named.insert(other.name.clone());
        conflicts.iter().any(|n| named.contains(n))
    }
}

/// Which packages of the user take part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Those that the image is to have, by name.
    pub wanted: Vec<String>,
    /// Those among them whose modules have to be built.
    pub build: Vec<String>,
    /// Those that stay out, each with the reason.
    pub left: Vec<(String, String)>,
}

/// Modules for another kernel than the image's, and no source to build them from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{package} has modules for {has}, and the image's kernel is {kernel}: build the package for that kernel, or put its dkms package into the same directory"
)]
pub struct ForeignModules {
    /// The package.
    pub package: String,
    /// Releases that it has modules for.
    pub has: String,
    /// The release of the image.
    pub kernel: String,
}

/// Headers and symbols, which nobody needs on the box.
fn for_developers(name: &str) -> bool {
    ["-dev", "-dbgsym", "-dbg"].iter().any(|end| name.ends_with(end))
}

/// Chooses for a kernel; `None` where the image has none, and modules do not matter.
///
/// # Errors
/// [`ForeignModules`].
pub fn choose(all: &[Extra], kernel: Option<&str>) -> Result<Choice, ForeignModules> {
    let mut choice = Choice::default();
    let fits = |e: &Extra| e.kernels.is_empty() || kernel.is_none_or(|k| e.kernels.contains(k));
    let (mut ready, mut sources): (Vec<&Extra>, Vec<&Extra>) = (Vec::new(), Vec::new());
    for extra in all {
        if for_developers(&extra.name) {
            choice.left.push((extra.name.clone(), "it is for building other programs".to_owned()));
        } else if extra.dkms && extra.kernels.is_empty() {
            sources.push(extra);
        } else {
            ready.push(extra);
        }
    }
    let clash = |a: &Extra, b: &Extra| a.clashes_with(b) || b.clashes_with(a);
    for source in sources {
        match ready.iter().find(|r| !r.kernels.is_empty() && fits(r) && clash(r, source)) {
            Some(better) => choice.left.push((
                source.name.clone(),
                format!("{} has its modules ready for this kernel", better.name),
            )),
            None => {
                choice.wanted.push(source.name.clone());
                choice.build.push(source.name.clone());
            }
        }
    }
    for extra in ready {
        if fits(extra) {
            choice.wanted.push(extra.name.clone());
            continue;
        }
        let has = extra.kernels.iter().cloned().collect::<Vec<_>>().join(", ");
        let kernel = kernel.unwrap_or_default().to_owned();
        let instead = all.iter().find(|s| choice.build.contains(&s.name) && clash(s, extra));
        let Some(instead) = instead else {
            return Err(ForeignModules { package: extra.name.clone(), has, kernel });
        };
        choice
            .left
            .push((extra.name.clone(), format!("it is for {has}; {} is built for {kernel}", instead.name)));
    }
    choice.wanted.sort();
    choice.build.sort();
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scst() -> Vec<Extra> {
        let ready = Extra {
            kernels: ["6.12.1+deb13-amd64".to_owned()].into(),
            conflicts: "scst-dkms".into(),
            ..Extra::named("scst")
        };
        let source = Extra {
            dkms: true,
            conflicts: "scst".into(),
            provides: "scst".into(),
            ..Extra::named("scst-dkms")
        };
        vec![ready, source, Extra::named("scst-dev"), Extra::named("iscsi-scst"), Extra::named("scstadmin")]
    }

    #[test]
    fn ready_modules_go_before_sources() {
        let choice = choose(&scst(), Some("6.12.1+deb13-amd64")).unwrap();
        assert_eq!(choice.wanted, ["iscsi-scst", "scst", "scstadmin"]);
        assert!(choice.build.is_empty());
        let left: Vec<&str> = choice.left.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(left, ["scst-dev", "scst-dkms"]);
    }

    #[test]
    fn sources_stand_in_for_modules_of_another_kernel() {
        let choice = choose(&scst(), Some("6.12.2+deb13-amd64")).unwrap();
        assert_eq!(choice.wanted, ["iscsi-scst", "scst-dkms", "scstadmin"]);
        assert_eq!(choice.build, ["scst-dkms"]);
        assert!(choice.left.contains(&(
            "scst".into(),
            "it is for 6.12.1+deb13-amd64; scst-dkms is built for 6.12.2+deb13-amd64".into()
        )));
    }

    #[test]
    fn modules_for_another_kernel_alone_are_an_error() {
        let error = choose(&scst()[..1], Some("6.1.0-1-amd64")).unwrap_err();
        assert_eq!(error.package, "scst");
        assert!(
            error.to_string().contains("6.12.1+deb13-amd64") && error.to_string().contains("6.1.0-1-amd64")
        );
        assert_eq!(choose(&scst()[..1], None).unwrap().wanted, ["scst"]);
    }

    #[test]
    fn two_sources_of_two_things_are_both_built() {
        let all =
            [Extra { dkms: true, ..Extra::named("a-dkms") }, Extra { dkms: true, ..Extra::named("b-dkms") }];
        assert_eq!(choose(&all, Some("6.1")).unwrap().build, ["a-dkms", "b-dkms"]);
    }
}
