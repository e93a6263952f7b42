//! From a manifest to packages on this machine.
use std::collections::BTreeSet;
use std::path::PathBuf;

use esos_diag::ParseError;
use esos_fetch::Progress;

use super::BuildError;
use crate::archive::{
    self, ArchiveError, Base, Catalog, Lock, Planned, Request, Resolved, UnixTime, Wish, relation,
};
use crate::manifest::{Manifest, Suite};

/// What packages an image needs, and where they come from.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// For the root: the manifest's `include` and Debian's essential packages, with what they depend on.
    pub root: Request,
    /// For building: the manifest's `image`, with what they depend on.
    pub tools: Request,
}

/// The request of a manifest, from the host's own sources at a time; its other fields are the caller's.
///
/// # Errors
/// [`ParseError`] where the manifest names something that no package can be called.
pub fn request(manifest: &Manifest, suite: Suite, now: UnixTime) -> Result<Wanted, ParseError> {
    let wish = |names: &BTreeSet<String>, base, assumed: BTreeSet<String>| {
        let list = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let seeds = relation::parse("the manifest's packages", &list)?;
        Ok::<_, ParseError>(Wish {
            seeds,
            base,
            architecture: "amd64".to_owned(),
            assumed,
            ..Wish::default()
        })
    };
    let assumed: BTreeSet<String> = manifest.provided.keys().cloned().collect();
    let root = wish(&manifest.include, Base::Essential, assumed.clone())?;
    let tools = wish(&manifest.image, Base::None, assumed)?;
    Ok(Wanted { root: Request::new(suite.word(), root, now), tools: Request::new(suite.word(), tools, now) })
}

impl Wanted {
    /// Applies something to both requests.
    #[must_use]
    pub fn with(mut self, set: impl Fn(&mut Request)) -> Self {
        set(&mut self.root);
        set(&mut self.tools);
        self
    }

    /// Takes packages of a directory as well.
    #[must_use]
    pub fn extra_debs(self, dir: Option<PathBuf>) -> Self {
        self.with(|request| request.extra_debs.clone_from(&dir))
    }
}

/// Chooses the packages of root and tools, without fetching any.
///
/// # Errors
/// [`ArchiveError`] with the explanation where they cannot be chosen.
pub fn lock(
    wanted: &Wanted,
    doors: &archive::Doors<'_>,
    progress: &dyn Progress,
) -> Result<Resolved, ArchiveError> {
    let catalog = Catalog::load(&wanted.root, doors, progress)?;
    let mut resolved = archive::choose(&catalog, &wanted.root)?;
    if wanted.tools.wish.seeds.is_empty() {
        return Ok(resolved);
    }
    let tools = archive::choose(&catalog, &wanted.tools)?;
    for (name, package) in tools.lock.packages {
        resolved.lock.tools.insert(name.clone());
        if !resolved.lock.packages.contains_key(&name) {
            resolved.lock.build_only.insert(name.clone());
            resolved.lock.packages.insert(name, package);
        }
    }
    resolved.because.extend(tools.because);
    Ok(resolved)
}

/// Chooses packages, or takes those of the request's lock, and gets them.
pub(super) fn plan(
    wanted: &Wanted,
    doors: &archive::Doors<'_>,
    progress: &dyn Progress,
) -> Result<Planned, BuildError> {
    let mut request = wanted.root.clone();
    let (mut because, mut notices) = Default::default();
    if request.lock.is_none() {
        let resolved = lock(wanted, doors, progress)?;
        (because, notices) = (resolved.because, resolved.notices);
        request.lock = Some(resolved.lock);
    }
    let mut planned = archive::plan_packages(&request, doors, progress)?;
    for package in &mut planned.packages {
        if let Some(why) = because.remove(&package.name) {
            package.because = why;
        }
    }
    planned.notices.extend(notices);
    Ok(planned)
}

/// The packages of a lock that go into the root.
pub(super) fn is_root(lock: &Lock, name: &str) -> bool {
    !lock.build_only.contains(name)
}
