//! The kernels of an image: their modules' facts, tables, and what the initramfs takes of them.
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Mutex, PoisonError, mpsc};

use sha2::{Digest, Sha256};

use super::BuildError;
use crate::deb::TreePath;
use crate::kernel::{KernelFiles, Module, ModuleError, Selection, Tables, module_name};
use crate::root::{Cache, Own, Prepared, RootError};

const MODULES: &str = "usr/lib/modules";
const FIRMWARE: &str = "usr/lib/firmware";
/// Changes whenever the same module would give other facts.
const FORMAT: &str = "modules-1";

/// A kernel among the packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    /// What `uname -r` will say.
    pub(super) release: String,
    /// The package that has `boot/vmlinuz-RELEASE`.
    pub(super) package: String,
}

/// What the initramfs of a kernel takes from the packages.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    /// Module files by path below the release's directory.
    pub(super) modules: BTreeMap<String, Vec<u8>>,
    /// Firmware by path below `/lib/firmware`.
    pub(super) firmware: BTreeMap<String, Vec<u8>>,
    /// `modules.builtin`.
    pub(super) builtin: String,
}

/// All kernels, by release.
pub(super) fn find(root: &Prepared<'_>) -> Vec<Kernel> {
    let mut found = Vec::new();
    for (source, listing) in root.packages() {
        let names = listing.files.keys().filter_map(|path| path.as_str().strip_prefix("boot/vmlinuz-"));
        let there = names.filter(|release| root.tree().get(&format!("{MODULES}/{release}")).is_some());
        found.extend(there.map(|r| Kernel { release: r.to_owned(), package: source.name.clone() }));
    }
    found.sort_by(|a, b| a.release.cmp(&b.release));
    found
}

impl Kernel {
    /// Reads all modules of this kernel, from whatever packages, and makes depmod's tables.
    pub(super) fn tables(
        &self,
        root: &Prepared<'_>,
        cache: &dyn Cache,
        threads: usize,
    ) -> Result<Tables, BuildError> {
        let dir = format!("{MODULES}/{}/", self.release);
        let mut owners: BTreeMap<&str, Vec<&TreePath>> = BTreeMap::new();
        for (path, node) in root.tree().iter() {
            if let Some(package) = node.package.as_deref().filter(|_| path.as_str().starts_with(&dir)) {
                owners.entry(package).or_default().push(path);
            }
        }
        let mut modules = Vec::new();
        for (package, paths) in &owners {
            modules.extend(facts(root, cache, package, &dir, paths, threads)?);
        }
        let mut own = self.own_files(root)?;
        let mut text =
            |name: &str| String::from_utf8_lossy(&own.remove(name).unwrap_or_default()).into_owned();
        let (order, builtin) = (text("modules.order"), text("modules.builtin"));
        let modinfo = own.remove("modules.builtin.modinfo").unwrap_or_default();
        let files = KernelFiles { order: &order, builtin: &builtin, builtin_modinfo: &modinfo };
        Ok(Tables::new(modules, files)?)
    }

    /// Depmod's tables as files of the root.
    pub(super) fn own(&self, tables: &Tables) -> Result<Vec<Own>, RootError> {
        let dir = format!("{MODULES}/{}", self.release);
        tables
            .files()
            .into_iter()
            .map(|(name, bytes)| Own::file(&format!("{dir}/{name}"), bytes, 0o644))
            .collect()
    }

    /// Reads what the initramfs needs: the chosen modules and the firmware that they may ask for.
    pub(super) fn take(
        &self,
        root: &Prepared<'_>,
        tables: &Tables,
        chosen: &Selection,
    ) -> Result<Taken, BuildError> {
        let dir = format!("{MODULES}/{}", self.release);
        let mut taken = Taken::default();
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut want = |path: String| {
            if let Some(package) = root.tree().get(&path).and_then(|n| n.package.clone()) {
                wanted.entry(package).or_default().insert(path);
            }
        };
        for module in tables.modules().iter().filter(|m| chosen.modules.contains(&m.name)) {
            want(format!("{dir}/{}", module.path));
            for name in &module.firmware {
                want(format!("{FIRMWARE}/{name}"));
            }
        }
        want(format!("{dir}/modules.builtin"));
        for (package, paths) in wanted {
            root.read_package(&package, |entry, content| {
                let path = entry.path.as_str();
                if !paths.contains(path) {
                    return Ok(());
                }
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                if let Some(name) = entry.path.below(FIRMWARE) {
                    taken.firmware.insert(name.to_owned(), bytes);
                } else if path.ends_with("/modules.builtin") {
                    taken.builtin = String::from_utf8_lossy(&bytes).into_owned();
                } else if let Some(name) = entry.path.below(&dir) {
                    taken.modules.insert(name.to_owned(), bytes);
                }
                Ok(())
            })?;
        }
        Ok(taken)
    }

    /// `modules.order` and its kin of the kernel's own package.
    fn own_files(&self, root: &Prepared<'_>) -> Result<BTreeMap<String, Vec<u8>>, BuildError> {
        let dir = format!("{MODULES}/{}", self.release);
        let mut files = BTreeMap::new();
        root.read_package(&self.package, |entry, content| {
            if let Some(name) =
                entry.path.below(&dir).filter(|n| n.starts_with("modules.") && !n.contains('/'))
            {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                files.insert(name.to_owned(), bytes);
            }
            Ok(())
        })?;
        Ok(files)
    }
}

/// Facts of all modules of one package, from the cache or by reading every module.
fn facts(
    root: &Prepared<'_>,
    cache: &dyn Cache,
    package: &str,
    dir: &str,
    paths: &[&TreePath],
    threads: usize,
) -> Result<Vec<Module>, BuildError> {
    let sha256 = root.packages().find(|(s, _)| s.name == package).map(|(s, _)| s.sha256).unwrap_or_default();
    let mut key = Sha256::new();
    for part in [FORMAT.as_bytes(), &sha256, dir.as_bytes()] {
        key.update(part);
        key.update([0]);
    }
    for path in paths {
        key.update(path.as_str());
        key.update([0]);
    }
    let key = key.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>() + ".facts";
    let broken = |source| RootError::Cache { package: package.to_owned(), source };
    if let Some(object) = cache.open(&key).map_err(broken)? {
        // The frame has a checksum: what was damaged does not decode, and is read anew.
        let decoded = zstd::stream::read::Decoder::new(object).and_then(|mut zstd| {
            let mut bytes = Vec::new();
            zstd.read_to_end(&mut bytes).map(|_n| bytes)
        });
        if let Some(facts) = decoded.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(facts);
        }
    }
    let mut facts = read_modules(root, package, dir, threads)?;
    facts.sort_by(|a, b| a.path.cmp(&b.path));
    let bytes = serde_json::to_vec(&facts).map_err(|e| broken(e.into()))?;
    let mut draft = cache.create().map_err(broken)?;
    let packed = zstd::stream::write::Encoder::new(&mut draft, 1).and_then(|mut zstd| {
        zstd.include_checksum(true)?;
        std::io::Write::write_all(&mut zstd, &bytes)?;
        zstd.finish().map(drop)
    });
    packed.and_then(|()| draft.commit(&key)).map_err(broken)?;
    Ok(facts)
}

/// Reads the modules of a package: one thread unpacks frames, the others decompress and parse.
fn read_modules(
    root: &Prepared<'_>,
    package: &str,
    dir: &str,
    threads: usize,
) -> Result<Vec<Module>, BuildError> {
    let (send, receive) = mpsc::sync_channel::<(String, Vec<u8>)>(16);
    let receive = Mutex::new(receive);
    let facts: Mutex<Vec<Module>> = Mutex::default();
    let failed: Mutex<Option<ModuleError>> = Mutex::default();
    let work = || {
        loop {
            let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((path, bytes)) = next else { break };
            match Module::read(&path, &bytes) {
                Ok(module) => facts.lock().unwrap_or_else(PoisonError::into_inner).push(module),
                Err(error) => {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    // The first by path, so that two builds say the same.
                    if failed.as_ref().is_none_or(|f| error.path < f.path) {
                        *failed = Some(error);
                    }
                }
            }
        }
    };
    let read = std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 64) {
            scope.spawn(work);
        }
        let read = root.read_package(package, |entry, content| {
            let path = entry.path.as_str();
            let Some(path) =
                path.strip_prefix(dir).filter(|p| entry.kind.is_file() && Module::is_module_path(p))
            else {
                return Ok(());
            };
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            send.send((path.to_owned(), bytes)).map_err(std::io::Error::other)
        });
        drop(send);
        read
    });
    read?;
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    Ok(facts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The names that a kernel's initramfs always loads, with what the manifest wanted and the kernel lacks.
pub(super) fn absent_note(release: &str, chosen: &Selection) -> Option<String> {
    let names: Vec<String> = chosen.absent.iter().map(|n| module_name(n)).collect();
    (!names.is_empty()).then(|| format!("kernel {release} has no {}", names.join(", ")))
}
