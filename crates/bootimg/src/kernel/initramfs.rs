//! The initramfs of a slot.
//!
//! What is in it, and where, is the contract of [`esos_layout::initrd`]. Modules lie uncompressed (the
//! whole archive is compressed, better than each file alone), the tables cover what is there and nothing
//! else.
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use esos_layout::initrd;

use super::choose::Selection;
use super::cpio::Cpio;
use super::depmod::{CycleError, KernelFiles, Tables};
use super::module::{Module, ModuleError, decompress, uncompressed_path};

/// What an initramfs is made of.
#[derive(Debug, Clone)]
pub struct Initramfs<'a> {
    /// The kernel's release, as `uname -r` says it.
    pub release: &'a str,
    /// The static `/init`.
    pub init: &'a [u8],
    /// The index of the root image.
    pub root_index: &'a str,
    /// The version of ESOS.
    pub version: &'a str,
    /// The modules chosen.
    pub selection: &'a Selection,
    /// Their files, as the package has them: path below `/lib/modules/<release>/`, bytes.
    pub modules: &'a BTreeMap<String, Vec<u8>>,
    /// `modules.builtin` of the kernel.
    pub builtin: &'a str,
    /// Firmware: path below `/lib/firmware`, bytes.
    pub firmware: &'a BTreeMap<String, Vec<u8>>,
    /// Seconds since 1970 of every file.
    pub mtime: u32,
    /// zstd's level.
    pub level: i32,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitramfsError {
    /// A module cannot be read.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Modules need each other in a circle.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// A chosen module has no file.
    #[error("module {name} was chosen for the initramfs, but its file is not there")]
    NoFile {
        /// The module.
        name: String,
    },
    /// The output cannot be written.
    #[error("cannot write the initramfs")]
    Write(#[source] io::Error),
}

impl Initramfs<'_> {
    /// Writes it, compressed with zstd.
    ///
    /// # Errors
    /// [`InitramfsError`].
    pub fn write<W: Write>(&self, out: W) -> Result<W, InitramfsError> {
        let files = self.files()?;
        let packed = zstd::stream::write::Encoder::new(out, self.level).and_then(|mut zstd| {
            // The kernel refuses frames without a checksum no more than others, but a damaged
            // initramfs then ends in a clear message.
            zstd.include_checksum(true)?;
            self.archive(zstd, &files)
        });
        packed.and_then(zstd::stream::write::Encoder::finish).map_err(InitramfsError::Write)
    }

    /// Bytes of the archive before it is compressed: what it takes of the memory.
    ///
    /// # Errors
    /// [`InitramfsError`].
    pub fn unpacked(&self) -> Result<u64, InitramfsError> {
        let archive = self.archive(Vec::new(), &self.files()?).map_err(InitramfsError::Write)?;
        Ok(archive.len() as u64)
    }

    fn archive<W: Write>(&self, out: W, files: &BTreeMap<String, (u16, Vec<u8>)>) -> io::Result<W> {
        let mut cpio = Cpio::new(out, self.mtime);
        let mut dirs = BTreeSet::from(["dev", "proc", "run", "sys"].map(str::to_owned));
        for path in files.keys() {
            dirs.extend(path.match_indices('/').filter_map(|(i, _)| path.get(..i)).map(str::to_owned));
        }
        for dir in &dirs {
            cpio.dir(dir, 0o755)?;
        }
        // The kernel opens it for init's first three descriptors before anything is mounted.
        cpio.char_device("dev/console", 0o600, 5, 1)?;
        cpio.file("init", 0o755, self.init)?;
        for (path, (mode, bytes)) in files {
            cpio.file(path, *mode, bytes)?;
        }
        cpio.finish()
    }

    /// Everything but `/init` and directories, by path without a leading slash.
    fn files(&self) -> Result<BTreeMap<String, (u16, Vec<u8>)>, InitramfsError> {
        let inside = |path: &str| path.trim_start_matches('/').to_owned();
        let mut files = BTreeMap::new();
        let mut add = |path: String, bytes: Vec<u8>| files.insert(path, (0o644, bytes));
        add(inside(initrd::ROOT_INDEX), self.root_index.as_bytes().to_vec());
        add(inside(initrd::VERSION), format!("{}\n", self.version).into_bytes());
        add(
            inside(initrd::MODULES),
            self.selection.load.iter().flat_map(|m| [m, "\n"]).collect::<String>().into_bytes(),
        );
        let dir = format!("{}/{}", inside(initrd::MODULE_DIR), self.release);
        let mut found = BTreeSet::new();
        let mut facts = Vec::new();
        for (path, bytes) in self.modules {
            let name = super::module::module_name(path);
            if !self.selection.modules.contains(&name) {
                continue;
            }
            let image = decompress(path, bytes)?;
            let plain = uncompressed_path(path);
            facts.push(Module::read(&plain, &image)?);
            add(format!("{dir}/{plain}"), image.into_owned());
            found.insert(name);
        }
        if let Some(name) = self.selection.modules.iter().find(|m| !found.contains(*m)) {
            return Err(InitramfsError::NoFile { name: name.clone() });
        }
        let tables = Tables::new(facts, KernelFiles { builtin: self.builtin, ..Default::default() })?;
        add(format!("{dir}/modules.dep"), tables.dep().into_bytes());
        add(format!("{dir}/modules.alias"), tables.alias().into_bytes());
        add(format!("{dir}/modules.softdep"), tables.softdep().into_bytes());
        add(format!("{dir}/modules.builtin"), self.builtin.as_bytes().to_vec());
        for (path, bytes) in self.firmware {
            add(format!("{}/{path}", inside(initrd::FIRMWARE_DIR)), bytes.clone());
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::super::elf::sample::object;
    use super::*;

    #[test]
    fn it_holds_what_the_contract_says() {
        let scsi = object(&["alias=scsi:t-0x00*"], &["scsi_x"], &[]);
        let disk = object(&["alias=scsi:t-0x01*"], &[], &["scsi_x"]);
        let modules = BTreeMap::from([
            ("kernel/scsi_mod.ko.zst".to_owned(), zstd::encode_all(&scsi[..], 1).unwrap()),
            ("kernel/sd_mod.ko".to_owned(), disk.clone()),
            ("kernel/other.ko".to_owned(), b"never read".to_vec()),
        ]);
        let selection = Selection {
            modules: ["scsi_mod", "sd_mod"].map(str::to_owned).into(),
            load: vec!["sd_mod".to_owned()],
            absent: vec![],
        };
        let firmware = BTreeMap::from([("a/b.fw".to_owned(), b"fw".to_vec())]);
        let made = Initramfs {
            release: "6.1.0-test",
            init: b"\x7fELF",
            root_index: "esos-root-index 1\n",
            version: "1.0",
            selection: &selection,
            modules: &modules,
            builtin: "kernel/fs/x.ko\n",
            firmware: &firmware,
            mtime: 1,
            level: 3,
        };
        let packed = made.write(Vec::new()).unwrap();
        assert_eq!(packed, made.write(Vec::new()).unwrap(), "twice the same");
        let archive = zstd::decode_all(&packed[..]).unwrap();
        let text = String::from_utf8_lossy(&archive);
        for path in [
            "dev/console",
            "init",
            "etc/esos/root.idx",
            "etc/esos/version",
            "etc/esos/modules",
            "lib/modules/6.1.0-test/kernel/scsi_mod.ko",
            "lib/modules/6.1.0-test/modules.alias",
            "lib/firmware/a/b.fw",
        ] {
            assert!(text.contains(&format!("{path}\0")), "{path}");
        }
        assert!(text.contains("kernel/sd_mod.ko: kernel/scsi_mod.ko\n"));
        assert!(!text.contains("never read") && !text.contains(".ko.zst"));

        let wrong = Selection { modules: ["nvme".to_owned()].into(), ..Selection::default() };
        let error = Initramfs { selection: &wrong, ..made }.write(Vec::new()).unwrap_err();
        assert!(matches!(error, InitramfsError::NoFile { name } if name == "nvme"));
    }
}
