//! What an index says of packages, and all packages that there are to choose from.
use super::deb822::{Comments, Paragraph, paragraphs};
use super::relation::{self, Dependency};
use super::version;
use esos_diag::ParseError;
use esos_fetch::Sha256;
use std::collections::{BTreeMap, HashMap};

/// Which archive a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// A directory given by the user.
    Extra,
    /// The archive of the suite and its updates, or the directory given instead of it.
    Main,
    /// The archive of security updates.
    Security,
}

impl Pool {
    /// The word in lock files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Extra => "extra",
            Self::Main => "main",
            Self::Security => "security",
        }
    }
}

/// One package as its index describes it, borrowed from the index.
#[derive(Debug, Clone)]
pub struct Package<'t> {
    /// `Package`
    pub name: &'t str,
    /// `Version`, checked.
    pub version: &'t str,
    /// `Architecture`
    pub architecture: &'t str,
    /// `Essential: yes`
    pub essential: bool,
    /// `Priority`, such as `required`.
    pub priority: &'t str,
    /// `Depends` and `Pre-Depends`, as written.
    pub depends: [&'t str; 2],
    /// `Conflicts` and `Breaks`, as written.
    pub conflicts: [&'t str; 2],
    /// `Provides`, as written.
    pub provides: &'t str,
    /// `Filename`: the path below the archive.
    pub filename: &'t str,
    /// `Size` in bytes.
    pub size: u64,
    /// `SHA256`
    pub sha256: Sha256,
    /// Where it comes from.
    pub pool: Pool,
    /// The component whose index it stands in.
    pub component: &'t str,
}

impl std::fmt::Display for Package<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Reads an index (`Packages`). Packages of other architectures are left out.
///
/// # Errors
/// [`ParseError`] with the line: syntax, a missing field, a version, size or hash that is none.
pub fn parse_index<'t>(
    origin: &'t str,
    text: &'t str,
    architecture: &str,
    pool: Pool,
    component: &'t str,
) -> Result<Vec<Package<'t>>, ParseError> {
    // About 780 bytes a package in Debian's main.
    let mut packages = Vec::with_capacity(text.len() / 700);
    for paragraph in paragraphs(origin, text, Comments::Refused) {
        let paragraph = paragraph?;
        let package = package(origin, text, &paragraph, pool, component)?;
        if package.architecture == architecture || package.architecture == "all" {
            packages.push(package);
        }
    }
    Ok(packages)
}

/// The fields that count, in the order in which [`package`] takes them apart.
const NAMES: [&str; 13] = [
    "Package",
    "Version",
    "Architecture",
    "Essential",
    "Priority",
    "Depends",
    "Pre-Depends",
    "Conflicts",
    "Breaks",
    "Provides",
    "Filename",
    "Size",
    "SHA256",
];

fn package<'t>(
    origin: &str,
    text: &'t str,
    paragraph: &Paragraph<'t>,
    pool: Pool,
    component: &'t str,
) -> Result<Package<'t>, ParseError> {
    let mut values = [""; NAMES.len()];
    for field in paragraph.fields() {
        let slot = NAMES.iter().position(|name| name.eq_ignore_ascii_case(field.name));
        if let Some(value) = slot.and_then(|slot| values.get_mut(slot)) {
            *value = field.value;
        }
    }
    let [
        name,
        version,
        architecture,
        essential,
        priority,
        depends,
        pre,
        conflicts,
        breaks,
        provides,
        filename,
        size,
        hash,
    ] = values;
    let missing =
        |name| ParseError::at(origin, text, paragraph.offset, format!("a paragraph with `{name}:`"));
    for (value, name) in [
        (name, "Package"),
        (version, "Version"),
        (architecture, "Architecture"),
        (filename, "Filename"),
        (size, "Size"),
        (hash, "SHA256"),
    ] {
        if value.is_empty() {
            return Err(missing(name));
        }
    }
    let place = |value: &str| (value.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let wrong = |value: &str, expected: &str| ParseError::at(origin, text, place(value), expected);
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b)) {
        return Err(wrong(name, "a package name (letters, digits, + - .)"));
    }
    version::check(version).map_err(|e| wrong(version, &format!("a version: {}", e.why)))?;
    Ok(Package {
        name,
        version,
        architecture,
        essential: essential == "yes",
        priority,
        depends: [pre, depends],
        conflicts: [conflicts, breaks],
        provides,
        filename,
        size: size.parse().map_err(|_e| wrong(size, "a number of bytes"))?,
        sha256: hash.parse().map_err(|_e| wrong(hash, "a SHA-256"))?,
        pool,
        component,
    })
}

/// What a package demands and offers, read from its fields.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// `Pre-Depends` and `Depends`.
    pub depends: Vec<Dependency>,
    /// `Conflicts` and `Breaks`, each with the name of its field.
    pub conflicts: Vec<(&'static str, relation::Relation)>,
    /// `Provides`: name and version.
    pub provides: Vec<(String, Option<String>)>,
}

impl Package<'_> {
    /// Reads the package's relation fields.
    ///
    /// # Errors
    /// [`ParseError`] naming the package and the field.
    pub fn demands(&self) -> Result<Demands, ParseError> {
        let read = |field: &str, text: &str| relation::parse(&format!("{self}: {field}"), text);
        let [pre, depends] = self.depends;
        let mut demands = Demands { depends: read("Pre-Depends", pre)?, ..Demands::default() };
        demands.depends.extend(read("Depends", depends)?);
        for (field, text) in ["Conflicts", "Breaks"].into_iter().zip(self.conflicts) {
            // Alternatives make no sense here; dpkg refuses them.
            let listed = read(field, text)?.into_iter().flat_map(|d| d.alternatives);
            demands.conflicts.extend(listed.map(|r| (field, r)));
        }
        let provided = read("Provides", self.provides)?.into_iter().flat_map(|d| d.alternatives);
        demands.provides =
            provided.map(|r| (r.name, r.version.map(|(_, version)| version.to_string()))).collect();
        Ok(demands)
    }
}

/// A place in [`Universe::packages`].
pub type PackageId = usize;

/// All packages to choose from.
#[derive(Debug)]
pub struct Universe<'t> {
    packages: Vec<Package<'t>>,
    /// By name, the best version first.
    by_name: HashMap<&'t str, Vec<PackageId>>,
    /// By a name that they provide, in the order of package names.
    providers: HashMap<&'t str, Vec<(PackageId, Option<&'t str>)>>,
}

impl<'t> Universe<'t> {
    /// Of all packages of all indexes. A package that stands in several with one version is taken from the
    /// user's directory first, then from the main archive.
    ///
    /// # Errors
    /// [`ParseError`] for a `Provides` field that makes no sense.
    pub fn new(packages: Vec<Package<'t>>) -> Result<Self, ParseError> {
        let mut by_name: HashMap<&str, Vec<PackageId>> = HashMap::with_capacity(packages.len());
        for (id, package) in packages.iter().enumerate() {
            by_name.entry(package.name).or_default().push(id);
        }
        let mut universe = Self { packages, by_name: HashMap::new(), providers: HashMap::new() };
        for ids in by_name.values_mut().filter(|ids| ids.len() > 1) {
            let key =
                |id: &PackageId| universe.packages.get(*id).map(|p| (p.version, p.pool, p.architecture));
            ids.sort_by(|a, b| match (key(a), key(b)) {
                (Some((va, pa, aa)), Some((vb, pb, ab))) => {
                    version::compare(vb, va).then(pa.cmp(&pb)).then(aa.cmp(ab)).then(a.cmp(b))
                }
                _ => a.cmp(b),
            });
            ids.dedup_by(|b, a| match (key(a), key(b)) {
                (Some((va, ..)), Some((vb, ..))) => version::compare(va, vb).is_eq(),
                _ => false,
            });
        }
        universe.by_name = by_name;
        let mut providers: BTreeMap<&str, Vec<(PackageId, Option<&str>)>> = BTreeMap::new();
        for ids in universe.by_name.values() {
            for id in ids {
                let Some(package) = universe.packages.get(*id).filter(|p| !p.provides.is_empty()) else {
                    continue;
                };
                let mut wrong = false;
                for item in package.provides.split(',').map(str::trim).filter(|i| !i.is_empty()) {
                    match provided(item) {
                        Some((name, version)) => providers.entry(name).or_default().push((*id, version)),
                        None => wrong = true,
                    }
                }
                if wrong {
                    // The real grammar says what is wrong; what it accepts (`a:any`) nobody can provide.
                    relation::parse(&format!("{package}: Provides"), package.provides)?;
                }
            }
        }
        for list in providers.values_mut() {
            list.sort_by(|a, b| match (universe.packages.get(a.0), universe.packages.get(b.0)) {
                (Some(p), Some(q)) => rank(p.priority)
                    .cmp(&rank(q.priority))
                    .then_with(|| p.name.cmp(q.name))
                    .then_with(|| version::compare(q.version, p.version))
                    .then(a.0.cmp(&b.0)),
                _ => a.0.cmp(&b.0),
            });
        }
        universe.providers = providers.into_iter().collect();
        Ok(universe)
    }

    /// How many packages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn packages(&self) -> &[Package<'t>] {
        &self.packages
    }

    /// One of them.
    #[must_use]
    pub fn package(&self, id: PackageId) -> Option<&Package<'t>> {
        self.packages.get(id)
    }

    /// Those of a name, the best version first.
    #[must_use]
    pub fn named(&self, name: &str) -> &[PackageId] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Those that provide a name, with the version that they provide it as; more important ones first.
    #[must_use]
    pub fn providers(&self, name: &str) -> &[(PackageId, Option<&'t str>)] {
        self.providers.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

fn rank(priority: &str) -> u8 {
    match priority {
        "required" => 0,
        "important" => 1,
        "standard" => 2,
        "optional" => 3,
        _ => 4,
    }
}

/// `name` or `name (= version)`.
fn provided(item: &str) -> Option<(&str, Option<&str>)> {
    let Some((name, rest)) = item.split_once('(') else {
        return Some((item, None)).filter(|(n, _)| !n.contains([' ', ':', '|', '[']));
    };
    let version = rest.strip_suffix(')')?.trim().strip_prefix('=')?.trim();
    Some((name.trim(), Some(version)))
        .filter(|(n, v)| !n.contains([' ', ':', '|']) && v.is_some_and(|v| version::check(v).is_ok()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An index paragraph from the fields that matter.
    pub(crate) fn paragraph(name: &str, version: &str, more: &str) -> String {
        let hash = Sha256::of(format!("{name} {version}").as_bytes());
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{more}Filename: pool/main/{name}_{version}.deb\nSize: 10\nSHA256: {hash}\n\n"
        )
    }

    #[test]
    fn fields_and_order() {
        let text = [
            paragraph("b", "1.0", "Provides: v (= 2), w\nPriority: optional\n"),
            paragraph("b", "1.10", ""),
            paragraph("a", "1", "Provides: v\nEssential: yes\nPriority: extra\n"),
            paragraph("arm", "1", "").replace("amd64", "arm64"),
        ]
        .concat();
        let universe = Universe::new(parse_index("P", &text, "amd64", Pool::Main, "main").unwrap()).unwrap();
        assert_eq!(universe.len(), 3);
        assert_eq!(universe.named("b"), [1, 0]);
        assert_eq!(universe.providers("v"), [(0, Some("2")), (2, None)]);
        assert!(universe.package(2).unwrap().essential);
        assert!(universe.named("arm").is_empty());
    }

    #[test]
    fn the_users_own_package_wins_a_tie() {
        let text = paragraph("b", "1", "");
        let mut all = parse_index("P", &text, "amd64", Pool::Security, "main").unwrap();
        all.extend(parse_index("E", &text, "amd64", Pool::Extra, "extra").unwrap());
        assert_eq!(Universe::new(all).unwrap().named("b"), [1]);
    }

    #[test]
    fn faults_name_the_line() {
        let wrong = |from: &str, to: &str| {
            let text = format!(
                "{}{}",
                paragraph("ok", "1", ""),
                paragraph("b", "1-1", "Depends: x\n").replace(from, to)
            );
            parse_index("P", &text, "amd64", Pool::Main, "main").unwrap_err().to_string()
        };
        assert!(
            wrong("Version: 1-1", "Version: 1_1").starts_with("P:9:10: expected a version: only letters")
        );
        assert!(wrong("Size: 10", "Size: -1").starts_with("P:13:7: expected a number of bytes"));
        assert!(wrong("Filename", "File").starts_with("P:8:1: expected a paragraph with `Filename:`"));
        assert!(wrong("Package: b", "Package: b/../x").starts_with("P:8:10: expected a package name"));
        let text = paragraph("b", "1", "Provides: v (>> 1\n");
        let all = parse_index("P", &text, "amd64", Pool::Main, "main").unwrap();
        assert!(Universe::new(all).unwrap_err().to_string().starts_with("b 1: Provides:1:"));
    }
}
