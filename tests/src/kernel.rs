//! A Debian kernel with its modules, for guests that need no image.
use crate::apt;
use esos_bootimg::kernel::decompress;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// An unpacked kernel package.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The kernel.
    pub image: PathBuf,
    /// The directory of its modules (`lib/modules/<release>`).
    pub modules: PathBuf,
}

/// The kernel package of this host's Debian, downloaded through apt once and kept in the user's cache,
/// or the unpacked one that `ESOS_TEST_KERNEL` names.
///
/// # Errors
/// In words, where there is neither.
pub fn find() -> Result<Kernel, String> {
    if let Some(dir) = std::env::var_os("ESOS_TEST_KERNEL") {
        return unpacked(Path::new(&dir))
            .ok_or_else(|| format!("no kernel in {}", Path::new(&dir).display()));
    }
    fetched("kernel", "linux-image-amd64")
}

/// The newest kernel that an empty package of this host's Debian stands for (`linux-image-6.12-amd64`), kept
/// like that of [`find`].
///
/// # Errors
/// In words, where apt does not have it.
pub fn of_package(package: &str) -> Result<Kernel, String> {
    if package == "linux-image-amd64" { find() } else { fetched(&format!("kernel-{package}"), package) }
}

/// Such a package is empty and names the kernel of today.
fn fetched(name: &str, package: &str) -> Result<Kernel, String> {
    let dir = apt::unpacked(name, &apt::first_dependency(package), |dir| unpacked(dir).is_some())?;
    unpacked(&dir).ok_or_else(|| "the kernel package holds no kernel".to_owned())
}

fn unpacked(dir: &Path) -> Option<Kernel> {
    let entries = |dir: PathBuf| fs::read_dir(dir).ok()?.flatten().map(|e| e.path()).min();
    let modules = entries(dir.join("lib/modules")).or_else(|| entries(dir.join("usr/lib/modules")))?;
    let release = modules.file_name()?.to_str()?.to_owned();
    let image = dir.join(format!("boot/vmlinuz-{release}"));
    image.is_file().then_some(Kernel { image, modules })
}

impl Kernel {
    /// The named modules with all that they need, uncompressed, in an order in which they load; without those
    /// that are built in.
    ///
    /// # Errors
    /// Where one is missing or cannot be read.
    pub fn modules(&self, names: &[&str]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut files = BTreeMap::new();
        collect(&self.modules, &mut files)?;
        let mut order = Vec::new();
        for name in names {
            self.add(name, &files, &mut order)?;
        }
        Ok(order)
    }

    fn add(
        &self,
        name: &str,
        files: &BTreeMap<String, PathBuf>,
        order: &mut Vec<(String, Vec<u8>)>,
    ) -> io::Result<()> {
        if order.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        let Some(path) = files.get(name) else {
            let builtin = fs::read_to_string(self.modules.join("modules.builtin"))?;
            let file = format!("/{name}.ko");
            if builtin.lines().any(|line| line.replace('-', "_").ends_with(&file)) {
                return Ok(());
            }
            return Err(io::Error::other(format!("no module {name}")));
        };
        let bytes = fs::read(path)?;
        let bytes = decompress(&path.to_string_lossy(), &bytes).map_err(io::Error::other)?.into_owned();
        for needed in needs(&bytes) {
            self.add(&needed, files, order)?;
        }
        order.push((name.to_owned(), bytes));
        Ok(())
    }
}

/// Modules by their names, `-` as `_`.
fn collect(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if let Some((name, _)) = entry.file_name().to_str().and_then(|n| n.split_once(".ko")) {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// The field `depends` of a module's `.modinfo`.
fn needs(module: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let Some(at) = module.windows(key.len()).position(|window| window == key) else { return Vec::new() };
    let value = module.get(at + key.len()..).unwrap_or_default();
    let value = value.split(|&b| b == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|n| !n.is_empty()).map(|n| n.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs_stands_in_it() {
        assert_eq!(needs(b"x\0depends=usbcore,xhci-hcd\0y"), ["usbcore", "xhci_hcd"]);
        assert_eq!(needs(b"x\0depends=\0y"), [""; 0]);
        assert_eq!(needs(b"nothing"), [""; 0]);
    }
}
