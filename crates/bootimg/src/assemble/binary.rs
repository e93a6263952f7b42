//! Programs of ours that go into an image, and whether they can run there.
use crate::kernel::elf::{Elf, ElfError, string, u16_at, u32_at, u64_at};

/// One program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Its name (`esos-scst`).
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What a dynamic program wants of the system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Libraries by soname, such as `libc.so.6`.
    pub libraries: Vec<String>,
    /// The newest version of glibc's symbols, as (2, 36); `None` where it uses none.
    pub glibc: Option<(u32, u32)>,
    /// Whether it asks for a dynamic loader.
    pub dynamic: bool,
}

/// Why a program cannot run in the image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// It is no program for this machine.
    #[error("{name}")]
    Elf {
        /// The program.
        name: String,
        /// What is wrong.
        #[source]
        source: ElfError,
    },
    /// It was built against a newer C library.
    #[error("{name} needs glibc {}.{}, the image has {}.{}: build our programs on {suite} or something older, and give the directory with --bin-dir", .needs.0, .needs.1, .has.0, .has.1)]
    Glibc {
        /// The program.
        name: String,
        /// What it needs.
        needs: (u32, u32),
        /// What the image has.
        has: (u32, u32),
        /// The suite of the image.
        suite: String,
    },
    /// A library is not among the packages.
    #[error(
        "{name} needs {library}, which no package of the image has: add the package to the manifest's `include`"
    )]
    Library {
        /// The program.
        name: String,
        /// The library.
        library: String,
    },
    /// The initramfs has no libraries.
    #[error(
        "{name} is linked dynamically, and the initramfs has no libraries: build it with `make build`, which links it statically"
    )]
    NotStatic {
        /// The program.
        name: String,
    },
}

impl Binary {
    /// What it needs, read from its ELF.
    ///
    /// # Errors
    /// [`BinaryError::Elf`].
    pub fn needs(&self) -> Result<Needs, BinaryError> {
        let elf = Elf::read(&self.bytes);
        let elf = elf.map_err(|source| BinaryError::Elf { name: self.name.clone(), source })?;
        let mut needs = Needs { dynamic: elf.section(".interp").is_some(), ..Needs::default() };
        if let Some((table, strings)) = elf.linked(".dynamic") {
            let wanted = table.chunks_exact(16).filter(|e| u64_at(e, 0) == Some(1));
            let names = wanted.filter_map(|e| string(strings, u32::try_from(u64_at(e, 8)?).ok()?));
            needs.libraries = names.map(|n| String::from_utf8_lossy(n).into_owned()).collect();
        }
        if let Some((table, strings)) = elf.linked(".gnu.version_r") {
            needs.glibc = versions(table, strings).filter_map(glibc).max();
        }
        Ok(needs)
    }

    /// Whether it runs in a root with that C library and those libraries.
    ///
    /// # Errors
    /// [`BinaryError`] with what it lacks.
    pub fn check(
        &self,
        suite: &str,
        glibc: (u32, u32),
        has: impl Fn(&str) -> bool,
    ) -> Result<(), BinaryError> {
        let needs = self.needs()?;
        if let Some(wanted) = needs.glibc.filter(|wanted| *wanted > glibc) {
            let (name, suite) = (self.name.clone(), suite.to_owned());
            return Err(BinaryError::Glibc { name, needs: wanted, has: glibc, suite });
        }
        match needs.libraries.into_iter().find(|library| !has(library)) {
            Some(library) => Err(BinaryError::Library { name: self.name.clone(), library }),
            None => Ok(()),
        }
    }

    /// Whether it runs where there are no libraries.
    ///
    /// # Errors
    /// [`BinaryError::NotStatic`].
    pub fn check_static(&self) -> Result<(), BinaryError> {
        let needs = self.needs()?;
        if needs.dynamic || !needs.libraries.is_empty() {
            return Err(BinaryError::NotStatic { name: self.name.clone() });
        }
        Ok(())
    }
}

/// Version names of all libraries (`Elf64_Verneed` with its `Elf64_Vernaux`).
fn versions<'a>(table: &'a [u8], strings: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut need = Some(0usize);
    // A table that points in a circle ends after as many steps as it could have entries.
    let files = std::iter::from_fn(move || {
        let at = need?;
        let entry = table.get(at..)?;
        let next = usize::try_from(u32_at(entry, 12)?).ok()?;
        need = (next != 0).then(|| at.checked_add(next)).flatten();
        Some((at.checked_add(usize::try_from(u32_at(entry, 8)?).ok()?)?, u16_at(entry, 2)?))
    });
    files.take(table.len() / 16).flat_map(move |(first, count)| {
        let mut at = Some(first);
        std::iter::from_fn(move || {
            let here = at?;
            let entry = table.get(here..)?;
            let next = usize::try_from(u32_at(entry, 12)?).ok()?;
            at = (next != 0).then(|| here.checked_add(next)).flatten();
            string(strings, u32_at(entry, 8)?)
        })
        .take(usize::from(count))
    })
}

/// `GLIBC_2.34` as (2, 34).
fn glibc(version: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(version).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = text.split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0)))
}

/// The version of glibc in a Debian version such as `2.41-12+deb13u4`.
#[must_use]
pub fn glibc_of_package(version: &str) -> Option<(u32, u32)> {
    let upstream = version.split(['-', '+', '~']).next()?;
    let upstream = upstream.rsplit(':').next()?;
    let mut numbers = upstream.split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the test reads itself")]
    fn this_test() -> Binary {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        Binary { name: "this test".into(), bytes }
    }

    #[test]
    fn a_real_program_tells_what_it_needs() {
        let me = this_test();
        let needs = me.needs().unwrap();
        assert!(needs.dynamic && needs.libraries.contains(&"libc.so.6".to_owned()), "{needs:?}");
        assert!(needs.glibc.is_some_and(|v| v > (2, 2) && v < (3, 0)), "{needs:?}");
        me.check("trixie", (9, 0), |_| true).unwrap();
        assert!(matches!(me.check("trixie", (2, 2), |_| true), Err(BinaryError::Glibc { .. })));
        let error = me.check("trixie", (9, 0), |name| name != "libc.so.6").unwrap_err();
        assert!(error.to_string().contains("libc.so.6"), "{error}");
        assert!(matches!(me.check_static(), Err(BinaryError::NotStatic { .. })));
    }

    #[test]
    fn what_is_no_program_is_named() {
        let script = Binary { name: "esos-x".into(), bytes: b"#!/bin/sh".to_vec() };
        assert_eq!(script.needs().unwrap_err().to_string(), "esos-x");
    }

    #[test]
    fn debian_versions() {
        assert_eq!(glibc_of_package("2.41-12+deb13u4"), Some((2, 41)));
        assert_eq!(glibc_of_package("2.36-9"), Some((2, 36)));
        assert_eq!(glibc_of_package("x"), None);
        assert_eq!(glibc(b"GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc(b"GLIBC_ABI_DT_RELR"), None);
    }
}
