//! What one kernel module says about itself.
use std::borrow::Cow;
use std::io::Read;

use super::elf::{Elf, ElfError};

/// The facts of one module file that depmod's tables and the choice of modules need.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Module {
    /// The name as the kernel has it (`usb_storage`, `-` never stands in it).
    pub name: String,
    /// Its path below `/lib/modules/<release>/` (`kernel/drivers/usb/storage/usb-storage.ko.xz`).
    pub path: String,
    /// `alias=` lines in order: modalias patterns, `devname:`, `char-major-…`, `fs-…`.
    pub aliases: Vec<String>,
    /// `softdep=` lines (`pre: crc32c`).
    pub softdeps: Vec<String>,
    /// `weakdep=` lines.
    pub weakdeps: Vec<String>,
    /// `firmware=` lines: files below `/lib/firmware` that it may ask for.
    pub firmware: Vec<String>,
    /// Symbols that it offers to others.
    pub exports: Vec<String>,
    /// Symbols that it wants from others, in the order of its symbol table.
    pub imports: Vec<String>,
}

/// A module file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("kernel module {path}")]
pub struct ModuleError {
    /// The module's path.
    pub path: String,
    /// What is wrong.
    #[source]
    pub source: ModuleFault,
}

/// What is wrong with a module file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleFault {
    /// It does not decompress.
    #[error("cannot decompress it")]
    Compression(#[source] std::io::Error),
    /// It is no object file.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// Its name ends in none of `.ko`, `.ko.xz`, `.ko.zst`, `.ko.gz`.
    #[error("expected a name that ends in .ko, .ko.xz, .ko.zst or .ko.gz")]
    Name,
    /// It is larger than any module is ([`MAX_MODULE`]).
    #[error("expected at most {MAX_MODULE} bytes when decompressed")]
    TooLarge,
}

/// The largest module that is read, in bytes when decompressed (the largest of Debian's is below 30 MiB).
pub const MAX_MODULE: u64 = 256 << 20;

impl Module {
    /// Whether a path names a module file.
    #[must_use]
    pub fn is_module_path(path: &str) -> bool {
        split_extension(path).is_some()
    }

    /// Reads a module file; `path` is relative to `/lib/modules/<release>/`, `bytes` are the file's,
    /// compressed or not as its name says.
    ///
    /// # Errors
    /// [`ModuleError`] with the path and what is wrong.
    pub fn read(path: &str, bytes: &[u8]) -> Result<Self, ModuleError> {
        let error = |source| ModuleError { path: path.to_owned(), source };
        let image = decompress(path, bytes)?;
        let elf = Elf::read(&image).map_err(|e| error(e.into()))?;
        let mut module = Self {
            name: module_name(path),
            path: path.to_owned(),
            aliases: Vec::new(),
            softdeps: Vec::new(),
            weakdeps: Vec::new(),
            firmware: Vec::new(),
            exports: Vec::new(),
            imports: Vec::new(),
        };
        for line in strings(elf.section(".modinfo").unwrap_or_default()) {
            let list = match line.split_once('=') {
                Some(("alias", value)) => Some((&mut module.aliases, value)),
                Some(("softdep", value)) => Some((&mut module.softdeps, value)),
                Some(("weakdep", value)) => Some((&mut module.weakdeps, value)),
                Some(("firmware", value)) => Some((&mut module.firmware, value)),
                _ => None,
            };
            if let Some((list, value)) = list {
                list.push(value.to_owned());
            }
        }
        for symbol in elf.symbols() {
            if let Some(name) = symbol.name.strip_prefix(b"__crc_") {
                module.exports.push(String::from_utf8_lossy(name).into_owned());
            } else if symbol.external && !symbol.defined {
                module.imports.push(String::from_utf8_lossy(symbol.name).into_owned());
            }
        }
        if module.exports.is_empty() {
            // A kernel without symbol versions. The section also holds the names of symbol namespaces,
            // which is why it is not the first choice; kmod does the same.
            module.exports = strings(elf.section("__ksymtab_strings").unwrap_or_default());
        }
        Ok(module)
    }
}

/// The bytes of a module as the kernel wants them, decompressed where its name says that it is not.
///
/// # Errors
/// [`ModuleError`] where the name is no module's or the bytes do not decompress.
pub fn decompress<'a>(path: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, ModuleError> {
    let error = |source| ModuleError { path: path.to_owned(), source };
    let (_, extension) = split_extension(path).ok_or_else(|| error(ModuleFault::Name))?;
    let mut reader: Box<dyn Read + '_> = match extension {
        ".ko" => return Ok(Cow::Borrowed(bytes)),
        ".ko.xz" => Box::new(liblzma::read::XzDecoder::new(bytes)),
        ".ko.gz" => Box::new(flate2::read::GzDecoder::new(bytes)),
        _ => {
            Box::new(zstd::stream::read::Decoder::new(bytes).map_err(|e| error(ModuleFault::Compression(e)))?)
        }
    };
    let mut image = Vec::with_capacity(bytes.len().saturating_mul(4));
    let limited = reader.by_ref().take(MAX_MODULE.saturating_add(1)).read_to_end(&mut image);
    limited.map_err(|e| error(ModuleFault::Compression(e)))?;
    if image.len() as u64 > MAX_MODULE {
        return Err(error(ModuleFault::TooLarge));
    }
    Ok(Cow::Owned(image))
}

/// The path with the plain `.ko`, whatever the file is compressed with.
#[must_use]
pub fn uncompressed_path(path: &str) -> String {
    split_extension(path).map_or_else(|| path.to_owned(), |(stem, _)| format!("{stem}.ko"))
}

/// The name of the module in a file, as the kernel has it.
#[must_use]
pub fn module_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    base.split('.').next().unwrap_or(base).replace('-', "_")
}

fn split_extension(path: &str) -> Option<(&str, &'static str)> {
    [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].into_iter().find_map(|e| Some((path.strip_suffix(e)?, e)))
}

fn strings(section: &[u8]) -> Vec<String> {
    let lines = section.split(|b| *b == 0).filter(|s| !s.is_empty());
    lines.map(|s| String::from_utf8_lossy(s).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::elf::sample::object;
    use super::*;

    #[test]
    fn a_module_tells_its_facts() {
        let info = ["alias=usb:v1*", "softdep=pre: uas", "firmware=a/b.fw", "weakdep=x", "license=GPL"];
        let bytes = object(&info, &["usb_stor_a"], &["printk"]);
        let module = Module::read("kernel/drivers/usb/storage/usb-storage.ko", &bytes).unwrap();
        assert_eq!(module.name, "usb_storage");
        assert_eq!(module.aliases, ["usb:v1*"]);
        assert_eq!(module.softdeps, ["pre: uas"]);
        assert_eq!(module.weakdeps, ["x"]);
        assert_eq!(module.firmware, ["a/b.fw"]);
        assert_eq!(
            (module.exports, module.imports),
            (vec!["usb_stor_a".to_owned()], vec!["printk".to_owned()])
        );
    }

    #[test]
    fn compressed_modules_are_the_same() {
        let bytes = object(&["alias=a"], &[], &[]);
        let plain = Module::read("a.ko", &bytes).unwrap();
        let packed = zstd::encode_all(&bytes[..], 3).unwrap();
        let packed = Module::read("a.ko.zst", &packed).unwrap();
        assert_eq!(packed, Module { path: "a.ko.zst".into(), ..plain });
        assert_eq!(uncompressed_path("k/a-b.ko.xz"), "k/a-b.ko");
    }

    #[test]
    fn a_broken_module_names_itself() {
        let error = Module::read("a.ko.xz", b"no xz").unwrap_err();
        assert_eq!(error.to_string(), "kernel module a.ko.xz");
        assert!(matches!(error.source, ModuleFault::Compression(_)));
        assert!(matches!(Module::read("a.o", b"").unwrap_err().source, ModuleFault::Name));
        assert!(matches!(Module::read("a.ko", b"text").unwrap_err().source, ModuleFault::Elf(_)));
    }
}
