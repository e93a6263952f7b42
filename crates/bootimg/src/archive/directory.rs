//! A directory of packages without any index: `--extra-debs`, or a flat mirror.
use super::ArchiveError;
use super::deb822::{Comments, paragraphs};
use crate::deb::{Deb, Limits};
use esos_fetch::{Fetch, FetchError, Location, Sha256, StoreError};
use esos_hostfs::{Files, HostFiles};
use std::path::Path;

/// Makes an index of all `.deb` files of a directory from their own control data.
///
/// # Errors
/// [`ArchiveError::Directory`] where it cannot be listed, [`ArchiveError::NoPackages`] where there is
/// none, [`ArchiveError::Deb`] and [`ArchiveError::Unusable`] for a file that is no good package.
pub fn index(fetch: &dyn Fetch, dir: &Path) -> Result<String, ArchiveError> {
    let names = HostFiles::new(dir).list("/");
    let names = names.map_err(|source| ArchiveError::Directory { dir: dir.to_owned(), source })?;
    let mut text = String::new();
    for name in names.iter().filter(|n| n.ends_with(".deb")) {
        text.push_str(&entry(fetch, dir, name)?);
    }
    if text.is_empty() {
        return Err(ArchiveError::NoPackages { dir: dir.to_owned() });
    }
    Ok(text)
}

fn entry(fetch: &dyn Fetch, dir: &Path, name: &str) -> Result<String, ArchiveError> {
    let path = dir.join(name);
    let unusable = |why| ArchiveError::Unusable { path: path.clone(), why };
    if name.contains(char::is_whitespace) {
        return Err(unusable("its name has blanks in it; rename it"));
    }
    let location = Location::directory(&path);
    let failed = |source: FetchError| StoreError::Fetch { name: name.to_owned(), source };
    let opened = fetch.open(&location, 0).map_err(failed)?;
    let hashed = Sha256::of_reader(opened.reader);
    let (hash, size) =
        hashed.map_err(|source| failed(FetchError::Io { location: location.clone(), source }))?;
    let opened = fetch.open(&location, 0).map_err(failed)?;
    let deb = Deb::open(name, opened.reader, Limits::default())
        .map_err(|e| ArchiveError::Deb { path: path.clone(), source: Box::new(e) })?;
    let control = &deb.control().text;
    let mut all = paragraphs(name, control, Comments::Allowed);
    let first = all.next().transpose()?.ok_or_else(|| unusable("its control data is empty"))?;
    if all.next().is_some() {
        return Err(unusable("its control data has several paragraphs"));
    }
    let ours = ["Filename", "Size", "SHA256"];
    let mut text = String::new();
    for field in first.fields().iter().filter(|f| !ours.iter().any(|o| f.name.eq_ignore_ascii_case(o))) {
        let lines = field.value.lines().enumerate().filter(|(n, l)| *n == 0 || !l.starts_with('#'));
        let value: Vec<&str> = lines.map(|(_, l)| l).collect();
        text.push_str(&format!("{}: {}\n", field.name, value.join("\n")));
    }
    text.push_str(&format!("Filename: {name}\nSize: {size}\nSHA256: {hash}\n\n"));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Pool, parse_index};
    use crate::deb::DebWriter;
    use esos_fetch::HostFetch;
    use esos_hostfs::TempDir;

    #[test]
    fn an_index_from_control_data() {
        let dir = TempDir::new("debs").unwrap();
        let files = HostFiles::new(dir.path());
        let control = "Package: scst\nVersion: 3.9-1\nArchitecture: amd64\nDepends: libc6\nSize: 7\nDescription: x\n y\n";
        files.replace("/scst.deb", &DebWriter::new(control).finish(), 0o644).unwrap();
        files.replace("/README", b"no package", 0o644).unwrap();
        let text = index(&HostFetch::offline(), dir.path()).unwrap();
        let all = parse_index("extra", &text, "amd64", Pool::Extra, "extra").unwrap();
        assert_eq!(
            (all.len(), all[0].name, all[0].depends[1], all[0].filename),
            (1, "scst", "libc6", "scst.deb")
        );
        assert_eq!(all[0].sha256, Sha256::of(&files.read("/scst.deb").unwrap()));
    }

    #[test]
    fn what_is_no_package_is_named() {
        let dir = TempDir::new("debs").unwrap();
        let files = HostFiles::new(dir.path());
        let error = |files: &HostFiles| {
            let _ = files;
            index(&HostFetch::offline(), dir.path()).unwrap_err()
        };
        assert!(matches!(error(&files), ArchiveError::NoPackages { .. }));
        files.replace("/x.deb", b"junk", 0o644).unwrap();
        assert!(matches!(error(&files), ArchiveError::Deb { .. }));
        files.remove("/x.deb").unwrap();
        files.replace("/a b.deb", b"junk", 0o644).unwrap();
        assert!(matches!(error(&files), ArchiveError::Unusable { .. }));
        let none = index(&HostFetch::offline(), &dir.path().join("none")).unwrap_err();
        assert!(matches!(none, ArchiveError::Directory { .. }));
    }
}
