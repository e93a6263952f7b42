//! From a manifest to packages on this machine.
use std::collections::BTreeSet;
use std::path::PathBuf;

use esos_diag::ParseError;
use esos_fetch::Progress;

use super::BuildError;
use crate::archive::{
    self, ArchiveError, Base, Catalog, Lock, Notice, Planned, Request, Resolved, UnixTime, Wish, relation,
};
use crate::extra::{self, Choice};
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
    let mut build = Vec::new();
    if let Some(dir) = &wanted.root.extra_debs {
        let release = resolved.lock.kernel_release().map(str::to_owned);
        let choice = extra::choose(&extra::survey(doors.fetch, dir)?, release.as_deref())?;
        resolved = archive::choose(&catalog, &with_extra(&wanted.root, &choice)?)?;
        for (package, why) in choice.left {
            resolved.notices.push(Notice::LeftOut { package, why });
        }
        build = choice.build;
    }
    let also =
        |resolved: &mut Resolved, request: &Request, purpose: fn(&mut Lock) -> &mut BTreeSet<String>| {
            let chosen = archive::choose(&catalog, request)?;
            resolved.lock.take(chosen.lock.packages, purpose);
            for (name, why) in chosen.because {
                resolved.because.entry(name).or_insert(why);
            }
            Ok::<_, ArchiveError>(())
        };
    if !wanted.tools.wish.seeds.is_empty() {
        also(&mut resolved, &wanted.tools, |lock| &mut lock.tools)?;
    }
    if !build.is_empty() {
        let release = resolved.lock.kernel_release().map(str::to_owned);
        let release =
            release.ok_or_else(|| ArchiveError::NoKernelToBuildFor { package: build.join(", ") })?;
        also(&mut resolved, &build_root(&wanted.root, &release, &build)?, |lock| &mut lock.dkms)?;
    }
    Ok(resolved)
}

/// The root with the user's packages; what dkms is for has happened when the image is made.
fn with_extra(root: &Request, choice: &Choice) -> Result<Request, ArchiveError> {
    let mut request = root.clone();
    let seeds = relation::parse("the extra packages", &choice.wanted.join(", "))?;
    let known: BTreeSet<String> = request.wish.seeds.iter().map(ToString::to_string).collect();
    request.wish.seeds.extend(seeds.into_iter().filter(|s| !known.contains(&s.to_string())));
    if !choice.build.is_empty() {
        request.wish.assumed.insert("dkms".to_owned());
    }
    Ok(request)
}

/// What modules are built in: the kernel's headers with the compiler that they name, dkms, and what
/// builds of modules call without asking for it, because every machine that builds kernels has it.
fn build_root(root: &Request, release: &str, build: &[String]) -> Result<Request, ArchiveError> {
    let mut request = root.clone();
    let seeds =
        format!("dkms, make, gcc, libc6-dev, openssl, bc, linux-headers-{release}, {}", build.join(", "));
    request.wish.seeds = relation::parse("the build root", &seeds)?;
    request.wish.base = Base::Essential;
    // Headers ask for the kernel itself and its boot files, which compiling does not need.
    let names = [format!("linux-image-{release}"), format!("linux-image-{release}-unsigned")];
    let assumed = ["linux-base", "linux-image-amd64"].map(str::to_owned);
    request.wish.assumed = names.into_iter().chain(assumed).collect();
    Ok(request)
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
