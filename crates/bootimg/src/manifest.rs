//! What an image is made of: package sets, options, and the table of ESOS's included software.
//!
//! ```
//! use esos_bootimg::manifest::{Manifest, Set, Suite};
//!
//! let manifest = Manifest::standard(Suite::Trixie, &[Set::Tape])?;
//! assert!(manifest.include.contains("sysvinit-core") && manifest.include.contains("mtx"));
//! assert!(manifest.provided.contains_key("initramfs-tools"));
//! # Ok::<(), esos_bootimg::manifest::ManifestError>(())
//! ```
mod set;
pub mod software;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use esos_diag::ParseError;

pub use set::{ParseNameError, Set, Suite};
use source::Source;

/// Everything that decides the content of an image, but for the versions of packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// One line about the image.
    pub description: String,
    /// Packages of the root, without what they depend on.
    pub include: BTreeSet<String>,
    /// Packages that the disk is made with; nothing of them is in the root.
    pub image: BTreeSet<String>,
    /// Packages that count as installed though they are not, each with the reason.
    pub provided: BTreeMap<String, String>,
    /// Paths that the root leaves out, in order; the last rule that matches decides.
    pub drop: Vec<Drop>,
    /// Kernel modules that the root leaves out.
    pub module_drop: Vec<ModuleDrop>,
    /// What the initramfs carries.
    pub initramfs: Vec<InitramfsGroup>,
}

/// Paths left out of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// Patterns without a leading slash; `*` is any text, slashes too.
    pub paths: Vec<String>,
    /// Patterns among them that stay.
    pub keep: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Kernel modules left out of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleDrop {
    /// Prefixes below `/lib/modules/<release>/kernel/`.
    pub paths: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Modules of the initramfs that are there for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitramfsGroup {
    /// Always loaded, in this order.
    pub load: Vec<String>,
    /// There for whoever asks for them, by modalias mostly.
    pub modules: Vec<String>,
    /// In the capture initramfs too: what reaching the stick after a crash needs, and as little as can be.
    pub capture: bool,
    /// Why.
    pub reason: String,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The text.
    #[error(transparent)]
    Text(#[from] ParseError),
    /// `exclude` names what is not there.
    #[error(
        "{origin}: `exclude` names {package}, which nothing includes; packages that others depend on are left out by `provided`"
    )]
    NothingToExclude {
        /// The manifest.
        origin: String,
        /// The package.
        package: String,
    },
}

impl Manifest {
    /// The manifest of the project with option sets.
    ///
    /// # Errors
    /// None with the texts that are built in; the type is that of [`Manifest::with_file`].
    pub fn standard(suite: Suite, sets: &[Set]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        manifest.add(Source::parse("default.toml", set::DEFAULT)?, "default.toml", suite)?;
        for set in sets {
            let origin = format!("{set}.toml");
            manifest.add(Source::parse(&origin, set.text())?, &origin, suite)?;
        }
        Ok(manifest)
    }

    /// A manifest from a file: added to the standard one where it says `base = "default"`, which is also
    /// what it means without a `base`; all there is where it says `base = "none"`.
    ///
    /// # Errors
    /// [`ManifestError`] with line and column, or with what `exclude` does not find.
    pub fn with_file(suite: Suite, sets: &[Set], origin: &str, text: &str) -> Result<Self, ManifestError> {
        let source = Source::parse(origin, text)?;
        let mut manifest = match source.base {
            source::Base::Default => Self::standard(suite, sets)?,
            source::Base::None => {
                let mut own = Self::default();
                for set in sets {
                    let name = format!("{set}.toml");
                    own.add(Source::parse(&name, set.text())?, &name, suite)?;
                }
                own
            }
        };
        manifest.add(source, origin, suite)?;
        Ok(manifest)
    }

    fn add(&mut self, source: Source, origin: &str, suite: Suite) -> Result<(), ManifestError> {
        if !source.description.is_empty() {
            self.description = source.description;
        }
        let of_suite = source.suite.get(suite.word()).cloned().unwrap_or_default();
        self.provided.extend(source.provided);
        for package in source.include.into_iter().chain(of_suite.include) {
            // What is asked for by name is put in, whatever was assumed before.
            self.provided.remove(&package);
            self.include.insert(package);
        }
        for package in source.exclude.into_iter().chain(of_suite.exclude) {
            if !self.include.remove(&package) {
                return Err(ManifestError::NothingToExclude { origin: origin.to_owned(), package });
            }
        }
        self.image.extend(source.image);
        self.drop.extend(source.drop.into_iter().map(Drop::from));
        self.module_drop.extend(source.modules.drop.into_iter().map(ModuleDrop::from));
        self.initramfs.extend(source.initramfs.into_iter().map(InitramfsGroup::from));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sets_of_both_suites_are_read() {
        for suite in Suite::ALL {
            let plain = Manifest::standard(suite, &[]).unwrap();
            assert!(plain.include.len() > 50 && !plain.initramfs.is_empty());
            for set in Set::ALL {
                let with = Manifest::standard(suite, &[set]).unwrap();
                assert!(with.include.len() > plain.include.len(), "{set} adds nothing in {suite}");
            }
        }
    }

    #[test]
    fn what_a_set_includes_is_not_assumed_any_more() {
        let plain = Manifest::standard(Suite::Trixie, &[]).unwrap();
        assert!(plain.provided.contains_key("python3"));
        let cluster = Manifest::standard(Suite::Trixie, &[Set::Cluster]).unwrap();
        assert!(cluster.include.contains("python3") && !cluster.provided.contains_key("python3"));
    }

    #[test]
    fn a_file_adds_or_stands_alone() {
        let text = "include = [\"htop\"]\nexclude = [\"fio\"]\n";
        let more = Manifest::with_file(Suite::Trixie, &[], "my.toml", text).unwrap();
        assert!(more.include.contains("htop") && !more.include.contains("fio"));
        let alone = "base = \"none\"\ninclude = [\"busybox\"]\n[suite.bookworm]\ninclude = [\"x\"]\n";
        let alone = Manifest::with_file(Suite::Trixie, &[], "my.toml", alone).unwrap();
        assert_eq!(alone.include.iter().collect::<Vec<_>>(), ["busybox"]);
        assert!(alone.initramfs.is_empty());
    }

    #[test]
    fn faults_say_where() {
        let fault =
            |text: &str| Manifest::with_file(Suite::Trixie, &[], "my.toml", text).unwrap_err().to_string();
        assert!(
            fault("include = [\"a\"]\nincldue = []\n").starts_with("my.toml:2:1: expected"),
            "{}",
            fault("incldue = []")
        );
        assert!(fault("include = 3\n").starts_with("my.toml:1:11: expected"));
        assert!(fault("exclude = [\"nothing\"]\n").contains("names nothing"));
        assert!(fault("[suite.sid]\ninclude = []\n").contains("trixie or bookworm"));
    }

    #[test]
    fn drop_rules_have_reasons() {
        let manifest = Manifest::standard(Suite::Trixie, &[]).unwrap();
        assert!(manifest.drop.iter().all(|d| !d.reason.is_empty() && !d.paths.is_empty()));
        assert!(manifest.module_drop.iter().all(|d| !d.reason.is_empty()));
        for path in manifest.module_drop.iter().flat_map(|d| &d.paths) {
            assert!(path.ends_with('/') && !path.starts_with('/') && !path.contains('*'), "{path}");
        }
        assert!(manifest.initramfs.iter().all(|g| !g.reason.is_empty()));
    }
}
