//! The boot loader of an image: linked, or kept from an earlier build, with Debian's signed one where it is wanted.
use std::io;

use esos_hostfs::{Files, HostFiles};
use sha2::{Digest, Sha256};

use super::output::Output;
use super::run::{Build, Doors, SIGNED_FILES};
use super::{BuildError, tools};
use crate::archive::Planned;
use crate::disk::grub::{BootLoader, Linker, recipe};
use crate::root::{RootError, keep, recall};

/// The boot loader, and further files of the EFI system partition.
pub(super) type Loader = (BootLoader, Vec<(String, Vec<u8>)>);

/// GRUB, linked out of the tools' packages, and Debian's signed files out of them.
pub(super) fn boot_loader(
    build: &Build<'_>,
    planned: &Planned,
    doors: &Doors<'_>,
    output: &Output,
) -> Result<Loader, BuildError> {
    let key = key(planned);
    if !build.secure_boot
        && let Some(kept) = recall(doors.frames, &key).map_err(broken)?.and_then(|bytes| parse(&bytes))
    {
        return Ok((kept, Vec::new()));
    }
    let mut boot = link(planned, doors, output)?;
    if build.secure_boot {
        let signed = signed(output, &mut boot)?;
        return Ok((boot, signed));
    }
    keep(doors.frames, &key, &print(&boot)).map_err(broken)?;
    Ok((boot, Vec::new()))
}

fn link(planned: &Planned, doors: &Doors<'_>, output: &Output) -> Result<BootLoader, BuildError> {
    let (tree, scratch) = (output.scratch("tools"), output.scratch("grub"));
    let host = HostFiles::new("/");
    for dir in [&tree, &scratch] {
        host.make_dir(&dir.to_string_lossy())?;
    }
    for package in planned.packages.iter().filter(|p| planned.lock.tools.contains(&p.name)) {
        tools::unpack(&package.name, &package.deb, &tree)?;
    }
    let (tree, scratch) = (tree.to_string_lossy(), scratch.to_string_lossy());
    let linker = Linker { runner: doors.runner, files: &host, tools: &tree, scratch: &scratch };
    Ok(linker.link()?)
}

/// Debian's shim in the place of our core, and the files that it and the firmware look for beside it.
fn signed(output: &Output, boot: &mut BootLoader) -> Result<Vec<(String, Vec<u8>)>, BuildError> {
    let files = HostFiles::new(output.scratch("tools"));
    let (shim, beside) = SIGNED_FILES;
    boot.efi = files.read(&format!("/{shim}"))?;
    beside.iter().map(|(to, from)| Ok(((*to).to_owned(), files.read(&format!("/{from}"))?))).collect()
}

/// Everything that the cores depend on.
fn key(planned: &Planned) -> String {
    let mut hash = Sha256::new();
    hash.update(recipe());
    for package in planned.packages.iter().filter(|p| planned.lock.tools.contains(&p.name)) {
        hash.update([0]);
        hash.update(&package.name);
        hash.update(package.sha256.bytes());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>() + ".boot"
}

fn broken(source: io::Error) -> BuildError {
    RootError::Cache { package: "grub-common".to_owned(), source }.into()
}

/// The parts, each behind its length.
fn print(boot: &BootLoader) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [&boot.boot_img, &boot.core_img, &boot.cd_img, &boot.efi] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    bytes
}

fn parse(mut rest: &[u8]) -> Option<BootLoader> {
    let mut part = || {
        let (len, tail) = rest.split_first_chunk()?;
        let (part, tail) = tail.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        rest = tail;
        Some(part.to_vec())
    };
    let boot = BootLoader { boot_img: part()?, core_img: part()?, cd_img: part()?, efi: part()? };
    rest.is_empty().then_some(boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_back() {
        let part = |n: u8| vec![n; 300 + usize::from(n)];
        let boot = BootLoader { boot_img: part(1), core_img: part(2), cd_img: part(3), efi: part(4) };
        let bytes = print(&boot);
        assert_eq!(parse(&bytes), Some(boot));
        assert_eq!(parse(&bytes[..bytes.len() - 1]), None);
        assert_eq!(parse(&[bytes, vec![0]].concat()), None);
    }
}
