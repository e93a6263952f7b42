//! The tables that kmod looks modules up in, as depmod makes them.
//!
//! `/lib/modules/<release>/modules.{dep,alias,softdep,weakdep,symbols,devname,builtin}` as text, and the
//! `.bin` indexes that `modprobe` and udev read. Compared with the real depmod by a test over a whole
//! `linux-image` package (kmod 34): every file is byte-equal, but `modules.symbols`, whose lines depmod leaves in
//! the order of its hash table and which are sorted here.
use std::collections::{BTreeMap, HashMap, HashSet};

use super::module::{Module, module_name, uncompressed_path};
use super::trie::Trie;

/// What the package of a kernel ships beside the modules.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelFiles<'a> {
    /// `modules.order`: paths (`kernel/….ko`) in link order.
    pub order: &'a str,
    /// `modules.builtin`: paths of what is built in.
    pub builtin: &'a str,
    /// `modules.builtin.modinfo`: NUL-separated `module.key=value`.
    pub builtin_modinfo: &'a [u8],
}

/// All modules of one kernel with their dependencies worked out.
#[derive(Debug, Clone)]
pub struct Tables {
    modules: Vec<Module>,
    /// Direct dependencies, as indexes.
    deps: Vec<Vec<usize>>,
    /// Position in the topological order: users before what they use.
    rank: Vec<usize>,
    by_name: HashMap<String, usize>,
    symbols: BTreeMap<String, usize>,
    builtin: String,
    builtin_modinfo: Vec<u8>,
}

/// Modules that need each other in a circle, which no kernel can load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kernel modules depend on each other in a circle: {}", .modules.join(", "))]
pub struct CycleError {
    /// The modules on circles, by name.
    pub modules: Vec<String>,
}

impl Tables {
    /// Works out order and dependencies. Of two modules with one name, the one below `updates/` wins,
    /// then the first by path.
    ///
    /// # Errors
    /// [`CycleError`] with the modules that need each other.
    pub fn new(modules: Vec<Module>, files: KernelFiles<'_>) -> Result<Self, CycleError> {
        let modules = in_order(modules, files.order);
        let mut symbols = BTreeMap::new();
        let mut by_name = HashMap::new();
        for (i, module) in modules.iter().enumerate() {
            by_name.insert(module.name.clone(), i);
            for symbol in &module.exports {
                symbols.insert(symbol.clone(), i);
            }
        }
        let deps: Vec<Vec<usize>> = modules.iter().map(|m| direct(m, &symbols)).collect();
        let rank = rank(&deps).map_err(|on_circles| CycleError {
            modules: on_circles.iter().filter_map(|i| modules.get(*i)).map(|m| m.name.clone()).collect(),
        })?;
        let (builtin, builtin_modinfo) = (files.builtin.to_owned(), files.builtin_modinfo.to_owned());
        Ok(Self { modules, deps, rank, by_name, symbols, builtin, builtin_modinfo })
    }

    /// The modules, in link order.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// A module by its name (`-` and `_` are the same).
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules.get(*self.by_name.get(&name.replace('-', "_"))?)
    }

    /// Whether a name is built into the kernel.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        let name = name.replace('-', "_");
        self.builtin.lines().any(|line| module_name(line) == name)
    }

    /// Everything that a module needs, in the order of `modules.dep` (the last is loaded first).
    #[must_use]
    pub fn dependencies(&self, module: &Module) -> Vec<&Module> {
        let all = self.by_name.get(&module.name).map(|i| self.closure(*i)).unwrap_or_default();
        all.into_iter().filter_map(|i| self.modules.get(i)).collect()
    }

    /// All files by name, for `/lib/modules/<release>/`. `modules.order` and `modules.builtin*` come
    /// with the kernel's package and are not repeated.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("modules.alias", self.alias().into_bytes()),
            ("modules.alias.bin", self.alias_bin()),
            ("modules.builtin.alias.bin", self.builtin_alias_bin()),
            ("modules.builtin.bin", self.builtin_bin()),
            ("modules.dep", self.dep().into_bytes()),
            ("modules.dep.bin", self.dep_bin()),
            ("modules.devname", self.devname().into_bytes()),
            ("modules.softdep", self.softdep().into_bytes()),
            ("modules.symbols", self.symbol_text().into_bytes()),
            ("modules.symbols.bin", self.symbol_bin()),
            ("modules.weakdep", self.weakdep().into_bytes()),
        ]
    }

    /// `modules.dep`.
    #[must_use]
    pub fn dep(&self) -> String {
        (0..self.modules.len()).flat_map(|i| [self.dep_line(i), "\n".to_owned()]).collect()
    }

    /// `modules.alias`.
    #[must_use]
    pub fn alias(&self) -> String {
        let lines = self.modules.iter().flat_map(|m| m.aliases.iter().map(move |a| (a, &m.name)));
        let lines = lines.map(|(alias, name)| format!("alias {alias} {name}\n"));
        std::iter::once("# Aliases extracted from modules themselves.\n".to_owned()).chain(lines).collect()
    }

    /// `modules.softdep`.
    #[must_use]
    pub fn softdep(&self) -> String {
        let lines = self.modules.iter().flat_map(|m| m.softdeps.iter().map(move |d| (&m.name, d)));
        let lines = lines.map(|(name, dep)| format!("softdep {name} {dep}\n"));
        let head = "# Soft dependencies extracted from modules themselves.\n".to_owned();
        std::iter::once(head).chain(lines).collect()
    }

    fn weakdep(&self) -> String {
        let lines = self.modules.iter().flat_map(|m| m.weakdeps.iter().map(move |d| (&m.name, d)));
        let lines = lines.map(|(name, dep)| format!("weakdep {name} {dep}\n"));
        let head = "# Weak dependencies extracted from modules themselves.\n".to_owned();
        std::iter::once(head).chain(lines).collect()
    }

    fn symbol_text(&self) -> String {
        let lines = self.symbols.iter().filter_map(|(s, i)| Some((s, self.modules.get(*i)?)));
        let lines = lines.map(|(symbol, m)| format!("alias symbol:{symbol} {}\n", m.name));
        std::iter::once("# Aliases for symbols, used by symbol_request().\n".to_owned())
            .chain(lines)
            .collect()
    }

    fn devname(&self) -> String {
        let lines: String = self.modules.iter().filter_map(devname_line).collect();
        if lines.is_empty() {
            return lines;
        }
        format!("# Device nodes to trigger on-demand module loading.\n{lines}")
    }

    fn dep_bin(&self) -> Vec<u8> {
        let mut trie = Trie::default();
        for (i, module) in self.modules.iter().enumerate() {
            trie.insert(module.name.as_bytes(), self.dep_line(i).as_bytes(), i as u32);
        }
        trie.to_bytes()
    }

    fn alias_bin(&self) -> Vec<u8> {
        let mut trie = Trie::default();
        for (i, module) in self.modules.iter().enumerate() {
            for alias in module.aliases.iter().filter_map(|a| normalized(a)) {
                trie.insert(alias.as_bytes(), module.name.as_bytes(), i as u32);
            }
        }
        trie.to_bytes()
    }

    fn symbol_bin(&self) -> Vec<u8> {
        let mut trie = Trie::default();
        for (symbol, i) in &self.symbols {
            let owner = self.modules.get(*i).map(|m| m.name.as_str()).unwrap_or_default();
            trie.insert(format!("symbol:{symbol}").as_bytes(), owner.as_bytes(), *i as u32);
        }
        trie.to_bytes()
    }

    fn builtin_bin(&self) -> Vec<u8> {
        let mut trie = Trie::default();
        for line in self.builtin.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_alphabetic())) {
            trie.insert(module_name(line).as_bytes(), b"", 0);
        }
        trie.to_bytes()
    }

    fn builtin_alias_bin(&self) -> Vec<u8> {
        let mut trie = Trie::default();
        for line in self.builtin_modinfo.split(|b| *b == 0) {
            let line = String::from_utf8_lossy(line);
            let Some((name, rest)) = line.split_once('.') else { continue };
            let Some(alias) = rest.strip_prefix("alias=").and_then(normalized) else { continue };
            trie.insert(alias.as_bytes(), name.as_bytes(), 0);
        }
        trie.to_bytes()
    }

    fn dep_line(&self, i: usize) -> String {
        let path = |i: usize| self.modules.get(i).map(|m| m.path.as_str()).unwrap_or_default();
        let deps = self.closure(i);
        let deps = deps.into_iter().flat_map(|d| [" ", path(d)]);
        [path(i), ":"].into_iter().chain(deps).collect()
    }

    /// Everything that a module needs, users before what they use.
    fn closure(&self, i: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut seen = HashSet::from([i]);
        let mut todo = vec![i];
        while let Some(next) = todo.pop() {
            for dep in self.deps.get(next).into_iter().flatten() {
                if seen.insert(*dep) {
                    found.push(*dep);
                    todo.push(*dep);
                }
            }
        }
        found.sort_by_key(|i| self.rank.get(*i).copied().unwrap_or_default());
        found
    }
}

/// By their place in `modules.order`, then by path; one module a name.
fn in_order(mut modules: Vec<Module>, order: &str) -> Vec<Module> {
    let place: HashMap<&str, usize> = order.lines().zip(0..).collect();
    modules.sort_by(|a, b| {
        let preferred = |m: &Module| !m.path.starts_with("updates/");
        (&a.name, preferred(a), &a.path).cmp(&(&b.name, preferred(b), &b.path))
    });
    modules.dedup_by(|a, b| a.name == b.name);
    modules.sort_by_cached_key(|m| {
        let place = place.get(uncompressed_path(&m.path).as_str()).copied();
        (place.is_none(), place, m.path.clone())
    });
    modules
}

fn direct(module: &Module, symbols: &BTreeMap<String, usize>) -> Vec<usize> {
    let mut deps: Vec<usize> = Vec::new();
    for symbol in &module.imports {
        // PowerPC writes `.name` for the code behind `name`; depmod does so everywhere.
        let symbol = symbol.strip_prefix('.').unwrap_or(symbol);
        if let Some(owner) = symbols.get(symbol)
            && !deps.contains(owner)
        {
            deps.push(*owner);
        }
    }
    deps
}

/// Position of every module in the topological order that depmod finds with a stack, or the modules
/// on circles.
fn rank(deps: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut users = vec![0usize; deps.len()];
    for dep in deps.iter().flatten() {
        if let Some(n) = users.get_mut(*dep) {
            *n = n.saturating_add(1);
        }
    }
    let unused = users.iter().enumerate().filter(|(_, n)| **n == 0).map(|(i, _)| i);
    let mut roots: Vec<usize> = unused.collect();
    let mut rank = vec![usize::MAX; deps.len()];
    let mut next = 0usize;
    while let Some(root) = roots.pop() {
        if let Some(place) = rank.get_mut(root) {
            *place = next;
            next = next.saturating_add(1);
        }
        for dep in deps.get(root).into_iter().flatten() {
            let Some(n) = users.get_mut(*dep) else { continue };
            *n = n.saturating_sub(1);
            if *n == 0 {
                roots.push(*dep);
            }
        }
    }
    if next == deps.len() {
        return Ok(rank);
    }
    // What is left is on a circle or below one; a module on a circle reaches itself.
    let left: Vec<usize> = (0..deps.len()).filter(|i| rank.get(*i) == Some(&usize::MAX)).collect();
    Err(left.into_iter().filter(|i| reaches(deps, *i)).collect())
}

fn reaches(deps: &[Vec<usize>], start: usize) -> bool {
    let mut seen = HashSet::new();
    let mut todo = vec![start];
    while let Some(next) = todo.pop() {
        for dep in deps.get(next).into_iter().flatten() {
            if *dep == start {
                return true;
            }
            if seen.insert(*dep) {
                todo.push(*dep);
            }
        }
    }
    false
}

/// `-` becomes `_` outside brackets; `None` where brackets do not match.
fn normalized(alias: &str) -> Option<String> {
    let mut out = String::with_capacity(alias.len());
    let mut inside = false;
    for c in alias.chars() {
        match c {
            ']' if !inside => return None,
            ']' => inside = false,
            '[' if !inside => inside = true,
            _ => {}
        }
        out.push(if c == '-' && !inside { '_' } else { c });
    }
    (!inside).then_some(out)
}

fn devname_line(module: &Module) -> Option<String> {
    let (mut devname, mut node) = (None, None);
    for alias in &module.aliases {
        if let Some(name) = alias.strip_prefix("devname:") {
            devname = Some(name);
        } else if let Some(found) = node_numbers(alias, "char-major-", 'c') {
            node = Some(found);
        } else if let Some(found) = node_numbers(alias, "block-major-", 'b') {
            node = Some(found);
        }
        if devname.is_some() && node.is_some() {
            break;
        }
    }
    Some(format!("{} {} {}\n", module.name, devname?, node?))
}

fn node_numbers(alias: &str, prefix: &str, kind: char) -> Option<String> {
    let (major, minor) = alias.strip_prefix(prefix)?.split_once('-')?;
    let digits = minor.find(|c: char| !c.is_ascii_digit()).map_or(Some(minor), |end| minor.get(..end))?;
    let (major, minor) = (major.parse::<u32>().ok()?, digits.parse::<u32>().ok()?);
    Some(format!("{kind}{major}:{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn module(path: &str, exports: &[&str], imports: &[&str]) -> Module {
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

    #[test]
    fn users_stand_before_what_they_use() {
        let modules = vec![
            module("kernel/c.ko", &["c"], &[]),
            module("kernel/b.ko", &["b"], &["c"]),
            module("kernel/a-x.ko", &[], &["b", "c", "printk"]),
        ];
        let tables =
            Tables::new(modules, KernelFiles { order: "kernel/a-x.ko\n", ..Default::default() }).unwrap();
        let text = "kernel/a-x.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko:\n";
        assert_eq!(tables.dep(), text);
        let names = tables.dependencies(tables.module("a-x").unwrap());
        assert_eq!(names.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_circle_is_an_error_with_names() {
        let modules = vec![
            module("a.ko", &["a"], &["b"]),
            module("b.ko", &["b"], &["a"]),
            module("c.ko", &["c"], &[]),
            module("user.ko", &[], &["a"]),
        ];
        let error = Tables::new(modules, KernelFiles::default()).unwrap_err();
        assert_eq!(error.modules, ["a", "b"]);
    }

    #[test]
    fn updates_win_over_the_kernels_own() {
        let modules = vec![module("kernel/drbd.ko.xz", &[], &[]), module("updates/dkms/drbd.ko", &[], &[])];
        let tables = Tables::new(modules, KernelFiles::default()).unwrap();
        assert_eq!(tables.dep(), "updates/dkms/drbd.ko:\n");
    }

    #[test]
    fn device_nodes_need_a_name_and_numbers() {
        let with = |aliases: &[&str]| {
            let mut m = module("fuse.ko", &[], &[]);
            m.aliases = aliases.iter().map(|s| (*s).to_owned()).collect();
            devname_line(&m)
        };
        assert_eq!(with(&["devname:fuse", "char-major-10-229"]).as_deref(), Some("fuse fuse c10:229\n"));
        assert_eq!(with(&["block-major-7-*", "devname:loop-control"]), None);
    }

    #[test]
    fn aliases_are_normalized_outside_brackets() {
        assert_eq!(normalized("a-b[c-d]e-").as_deref(), Some("a_b[c-d]e_"));
        assert_eq!(normalized("a]"), None);
        assert_eq!(normalized("a[b"), None);
    }

    proptest! {
        #[test]
        fn a_dependency_never_stands_before_its_user(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..30)) {
            // Edges from a higher to a lower number: never a circle.
            let modules = (0..12usize).map(|i| {
                let wants: Vec<String> = edges.iter().filter(|(a, b)| *a == i && b < a).map(|(_, b)| format!("s{b}")).collect();
                let wants: Vec<&str> = wants.iter().map(String::as_str).collect();
                module(&format!("m{i}.ko"), &[&format!("s{i}")], &wants)
            }).collect();
            let tables = Tables::new(modules, KernelFiles::default()).unwrap();
            for module in tables.modules() {
                let closure = tables.dependencies(module);
                for (at, dep) in closure.iter().enumerate() {
                    for below in tables.dependencies(dep) {
                        let place = closure.iter().position(|m| m.name == below.name);
                        prop_assert!(place.is_some_and(|p| p > at));
                    }
                }
            }
        }
    }
}
