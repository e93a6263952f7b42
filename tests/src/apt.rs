//! Packages of this host's Debian, fetched by apt once, unpacked, and kept in the user's cache.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

fn cache() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("esos-tests")
}

fn run(dir: &Path, program: &str, args: &[&str]) -> io::Result<String> {
    let out = Command::new(program).args(args).current_dir(dir).env("LC_ALL", "C").output()?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(io::Error::other(format!("{program}: {}", String::from_utf8_lossy(&out.stderr).trim())))
}

/// Names of packages, found out only when they are needed.
pub type Names<'a> = &'a dyn Fn() -> io::Result<Vec<String>>;

/// What an empty package stands for today.
pub fn first_dependency(package: &str) -> impl Fn() -> io::Result<Vec<String>> {
    move || {
        let names = run(Path::new("/"), "apt-cache", &["depends", package])?;
        let first = names.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        let first = first.ok_or_else(|| io::Error::other(format!("{package} depends on nothing")))?;
        Ok(vec![first.to_owned()])
    }
}

/// A package and those that it depends on, directly or not, whose names begin with one of `prefixes`.
pub fn with_libraries(package: &str, prefixes: &[&str]) -> impl Fn() -> io::Result<Vec<String>> {
    move || {
        let all = ["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-enhances", package];
        let names = run(Path::new("/"), "apt-cache", &all)?;
        let libraries = names
            .lines()
            .filter(|line| prefixes.iter().any(|p| line.starts_with(p)) && *line != package)
            .map(str::to_owned);
        Ok(std::iter::once(package.to_owned()).chain(libraries).collect())
    }
}

/// The directory `name` of the cache with packages unpacked in it; `whole` says whether it holds what is
/// wanted, so that nothing is fetched again.
///
/// # Errors
/// In words, where apt cannot fetch them.
pub fn unpacked(name: &str, packages: Names<'_>, whole: impl Fn(&Path) -> bool) -> Result<PathBuf, String> {
    let dir = cache().join(name);
    if whole(&dir) {
        return Ok(dir);
    }
    fetch(&dir, packages, &whole).map_err(|error| format!("packages through apt: {error}"))?;
    if whole(&dir) { Ok(dir) } else { Err(format!("the packages do not hold what {name} needs")) }
}

fn fetch(dir: &Path, packages: Names<'_>, whole: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let cache = cache();
    fs::create_dir_all(&cache)?;
    let work = tempfile::Builder::new().prefix("fetch-").tempdir_in(&cache)?;
    let names = packages()?;
    let args: Vec<&str> = ["-q", "download"].into_iter().chain(names.iter().map(String::as_str)).collect();
    run(work.path(), "apt-get", &args)?;
    let tree = work.path().join("tree");
    for entry in fs::read_dir(work.path())?.flatten() {
        if entry.path().extension().is_some_and(|e| e == "deb") {
            run(work.path(), "dpkg-deb", &["-x", &entry.path().to_string_lossy(), &tree.to_string_lossy()])?;
        }
    }
    match fs::rename(&tree, dir) {
        // Another test was faster.
        Err(_) if whole(dir) => Ok(()),
        // What stands there is of an older list of packages.
        Err(_) if dir.is_dir() => {
            fs::rename(dir, work.path().join("older"))?;
            fs::rename(&tree, dir)
        }
        result => result,
    }
}
