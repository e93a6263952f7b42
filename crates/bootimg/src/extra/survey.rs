//! Looking into the user's packages.
use super::Extra;
use crate::archive::ArchiveError;
use crate::deb::{Deb, Limits};
use esos_fetch::{Fetch, FetchError, Location, StoreError};
use esos_hostfs::{Files, HostFiles};
use std::io::Read;
use std::path::Path;

const MODULES: &str = "lib/modules/";

/// Looks into all packages of a directory, by file name.
///
/// # Errors
/// [`ArchiveError::Directory`] where it cannot be listed, [`ArchiveError::Deb`] for a package that cannot
/// be read.
pub fn survey(fetch: &dyn Fetch, dir: &Path) -> Result<Vec<Extra>, ArchiveError> {
    let names = HostFiles::new(dir).list("/");
    let names = names.map_err(|source| ArchiveError::Directory { dir: dir.to_owned(), source })?;
    let mut found: Vec<Extra> = Vec::new();
    for name in names.iter().filter(|n| n.ends_with(".deb")) {
        let location = Location::directory(dir.join(name));
        let failed = |source: FetchError| StoreError::Fetch { name: name.clone(), source };
        let opened = fetch.open(&location, 0).map_err(failed)?;
        let extra = read(name, opened.reader)
            .map_err(|e| ArchiveError::Deb { path: dir.join(name), source: Box::new(e) })?;
        // Two versions of a package: what either has counts, the resolver takes the newer one.
        match found.iter_mut().find(|f| f.name == extra.name) {
            Some(known) => {
                known.kernels.extend(extra.kernels);
                known.dkms |= extra.dkms;
            }
            None => found.push(extra),
        }
    }
    Ok(found)
}

/// Looks into one package.
///
/// # Errors
/// [`crate::deb::DebError`] where it cannot be read.
pub fn read(origin: &str, deb: impl Read) -> Result<Extra, crate::deb::DebError> {
    let deb = Deb::open(origin, deb, Limits::default())?;
    let field = |name: &str| deb.control().field(name).unwrap_or_default().to_owned();
    let both = [field("Conflicts"), field("Breaks")];
    let conflicts = both.iter().filter(|c| !c.trim().is_empty()).cloned().collect::<Vec<_>>().join(", ");
    let mut extra = Extra { conflicts, provides: field("Provides"), ..Extra::named(&field("Package")) };
    let mut entries = deb.entries()?;
    while let Some(entry) = entries.next_entry()? {
        if !entry.kind.is_file() {
            continue;
        }
        let path = entry.path.as_str();
        let path = path.strip_prefix("usr/").unwrap_or(path);
        if let Some((release, file)) = path.strip_prefix(MODULES).and_then(|p| p.split_once('/')) {
            if crate::kernel::Module::is_module_path(file) {
                extra.kernels.insert(release.to_owned());
            }
        } else if path.starts_with("src/") && path.ends_with("/dkms.conf") && path.split('/').count() == 3 {
            extra.dkms = true;
        }
    }
    Ok(extra)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::DebWriter;

    fn look(fill: impl Fn(&mut DebWriter)) -> Extra {
        let mut deb =
            DebWriter::new("Package: p\nVersion: 1\nArchitecture: all\nConflicts: q\nBreaks: r (<< 2)\n");
        fill(&mut deb);
        read("p.deb", &*deb.finish()).unwrap()
    }

    #[test]
    fn ready_modules_and_sources_are_told_apart() {
        let ready = look(|d| {
            d.file("lib/modules/6.1.0-1/extra/a.ko", b"", 0o644).file(
                "lib/modules/6.1.0-1/x.txt",
                b"",
                0o644,
            );
        });
        assert_eq!(
            (ready.kernels.into_iter().collect::<Vec<_>>(), ready.dkms),
            (vec!["6.1.0-1".to_owned()], false)
        );
        let source = look(|d| _ = d.file("usr/src/a-1/dkms.conf", b"", 0o644));
        assert!(source.dkms && source.kernels.is_empty());
        assert_eq!(source.conflicts, "q, r (<< 2)");
        let neither = look(|d| _ = d.file("usr/src/a-1/example/dkms.conf", b"", 0o644));
        assert!(!neither.dkms);
    }
}
