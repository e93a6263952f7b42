//! Which modules an initramfs needs.
use std::collections::BTreeSet;

use super::depmod::Tables;
use super::module::Module;
use crate::manifest::InitramfsGroup;

/// Modules for an initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// All that go in, by name: those asked for and what they need.
    pub modules: BTreeSet<String>,
    /// Those that are always loaded, in order.
    pub load: Vec<String>,
    /// Names asked for by modalias only that this kernel does not have.
    pub absent: Vec<String>,
}

/// A module that booting cannot do without is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this kernel has no module {module}, which the initramfs loads always ({reason}); name it under `modules` instead of `load` in the manifest if it may be missing"
)]
pub struct ChooseError {
    /// Its name.
    pub module: String,
    /// Why the manifest wants it.
    pub reason: String,
}

impl Tables {
    /// Finds the modules of all groups with everything that they need: by symbols, by softdep and by
    /// weakdep. What is built into the kernel needs nothing.
    ///
    /// # Errors
    /// [`ChooseError`] where a module under `load` is neither there nor built in.
    pub fn choose(&self, groups: &[InitramfsGroup]) -> Result<Selection, ChooseError> {
        let mut selection = Selection::default();
        for group in groups {
            for name in &group.load {
                if let Some(module) = self.module(name) {
                    self.take(module, &mut selection.modules);
                    if !selection.load.contains(&module.name) {
                        selection.load.push(module.name.clone());
                    }
                } else if !self.is_builtin(name) {
                    return Err(ChooseError { module: name.clone(), reason: group.reason.clone() });
                }
            }
            for name in &group.modules {
                match self.module(name) {
                    Some(module) => self.take(module, &mut selection.modules),
                    None if self.is_builtin(name) => {}
                    None => selection.absent.push(name.clone()),
                }
            }
        }
        Ok(selection)
    }

    fn take(&self, module: &Module, taken: &mut BTreeSet<String>) {
        let mut todo = vec![module];
        while let Some(next) = todo.pop() {
            if !taken.insert(next.name.clone()) {
                continue;
            }
            todo.extend(self.dependencies(next));
            for name in soft(next) {
                todo.extend(self.named(name));
            }
        }
    }

    /// The modules that `modprobe` would load for a name: the module of that name, or those with that
    /// alias.
    fn named(&self, name: &str) -> Vec<&Module> {
        if let Some(module) = self.module(name) {
            return vec![module];
        }
        let alias = name.replace('-', "_");
        self.modules().iter().filter(|m| m.aliases.iter().any(|a| a.replace('-', "_") == alias)).collect()
    }
}

/// Names in `softdep` (`pre: a b post: c`) and `weakdep` lines.
fn soft(module: &Module) -> impl Iterator<Item = &str> {
    let lines = module.softdeps.iter().chain(&module.weakdeps);
    lines.flat_map(|line| line.split_whitespace()).filter(|word| !word.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::super::depmod::{KernelFiles, Tables};
    use super::super::module::module_name;
    use super::*;

    fn module(path: &str, exports: &[&str], imports: &[&str]) -> Module {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Module {
            name: module_name(path),
            path: path.to_owned(),
            aliases: vec![],
            softdeps: vec![],
            weakdeps: vec![],
            firmware: vec![],
            exports: owned(exports),
            imports: owned(imports),
        }
    }

    fn group(load: &[&str], modules: &[&str]) -> InitramfsGroup {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        InitramfsGroup {
            load: owned(load),
            modules: owned(modules),
            capture: false,
            reason: "a test".to_owned(),
        }
    }

    fn tables() -> Tables {
        let mut ext4 = module("kernel/ext4.ko", &[], &["jbd2_start"]);
        ext4.softdeps = vec!["pre: crc32c".to_owned()];
        let mut crc = module("kernel/crc32c_generic.ko", &[], &["crc_base"]);
        crc.aliases = vec!["crc32c".to_owned(), "crypto-crc32c".to_owned()];
        let rest = [
            module("kernel/jbd2.ko", &["jbd2_start"], &[]),
            module("kernel/crc_base.ko", &["crc_base"], &[]),
            module("kernel/sound.ko", &[], &[]),
        ];
        let files = KernelFiles { builtin: "kernel/fs/fat/vfat.ko\n", ..Default::default() };
        Tables::new([ext4, crc].into_iter().chain(rest).collect(), files).unwrap()
    }

    #[test]
    fn what_is_needed_comes_along() {
        let chosen = tables().choose(&[group(&["ext4", "vfat"], &["nvme"])]).unwrap();
        assert_eq!(chosen.load, ["ext4"]);
        assert_eq!(chosen.absent, ["nvme"]);
        let names: Vec<&str> = chosen.modules.iter().map(String::as_str).collect();
        assert_eq!(names, ["crc32c_generic", "crc_base", "ext4", "jbd2"]);
    }

    #[test]
    fn what_booting_needs_must_be_there() {
        let error = tables().choose(&[group(&["squashfs"], &[])]).unwrap_err();
        assert!(error.to_string().contains("no module squashfs"), "{error}");
        assert!(error.to_string().contains("a test"));
    }
}
