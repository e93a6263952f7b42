//! The kernels of an image: their modules' facts, tables, and what the initramfs takes of them.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, mpsc};

use sha2::{Digest, Sha256};

use super::BuildError;
use crate::deb::{Kind, TreePath, tar};
use crate::kernel::{KernelFiles, Module, ModuleError, Selection, Tables, module_name};
use crate::root::{Cache, Own, Prepared, RootError, keep, recall};

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
        let text = |name: &str| String::from_utf8_lossy(self.own_file(root, name));
        let (order, builtin) = (text("modules.order"), text("modules.builtin"));
        let modinfo = self.own_file(root, "modules.builtin.modinfo");
        let files = KernelFiles { order: &order, builtin: &builtin, builtin_modinfo: modinfo };
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
        cache: &dyn Cache,
        tables: &Tables,
        chosen: &Selection,
    ) -> Result<Taken, BuildError> {
        let dir = format!("{MODULES}/{}", self.release);
        let builtin = String::from_utf8_lossy(self.own_file(root, "modules.builtin")).into_owned();
        let mut taken = Taken { builtin, ..Taken::default() };
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut want = |path: &TreePath| {
            if let Some(package) = root.tree().get(path.as_str()).and_then(|n| n.package.clone()) {
                wanted.entry(package).or_default().insert(path.to_string());
            }
        };
        // Firmware is often a link to the version that is there; a module asks by the link's name.
        let mut firmware: BTreeMap<TreePath, BTreeSet<&str>> = BTreeMap::new();
        for module in tables.modules().iter().filter(|m| chosen.modules.contains(&m.name)) {
            format!("{dir}/{}", module.path).parse().iter().for_each(&mut want);
            for name in &module.firmware {
                let path: Option<TreePath> = format!("{FIRMWARE}/{name}").parse().ok();
                if let Some(file) = path.and_then(|path| behind_links(root, &path)) {
                    want(&file);
                    firmware.entry(file).or_default().insert(name);
                }
            }
        }
        for (package, paths) in wanted {
            for (path, bytes) in files(root, cache, &package, &paths)? {
                for name in firmware.get(&path).into_iter().flatten() {
                    taken.firmware.insert((*name).to_owned(), bytes.clone());
                }
                if let Some(name) = path.below(&dir) {
                    taken.modules.insert(name.to_owned(), bytes);
                }
            }
        }
        Ok(taken)
    }

    /// `modules.order` and its kin, which come with the kernel's own package.
    fn own_file<'r>(&self, root: &'r Prepared<'_>, name: &str) -> &'r [u8] {
        let package = root.packages().find(|(source, _)| source.name == self.package);
        let files = package.map(|(_, listing)| &listing.files);
        let path = format!("{MODULES}/{}/{name}", self.release);
        files.and_then(|files| files.get(path.as_str())).map_or(&[], Vec::as_slice)
    }
}

/// The file that a path means, symbolic and hard links followed.
fn behind_links(root: &Prepared<'_>, path: &TreePath) -> Option<TreePath> {
    let file = root.tree().resolve(path, 0)?;
    match &root.tree().get(file.as_str())?.entry.kind {
        Kind::HardLink { target } => Some(target.clone()),
        _ => Some(file),
    }
}

/// Files of a package, from the cache or by unpacking all of it.
fn files(
    root: &Prepared<'_>,
    cache: &dyn Cache,
    package: &str,
    paths: &BTreeSet<String>,
) -> Result<BTreeMap<TreePath, Vec<u8>>, RootError> {
    let mut key = Sha256::new();
    key.update(root.packed(package).unwrap_or_default());
    for path in paths {
        key.update([0]);
        key.update(path);
    }
    let key = key.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>() + ".files";
    let broken = |source| RootError::Cache { package: package.to_owned(), source };
    let known = recall(cache, &key).map_err(broken)?;
    let known = known.and_then(|bytes| tar::read_all(package, bytes.as_slice()).ok());
    if let Some(files) = known {
        return Ok(files.into_iter().map(|(path, (_, bytes))| (path, bytes)).collect());
    }
    let (mut files, mut tar) = (BTreeMap::new(), Vec::new());
    root.read_package(package, |entry, content| {
        if paths.contains(entry.path.as_str()) {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            tar.extend(tar::encode(entry));
            tar.extend_from_slice(&bytes);
            tar.resize(tar.len().next_multiple_of(512), 0);
            files.insert(entry.path.clone(), bytes);
        }
        Ok(())
    })?;
    tar.extend(tar::END);
    keep(cache, &key, &tar).map_err(broken)?;
    Ok(files)
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
    let known = recall(cache, &key).map_err(broken)?;
    if let Some(facts) = known.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(facts);
    }
    let mut facts = read_modules(root, package, dir, threads)?;
    facts.sort_by(|a, b| a.path.cmp(&b.path));
    let bytes = serde_json::to_vec(&facts).map_err(|e| broken(e.into()))?;
    keep(cache, &key, &bytes).map_err(broken)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::DebWriter;
    use crate::root::{MemCache, Options, PackageSource, RootBuilder, Silent};

    fn source(name: &str, fill: impl FnOnce(&mut DebWriter)) -> PackageSource {
        let mut deb = DebWriter::new(&format!("Package: {name}\nVersion: 1\nArchitecture: all\n"));
        fill(&mut deb);
        PackageSource::from_bytes(name, "1", deb.finish())
    }

    #[test]
    fn firmware_behind_a_link_comes_under_the_name_that_is_asked_for() {
        let kernel = source("linux-image-6.1", |deb| {
            deb.file("boot/vmlinuz-6.1", b"kernel", 0o644);
            deb.file("lib/modules/6.1/kernel/a.ko", b"module", 0o644);
            deb.file("lib/modules/6.1/modules.builtin", b"kernel/b.ko\n", 0o644);
        });
        let firmware = source("firmware-x", |deb| {
            deb.file("lib/firmware/x/fw-1.27.bin", b"the firmware", 0o644);
            deb.symlink("lib/firmware/x/fw.bin", "fw-1.27.bin");
            deb.symlink("lib/firmware/y", "x");
        });
        let cache = MemCache::default();
        let builder = RootBuilder::new(Options::new(1_700_000_000)).package(kernel).package(firmware);
        let root = builder.prepare(&cache, &Silent).unwrap();
        let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let module = Module {
            name: "a".to_owned(),
            path: "kernel/a.ko".to_owned(),
            firmware: named(&["x/fw.bin", "y/fw.bin", "x/fw-1.27.bin", "not/there.bin"]),
            aliases: Vec::new(),
            softdeps: Vec::new(),
            weakdeps: Vec::new(),
            exports: Vec::new(),
            imports: Vec::new(),
        };
        let tables = Tables::new(vec![module], KernelFiles::default()).unwrap();
        let chosen = Selection { modules: BTreeSet::from(["a".to_owned()]), ..Selection::default() };
        let found = find(&root);
        // The second time out of the cache.
        for _ in 0..2 {
            let taken = found[0].take(&root, &cache, &tables, &chosen).unwrap();
            assert_eq!(taken.modules, BTreeMap::from([("kernel/a.ko".to_owned(), b"module".to_vec())]));
            assert_eq!(
                taken.firmware.keys().cloned().collect::<Vec<_>>(),
                ["x/fw-1.27.bin", "x/fw.bin", "y/fw.bin"]
            );
            assert!(taken.firmware.values().all(|bytes| bytes == b"the firmware"));
            assert_eq!(taken.builtin, "kernel/b.ko\n");
        }
        assert!(cache.keys().iter().any(|key| key.ends_with(".files")));
    }
}
