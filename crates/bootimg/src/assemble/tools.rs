//! Packages unpacked on the build host, for the programs in them.
use std::io;
use std::path::Path;

use esos_hostfs::{Files, HostFiles, Stream, symlink};

use super::BuildError;
use crate::deb::{Deb, Kind, Limits};

/// What of a package is unpacked: GRUB's modules and linker, libraries, and the licences stay out.
const WANTED: &[&str] = &[
    "usr/lib/grub/",
    "usr/lib/shim/",
    "usr/bin/grub-mkimage",
    "usr/lib/x86_64-linux-gnu/",
    "lib/x86_64-linux-gnu/",
];

/// Unpacks the wanted files of a package into a directory. Links stay links; what would lead out of the
/// directory is left out, as is everything that is neither file, directory nor link.
pub(super) fn unpack(package: &str, deb: &Path, into: &Path) -> Result<(), BuildError> {
    let error = |source| BuildError::Tool { package: package.to_owned(), source };
    let other = |e: esos_hostfs::FileError| error(io::Error::other(e));
    let reader = Stream::open(deb).map_err(other)?;
    let opened = Deb::open(package, io::BufReader::new(reader), Limits::default());
    let mut entries = opened.and_then(Deb::entries).map_err(|e| error(io::Error::other(e)))?;
    let files = HostFiles::new(into);
    while let Some(entry) = entries.next_entry().map_err(|e| error(io::Error::other(e)))? {
        let path = entry.path.as_str();
        if !WANTED.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        let parent = entry.path.parent().map(|p| format!("/{p}")).unwrap_or_default();
        if !parent.is_empty() {
            files.make_dir(&parent).map_err(other)?;
        }
        let target = into.join(path);
        match &entry.kind {
            Kind::File { .. } => {
                let mut out = Stream::create(&target, 0o755).map_err(other)?;
                io::copy(&mut entries, &mut out).map_err(error)?;
            }
            Kind::Symlink { target: to } if entry.path.follow(to).is_some() && !to.starts_with('/') => {
                symlink(Path::new(to), &target).map_err(other)?;
            }
            _ => {}
        }
    }
    Ok(())
}
