//! The lock file: which packages, exactly.
use super::package::Pool;
use super::version::Version;
use esos_diag::ParseError;
use esos_fetch::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const HEAD: &str = "# packages.lock 1";

/// One locked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// `amd64`, or `all`.
    pub architecture: String,
    /// The hash of the `.deb`.
    pub sha256: Sha256,
    /// The bytes of the `.deb`.
    pub size: u64,
    /// Which archive carries it.
    pub pool: Pool,
    /// The component there.
    pub component: String,
    /// Its path below the archive, or its file name in the user's directory.
    pub filename: String,
}

/// The packages of an image, by name. `Display` and [`Lock::parse`] are inverses.
///
/// ```
/// use esos_bootimg::archive::Lock;
///
/// let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// let text = format!("\
/// ## packages.lock 1
/// suite trixie
/// architecture amd64
/// bash 5.2.37-2+b5 amd64 {hash} 1497620 main main pool/main/b/bash/bash_5.2.37-2+b5_amd64.deb
/// ");
/// let lock = Lock::parse("packages.lock", &text)?;
/// assert_eq!(lock.to_string(), text);
/// # Ok::<(), esos_diag::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The suite that they are of.
    pub suite: String,
    /// The machine that they are for.
    pub architecture: String,
    /// By name.
    pub packages: BTreeMap<String, Locked>,
    /// Names of those that the image is built with: `tools` behind their line.
    pub tools: BTreeSet<String>,
    /// Names of those that are not in the root: `build-only` behind their line.
    pub build_only: BTreeSet<String>,
    /// Names of those that the modules of `dkms` packages are built with: `dkms` behind their line.
    pub dkms: BTreeSet<String>,
    /// The user's second kernel, which no archive carries: `debug-kernel` behind its line.
    pub debug_kernel: Option<Locked>,
}

impl Lock {
    /// Without packages.
    #[must_use]
    pub fn new(suite: String, architecture: String) -> Self {
        let (tools, build_only, dkms) = Default::default();
        Self { suite, architecture, packages: BTreeMap::new(), tools, build_only, dkms, debug_kernel: None }
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// [`ParseError`] with the line.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ParseError> {
        let mut lock = Self::new(String::new(), String::new());
        let place = |word: &str| (word.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let wrong = |word: &str, expected: &str| ParseError::at(origin, text, place(word), expected);
        if text.lines().next() != Some(HEAD) {
            return Err(ParseError::at(origin, text, 0, format!("`{HEAD}`")));
        }
        for line in text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["suite", suite] => lock.suite = (*suite).to_owned(),
                ["architecture", architecture] => lock.architecture = (*architecture).to_owned(),
                [name, version, architecture, sha256, size, pool, component, filename, role @ ..] => {
                    let debug = role == ["debug-kernel"];
                    let known = ["tools", "build-only", "dkms"];
                    if let Some(other) = role.iter().find(|r| !debug && !known.contains(r)) {
                        let roles = "`tools`, `build-only`, `dkms`, `debug-kernel` alone or nothing";
                        return Err(wrong(other, roles));
                    }
                    lock.set_role(name, |word| role.contains(&word));
                    let locked = Locked {
                        name: (*name).to_owned(),
                        version: version.parse().map_err(|_e| wrong(version, "a version"))?,
                        architecture: (*architecture).to_owned(),
                        sha256: sha256.parse().map_err(|_e| wrong(sha256, "a SHA-256"))?,
                        size: size.parse().map_err(|_e| wrong(size, "a size in bytes"))?,
                        pool: [Pool::Extra, Pool::Main, Pool::Security]
                            .into_iter()
                            .find(|p| p.word() == *pool)
                            .ok_or_else(|| wrong(pool, "one of extra, main, security"))?,
                        component: (*component).to_owned(),
                        filename: (*filename).to_owned(),
                    };
                    if lock.all().any(|p| p.name == *name) || debug && lock.debug_kernel.is_some() {
                        return Err(wrong(name, "each package once, and one debug kernel"));
                    }
                    if debug {
                        lock.debug_kernel = Some(locked);
                    } else {
                        lock.packages.insert(locked.name.clone(), locked);
                    }
                }
                _ => {
                    let eight =
                        "name, version, architecture, SHA-256, size, archive, component and file name";
                    return Err(wrong(line, eight));
                }
            }
        }
        if lock.suite.is_empty() || lock.architecture.is_empty() {
            return Err(ParseError::truncated(origin, text, "lines `suite …` and `architecture …`"));
        }
        Ok(lock)
    }

    /// Notes the role of a package; one that is `build-only` and nothing else is a tool.
    fn set_role(&mut self, name: &str, has: impl Fn(&str) -> bool) {
        if has("tools") || (has("build-only") && !has("dkms")) {
            self.tools.insert(name.to_owned());
        }
        if has("build-only") {
            self.build_only.insert(name.to_owned());
        }
        if has("dkms") {
            self.dkms.insert(name.to_owned());
        }
    }

    /// The words behind the line of a package.
    fn role(&self, name: &str) -> &'static str {
        match (self.tools.contains(name), self.build_only.contains(name), self.dkms.contains(name)) {
            (true, true, true) => " tools build-only dkms",
            (false, true, true) => " build-only dkms",
            (_, true, false) => " build-only",
            (true, false, true) => " tools dkms",
            (true, false, false) => " tools",
            (false, false, true) => " dkms",
            (false, false, false) => "",
        }
    }

    /// Takes packages for another purpose than the root.
    pub(crate) fn take(
        &mut self,
        packages: BTreeMap<String, Locked>,
        purpose: impl Fn(&mut Self) -> &mut BTreeSet<String>,
    ) {
        for (name, package) in packages {
            purpose(self).insert(name.clone());
            if !self.packages.contains_key(&name) {
                self.build_only.insert(name.clone());
                self.packages.insert(name, package);
            }
        }
    }

    /// The release of the kernel in the root, by the name of its package (`linux-image-6.12.48+deb13-amd64`).
    /// `None` where there is none, or several.
    #[must_use]
    pub fn kernel_release(&self) -> Option<&str> {
        let names = self.packages.keys().filter(|name| !self.build_only.contains(*name));
        let release = |name: &'_ str| -> Option<usize> {
            let rest = name.strip_prefix("linux-image-")?;
            let plain = rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.ends_with("-dbg");
            plain.then_some(name.len().saturating_sub(rest.len()))
        };
        let mut found = names.filter_map(|name| name.get(release(name)?..));
        let first = found.next()?;
        found.next().is_none().then(|| first.strip_suffix("-unsigned").unwrap_or(first))
    }

    /// Every package, the debug kernel last.
    fn all(&self) -> impl Iterator<Item = &Locked> {
        self.packages.values().chain(&self.debug_kernel)
    }

    /// What has changed since an older lock, by name.
    #[must_use]
    pub fn diff(&self, older: &Self) -> LockDiff {
        let mut changes = Vec::new();
        let [now, before]: [BTreeMap<_, _>; 2] =
            [self, older].map(|lock| lock.all().map(|p| (p.name.as_str(), p)).collect());
        for (name, &new) in &now {
            match before.get(name) {
                None => changes.push(Change::Added(new.clone())),
                Some(&old) if old.version.as_str() != new.version.as_str() || old.sha256 != new.sha256 => {
                    changes.push(Change::Changed { old: old.clone(), new: new.clone() });
                }
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|(name, _)| !now.contains_key(*name));
        changes.extend(gone.map(|(_, &old)| Change::Removed(old.clone())));
        changes.sort_by(|a, b| a.name().cmp(b.name()));
        LockDiff { changes }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\nsuite {}\narchitecture {}", self.suite, self.architecture)?;
        for (at, p) in self.all().enumerate() {
            let (name, version, arch, pool) = (&p.name, &p.version, &p.architecture, p.pool.word());
            let role = if at == self.packages.len() { " debug-kernel" } else { self.role(name) };
            let (sha256, size, component, file) = (&p.sha256, p.size, &p.component, &p.filename);
            writeln!(f, "{name} {version} {arch} {sha256} {size} {pool} {component} {file}{role}")?;
        }
        Ok(())
    }
}

/// One difference between two locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Added(Locked),
    /// It is no longer there.
    Removed(Locked),
    /// Its version or its contents are others.
    Changed {
        /// As it was.
        old: Locked,
        /// As it is.
        new: Locked,
    },
}

impl Change {
    fn name(&self) -> &str {
        match self {
            Self::Added(p) | Self::Removed(p) | Self::Changed { new: p, .. } => &p.name,
        }
    }
}

/// The differences between two locks, by name. `Display` is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockDiff {
    /// By name.
    pub changes: Vec<Change>,
}

impl fmt::Display for LockDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.changes.iter().map(|c| c.name().len()).max().unwrap_or(0);
        let [mut added, mut removed, mut up, mut down, mut same] = [0usize; 5];
        for change in &self.changes {
            let name = change.name();
            match change {
                Change::Added(new) => {
                    added += 1;
                    writeln!(f, "+ {name:width$}  {}", new.version)?;
                }
                Change::Removed(old) => {
                    removed += 1;
                    writeln!(f, "- {name:width$}  {}", old.version)?;
                }
                Change::Changed { old, new } => {
                    let (count, mark, note) = match new.version.cmp(&old.version) {
                        std::cmp::Ordering::Greater => (&mut up, '^', ""),
                        std::cmp::Ordering::Less => (&mut down, 'v', "  (older)"),
                        std::cmp::Ordering::Equal => (&mut same, '!', "  (same version, other contents)"),
                    };
                    *count += 1;
                    let from = if new.pool == Pool::Security { "  security" } else { "" };
                    writeln!(f, "{mark} {name:width$}  {} -> {}{from}{note}", old.version, new.version)?;
                }
            }
        }
        if self.changes.is_empty() {
            return f.write_str("no changes\n");
        }
        writeln!(f, "{up} newer, {down} older, {same} with other contents, {added} added, {removed} removed")
    }
}

#[cfg(test)]
mod tests {
    use super::super::version::tests::version;
    use super::*;
    use proptest::prelude::*;

    fn locked() -> impl Strategy<Value = Locked> {
        let pool = prop::sample::select(vec![Pool::Extra, Pool::Main, Pool::Security]);
        ("[a-z][a-z0-9+.-]{1,8}", version(), "amd64|all", any::<u64>(), pool, "[a-z/-]{1,9}").prop_map(
            |(name, version, architecture, size, pool, component)| Locked {
                version: version.parse().unwrap(),
                sha256: Sha256::of(name.as_bytes()),
                filename: format!("pool/{name}_{version}.deb"),
                name,
                architecture,
                size,
                pool,
                component,
            },
        )
    }

    fn lock() -> impl Strategy<Value = Lock> {
        let role = prop::sample::subsequence(vec!["tools", "build-only", "dkms"], 0..=3);
        let packages = prop::collection::vec((locked(), role), 0..6);
        (packages, prop::option::of(locked())).prop_map(|(all, debug_kernel)| {
            let mut lock = Lock::new("trixie".to_owned(), "amd64".to_owned());
            for (package, role) in all {
                let name = package.name.clone();
                if lock.packages.insert(name.clone(), package).is_none() {
                    lock.set_role(&name, |word| role.contains(&word));
                }
            }
            lock.debug_kernel = debug_kernel.filter(|k| !lock.packages.contains_key(&k.name));
            lock
        })
    }

    proptest! {
        #[test]
        fn text_and_back(lock in lock()) {
            let text = lock.to_string();
            let read = Lock::parse("l", &text).unwrap();
            prop_assert_eq!(&read, &lock);
            prop_assert_eq!(read.to_string(), text);
        }

        #[test]
        fn a_difference_is_empty_only_for_equals(a in lock(), b in lock()) {
            prop_assert!(a.diff(&a).changes.is_empty());
            let names = |l: &Lock| l.packages.keys().cloned().collect::<Vec<_>>();
            prop_assert_eq!(a.diff(&b).changes.len(), b.diff(&a).changes.len());
            if a.diff(&b).changes.is_empty() {
                prop_assert_eq!(names(&a), names(&b));
            }
        }

        #[test]
        fn never_panics(text in "(# packages.lock 1\n)?[a-z0-9 \n#]{0,60}") {
            let _either = Lock::parse("l", &text);
        }
    }

    #[test]
    fn the_kernel_by_its_package() {
        let lock = |names: &[&str]| {
            let hash = Sha256::of(b"");
            let lines: String = names.iter().map(|n| format!("{n} amd64 {hash} 1 main main f\n")).collect();
            Lock::parse("l", &format!("{HEAD}\nsuite s\narchitecture amd64\n{lines}")).unwrap()
        };
        let meta = "linux-image-amd64 6";
        let one = lock(&[meta, "linux-image-6.12.48+deb13-amd64 6", "linux-image-6.12.48+deb13-amd64-dbg 6"]);
        assert_eq!(one.kernel_release(), Some("6.12.48+deb13-amd64"));
        assert_eq!(lock(&["linux-image-6.1.0-9-amd64-unsigned 6"]).kernel_release(), Some("6.1.0-9-amd64"));
        assert_eq!(lock(&[meta]).kernel_release(), None);
        assert_eq!(lock(&["linux-image-6.1 6", "linux-image-6.2 6"]).kernel_release(), None);
    }

    #[test]
    fn a_readable_difference() {
        let text = |lines: &str| {
            let hash = Sha256::of(b"");
            let lines = lines
                .replace('@', &format!("amd64 {hash} 1"))
                .replace('%', &format!("amd64 {} 1", Sha256::of(b"x")));
            Lock::parse("l", &format!("{HEAD}\nsuite s\narchitecture amd64\n{lines}")).unwrap()
        };
        let old = text(
            "bash 5.1-1 @ main main f\ngone 1 @ main main f\nopenssl 3.0~1 @ main main f\nz 2 @ main main f\nsame 1 @ main main f\n",
        );
        let new = text(
            "bash 5.1-1 % main main f\nfresh 1 @ main main f\nopenssl 3.0-1 % security main f\nz 1 @ main main f\nsame 1 @ main main f\n",
        );
        let expected = "\
! bash     5.1-1 -> 5.1-1  (same version, other contents)
+ fresh    1
- gone     1
^ openssl  3.0~1 -> 3.0-1  security
v z        2 -> 1  (older)
1 newer, 1 older, 1 with other contents, 1 added, 1 removed
";
        assert_eq!(new.diff(&old).to_string(), expected);
        assert_eq!(old.diff(&old).to_string(), "no changes\n");
    }

    #[test]
    fn faults_name_the_line() {
        let wrong = |line: &str| {
            let text = format!("{HEAD}\nsuite s\narchitecture a\n{line}\n");
            Lock::parse("l", &text).unwrap_err().to_string()
        };
        assert!(wrong("a b").starts_with("l:4:1: expected name, version"));
        assert!(wrong("a 1_ all x 1 main main f").starts_with("l:4:3: expected a version"));
        assert!(wrong("a 1 all x 1 main main f").starts_with("l:4:9: expected a SHA-256"));
        assert!(
            Lock::parse("l", "").unwrap_err().to_string().starts_with("l:1:1: expected `# packages.lock 1`")
        );
    }
}
