//! `--debug-kernel`: a second kernel, in a package that no archive carries.
use std::io;
use std::path::Path;

use esos_fetch::Sha256;
use esos_hostfs::Stream;

use super::BuildError;
use super::output::rewind;
use crate::archive::{Chosen, Locked, Planned, Pool};
use crate::deb::{Deb, Limits};

/// Adds the package to those of the image and to their lock; gives its name.
///
/// # Errors
/// [`BuildError::DebugKernel`] where it cannot be the second kernel, [`BuildError::OtherDebugKernel`] where
/// the lock that the build repeats has another one, or has one and none is given.
pub(super) fn add(deb: Option<&Path>, planned: &mut Planned) -> Result<Option<String>, BuildError> {
    let read = deb.map(|deb| read(deb, &planned.lock.architecture)).transpose()?;
    let found = read.as_ref().map(|chosen| (&chosen.name, &chosen.version, &chosen.sha256));
    let words = |(name, version, sha256)| format!("{name} {version} with SHA-256 {sha256}");
    match planned.lock.debug_kernel.as_ref().map(|p| (&p.name, &p.version, &p.sha256)) {
        Some(locked) if found != Some(locked) => {
            let found =
                found.map_or_else(|| "none is given".to_owned(), |f| format!("given is {}", words(f)));
            return Err(BuildError::OtherDebugKernel { locked: words(locked), found });
        }
        _ => {}
    }
    let Some(chosen) = read else { return Ok(None) };
    if planned.packages.iter().any(|p| p.name == chosen.name) {
        let why = format!("the image has a package {} already, for the Production entries", chosen.name);
        return Err(BuildError::DebugKernel { package: chosen.deb.display().to_string(), why });
    }
    let name = chosen.name.clone();
    planned.lock.debug_kernel = Some(Locked {
        name: name.clone(),
        version: chosen.version.clone(),
        architecture: chosen.architecture.clone(),
        sha256: chosen.sha256,
        size: chosen.size,
        pool: Pool::Extra,
        component: chosen.component.clone(),
        // The same wherever the file lay, and whatever it was called there.
        filename: format!("{name}_{}_{}.deb", chosen.version, chosen.architecture),
    });
    planned.packages.push(chosen);
    Ok(Some(name))
}

fn read(deb: &Path, architecture: &str) -> Result<Chosen, BuildError> {
    let package = deb.display().to_string();
    let failed = |source| BuildError::Tool { package: package.clone(), source };
    let unusable = |why| BuildError::DebugKernel { package: package.clone(), why };
    let mut stream = Stream::open(deb)?;
    let (sha256, size) = Sha256::of_reader(io::BufReader::new(&mut stream)).map_err(failed)?;
    rewind(&mut stream).map_err(failed)?;
    let opened = Deb::open(&package, io::BufReader::new(stream), Limits::default());
    let opened = opened.map_err(|e| failed(io::Error::other(e)))?;
    let field = |name: &str| opened.control().field(name).unwrap_or_default().to_owned();
    let (version, found) = (field("Version"), field("Architecture"));
    if found != architecture {
        return Err(unusable(format!("it is for {found}, the image is for {architecture}")));
    }
    let version = version.parse().map_err(|_e| unusable(format!("its version is `{version}`")))?;
    Ok(Chosen {
        name: field("Package"),
        version,
        architecture: found,
        sha256,
        size,
        component: Pool::Extra.word().to_owned(),
        deb: deb.to_owned(),
        because: "given by --debug-kernel".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Lock;
    use crate::deb::DebWriter;

    fn planned() -> Planned {
        let lock = Lock::new("trixie".into(), "amd64".into());
        Planned { packages: Vec::new(), lock, notices: Vec::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "the test makes a package")]
    fn package(dir: &Path, fields: &str) -> std::path::PathBuf {
        let deb = DebWriter::new(&format!("{fields}\nMaintainer: t <t@localhost>\nDescription: t\n"));
        let path = dir.join("some file.deb");
        std::fs::write(&path, deb.finish()).unwrap();
        path
    }

    #[test]
    fn it_is_among_the_packages_and_in_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let deb = package(dir.path(), "Package: linux-image-dbg\nVersion: 6.1-1\nArchitecture: amd64");
        let mut planned = planned();
        assert_eq!(add(Some(&deb), &mut planned).unwrap().as_deref(), Some("linux-image-dbg"));
        assert_eq!(planned.packages[0].deb, deb);
        let text = planned.lock.to_string();
        assert!(text.ends_with("extra extra linux-image-dbg_6.1-1_amd64.deb debug-kernel\n"), "{text}");

        // The same build again, out of the lock: only with the same package.
        let lock = Lock::parse("packages.lock", &text).unwrap();
        let again = || Planned { packages: Vec::new(), lock: lock.clone(), notices: Vec::new() };
        assert!(add(Some(&deb), &mut again()).is_ok());
        let error = add(None, &mut again()).unwrap_err().to_string();
        assert!(
            error.contains("linux-image-dbg 6.1-1 with SHA-256") && error.contains("none is given"),
            "{error}"
        );
        let other = package(dir.path(), "Package: linux-image-dbg\nVersion: 6.2-1\nArchitecture: amd64");
        let error = add(Some(&other), &mut again()).unwrap_err().to_string();
        assert!(error.contains("given is linux-image-dbg 6.2-1"), "{error}");
    }

    #[test]
    fn what_cannot_be_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |fields: &str, planned: &mut Planned| {
            let deb = package(dir.path(), fields);
            add(Some(&deb), planned).unwrap_err().to_string()
        };
        let error = refused("Package: k\nVersion: 1\nArchitecture: arm64", &mut planned());
        assert!(error.ends_with("it is for arm64, the image is for amd64"), "{error}");
        let mut twice = planned();
        let deb = package(dir.path(), "Package: k\nVersion: 1\nArchitecture: amd64");
        add(Some(&deb), &mut twice).unwrap();
        twice.lock.debug_kernel = None;
        let error = refused("Package: k\nVersion: 2\nArchitecture: amd64", &mut twice);
        assert!(error.ends_with("the image has a package k already, for the Production entries"), "{error}");
    }
}
