//! One slot: a whole system in one read-only file system.
use super::bytes::{hex, wide};
use super::description::{Description, KeyError, Signer};
use super::squashfs::{WriteSquashError, Writer};
use esos_layout::EnvBlock;
use esos_layout::slot::{
    BOOT_CHECK, BOOT_SUMS, DEBUG_BOOT_CHECK, DEBUG_BOOT_SUMS, DEBUG_INITRAMFS, DEBUG_KERNEL, DESCRIPTION,
    GRUB_ENV, INITRAMFS, KERNEL, SIGNATURE, SUMS, VERSION,
};
use std::fmt;
use std::io::{Read, Seek, Write};

/// One file of a slot, to be read once.
pub struct SlotFile<'a> {
    /// Its name, one of [`esos_layout::slot`].
    pub name: String,
    /// Bytes that `source` gives.
    pub len: u64,
    /// Its bytes.
    pub source: Box<dyn Read + 'a>,
}

impl fmt::Debug for SlotFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.len)
    }
}

impl<'a> SlotFile<'a> {
    /// A file out of memory.
    #[must_use]
    pub fn bytes(name: &str, bytes: &'a [u8]) -> Self {
        Self { name: name.to_owned(), len: wide(bytes.len()), source: Box::new(bytes) }
    }
}

/// What goes into a slot. The version, GRUB's variables, the description and all checksum files are added
/// by [`write()`].
#[derive(Debug, Default)]
pub struct SlotParts<'a> {
    /// The version of ESOS, one line.
    pub version: String,
    /// Kernel arguments of this slot (such as `crashkernel=`).
    pub args: String,
    /// Further ones of its Debug entry.
    pub debug_args: String,
    /// The oldest version that a box which runs this one still takes.
    pub minimum: Option<String>,
    /// Who signs the description.
    pub signer: Option<&'a Signer>,
    /// The files: kernel, initramfs, root image with its index, package lock, and what else there is.
    pub files: Vec<SlotFile<'a>>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileSum {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// A slot that was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SlotSummary {
    /// Its version.
    pub version: String,
    /// Bytes of the file system, a multiple of 4096.
    pub bytes: u64,
    /// Its files, in the order in which they were written.
    pub files: Vec<FileSum>,
}

/// Why a slot cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteSlotError {
    /// The file system cannot be written.
    #[error(transparent)]
    Squash(#[from] WriteSquashError),
    /// A slot without that file cannot boot.
    #[error("the slot has no {name}")]
    Missing {
        /// The file.
        name: &'static str,
    },
    /// Version or arguments have a line end or are longer than GRUB's block holds.
    #[error(
        "the version and the kernel arguments of the slot must be lines of together less than 3900 bytes"
    )]
    Variables,
    /// The description cannot be signed.
    #[error(transparent)]
    Sign(#[from] KeyError),
}

/// GRUB's variables take one block of the medium's largest sector.
const ENV_LEN: usize = 4096;

/// Writes a slot where the sink stands, and returns what is in it. `time` (seconds since 1970) is every
/// file's time.
///
/// # Errors
/// [`WriteSlotError`].
pub fn write<W: Write + Seek>(
    sink: W,
    parts: &mut SlotParts<'_>,
    time: u32,
) -> Result<SlotSummary, WriteSlotError> {
    for name in [KERNEL, INITRAMFS] {
        if !parts.files.iter().any(|f| f.name == name) {
            return Err(WriteSlotError::Missing { name });
        }
    }
    let debug = parts.files.iter().any(|f| f.name == DEBUG_KERNEL);
    if debug && !parts.files.iter().any(|f| f.name == DEBUG_INITRAMFS) {
        return Err(WriteSlotError::Missing { name: DEBUG_INITRAMFS });
    }
    let env = variables(parts, debug).ok_or(WriteSlotError::Variables)?;
    let mut slot = Slot { writer: Writer::new(sink, time)?, sums: Vec::new() };
    for file in &mut parts.files {
        slot.add(&file.name, file.len, &mut file.source)?;
    }
    let version = format!("{}\n", parts.version);
    slot.text(VERSION, version.as_bytes())?;
    slot.text(GRUB_ENV, &env)?;
    slot.list(BOOT_SUMS, &[GRUB_ENV, KERNEL, INITRAMFS])?;
    slot.list(BOOT_CHECK, &[BOOT_SUMS])?;
    if debug {
        slot.list(DEBUG_BOOT_SUMS, &[DEBUG_KERNEL, DEBUG_INITRAMFS])?;
        slot.list(DEBUG_BOOT_CHECK, &[DEBUG_BOOT_SUMS])?;
    }
    let description = Description::new(&parts.version, parts.minimum.as_deref(), time, &slot.sums).print();
    slot.text(DESCRIPTION, description.as_bytes())?;
    if let Some(signer) = parts.signer {
        slot.text(SIGNATURE, signer.sign(description.as_bytes(), time)?.as_bytes())?;
    }
    let mut names: Vec<String> = slot.sums.iter().map(|f| f.name.clone()).collect();
    names.sort();
    slot.list(SUMS, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let (_sink, bytes) = slot.writer.finish()?;
    Ok(SlotSummary { version: parts.version.clone(), bytes, files: slot.sums })
}

fn variables(parts: &SlotParts<'_>, debug: bool) -> Option<Vec<u8>> {
    let names = [
        ("slot_ver", parts.version.as_str()),
        ("slot_args", parts.args.as_str()),
        ("slot_debug", if debug { "1" } else { "0" }),
        ("slot_debug_args", parts.debug_args.as_str()),
    ];
    let lines = names.iter().all(|(_, value)| !value.contains(|c: char| c.is_control()));
    EnvBlock::print(&names, ENV_LEN).filter(|_| lines && !parts.version.is_empty())
}

struct Slot<W> {
    writer: Writer<W>,
    sums: Vec<FileSum>,
}

impl<W: Write + Seek> Slot<W> {
    fn add(&mut self, name: &str, len: u64, source: &mut dyn Read) -> Result<(), WriteSquashError> {
        let sha256 = hex(&self.writer.add(name, len, source)?);
        self.sums.push(FileSum { name: name.to_owned(), bytes: len, sha256 });
        Ok(())
    }

    fn text(&mut self, name: &str, mut bytes: &[u8]) -> Result<(), WriteSquashError> {
        self.add(name, wide(bytes.len()), &mut bytes)
    }

    /// A file of lines as `sha256sum` prints them, in the order of the names.
    fn list(&mut self, name: &str, of: &[&str]) -> Result<(), WriteSquashError> {
        let sum = |name: &&str| self.sums.iter().find(|f| f.name == **name);
        let lines: String =
            of.iter().filter_map(sum).map(|f| format!("{}  {}\n", f.sha256, f.name)).collect();
        self.text(name, lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::squashfs::Image;
    use super::*;
    use std::io::Cursor;

    fn parts(files: Vec<SlotFile<'static>>) -> SlotParts<'static> {
        SlotParts { version: "1.2".into(), args: "a=1".into(), files, ..SlotParts::default() }
    }

    #[test]
    fn sums_and_variables_are_added() {
        let mut parts = parts(vec![SlotFile::bytes(KERNEL, b"k"), SlotFile::bytes(INITRAMFS, b"i")]);
        let mut disk = Cursor::new(Vec::new());
        let summary = write(&mut disk, &mut parts, 0).unwrap();
        let image = Image::open(&mut disk).unwrap();
        let mut text = |name: &str| {
            let mut text = String::new();
            image.file(name).unwrap().reader(&mut disk).read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(text(VERSION), "1.2\n");
        assert!(text(GRUB_ENV).contains("slot_ver=1.2\nslot_args=a=1\nslot_debug=0\n"));
        let boot = text(BOOT_SUMS);
        assert_eq!(
            boot.lines().nth(1),
            Some("8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a  vmlinuz")
        );
        let list = summary.files.iter().find(|f| f.name == BOOT_SUMS).unwrap();
        assert_eq!(text(BOOT_CHECK), format!("{}  boot.sums\n", list.sha256));
        assert_eq!(text(SUMS).lines().count(), 7);
        assert_eq!(summary.files.len(), 8);
        let description = Description::parse(text(DESCRIPTION).as_bytes()).unwrap();
        assert_eq!(description.compare(&summary.files), Ok(()));
    }

    #[test]
    fn what_cannot_boot_is_refused() {
        let error = |files| write(Cursor::new(Vec::new()), &mut parts(files), 0).unwrap_err().to_string();
        assert_eq!(error(vec![SlotFile::bytes(KERNEL, b"k")]), "the slot has no initrd.img");
        let mut bad = parts(vec![SlotFile::bytes(KERNEL, b"k"), SlotFile::bytes(INITRAMFS, b"i")]);
        bad.args = "a\nb".into();
        assert!(matches!(write(Cursor::new(Vec::new()), &mut bad, 0), Err(WriteSlotError::Variables)));
    }
}
