//! Building.
use super::room::Room;
use super::{Conf, DkmsError};
use crate::deb::DebWriter;
use crate::kernel::Module;
use crate::root::{Cache, PackageSource};
use esos_exec::{Cmd, Exit, Output, Runner};
use esos_hostfs::{FileKind, Files, HostFiles};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Changes whenever the same packages would give other modules.
const FORMAT: &str = "dkms-1";
/// How long one dkms package may take; SCST takes minutes on a slow machine.
const LIMIT: Duration = Duration::from_secs(3600);
/// Lines of the compiler's log that an error shows.
const TAIL: usize = 40;
const UNSHARE: &str = "/usr/bin/unshare";
/// Runs as root of the namespace, on the build host: devices and `/proc` for the build root, then into it.
const ENTER: &str = r#"set -eu
root=$1; shift
for node in null zero full random urandom; do
  : >"$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
[ -e "$root/dev/fd" ] || ln -s /proc/self/fd "$root/dev/fd"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TZ=UTC \
  SOURCE_DATE_EPOCH=0 KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=esos KBUILD_BUILD_HOST=esos "$@"
"#;

/// One package of the build root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The hash of its file.
    pub sha256: [u8; 32],
    /// The file.
    pub deb: PathBuf,
}

/// What is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order<'o> {
    /// The release of the kernel.
    pub release: &'o str,
    /// The packages of the build root, those with the sources among them.
    pub parts: Vec<Part>,
    /// Compilers at a time.
    pub threads: usize,
    /// A directory that does not exist yet; it stays until whoever made its parent removes it.
    pub room: &'o Path,
}

/// Sources in `/usr/src`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    name: String,
    version: String,
    needs: Vec<String>,
}

/// Builds all modules, or takes them from the cache: a package with `usr/lib/modules/RELEASE/updates/dkms`.
/// The flag is whether they were there already.
///
/// # Errors
/// [`DkmsError`], of a compiler with the tail of its log.
pub fn build(
    order: &Order<'_>,
    runner: &dyn Runner,
    cache: &dyn Cache,
    step: &dyn Fn(&str),
) -> Result<(PackageSource, bool), DkmsError> {
    let key = key(order);
    let name = format!("dkms-modules-{}", order.release);
    if let Some(bytes) = kept(cache, &key)? {
        return Ok((PackageSource::from_bytes(&name, "1", bytes), true));
    }
    step("the build root is unpacked");
    let mut room = Room::new(order.room)?;
    for part in &order.parts {
        room.unpack(&part.name, &part.deb)?;
    }
    let names: Vec<&str> = order.parts.iter().map(|p| p.name.as_str()).collect();
    room.finish(&names)?;
    let files = HostFiles::new(order.room);
    let sources = in_order(sources(&files)?)?;
    for source in &sources {
        let module = format!("{}/{}", source.name, source.version);
        step(&format!("{module} is built for {}", order.release));
        let dkms = |words: &[&str]| {
            let words = words.iter().copied().chain(["-m", &source.name, "-v", &source.version]);
            enter(order, runner, words.map(str::to_owned).collect())
        };
        let added = dkms(&["add"])?;
        check(order, &files, source, &added)?;
        let threads = order.threads.clamp(1, 64).to_string();
        let built = dkms(&["install", "--no-depmod", "-k", order.release, "-a", "x86_64", "-j", &threads])?;
        check(order, &files, source, &built)?;
    }
    let deb = pack(order, &files, &name, &sources)?;
    keep(cache, &key, &deb)?;
    Ok((PackageSource::from_bytes(&name, "1", deb), false))
}

fn key(order: &Order<'_>) -> String {
    let mut parts: Vec<&Part> = order.parts.iter().collect();
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    for text in [FORMAT, order.release, ENTER] {
        hash.update(text);
        hash.update([0]);
    }
    for part in parts {
        hash.update(&part.name);
        hash.update([0]);
        hash.update(part.sha256);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>() + ".dkms"
}

/// What the cache has; what was damaged does not unpack, and counts as missing.
fn kept(cache: &dyn Cache, key: &str) -> Result<Option<Vec<u8>>, DkmsError> {
    let Some(object) = cache.open(key).map_err(DkmsError::Cache)? else { return Ok(None) };
    let unpacked = zstd::stream::read::Decoder::new(object).and_then(|mut zstd| {
        let mut bytes = Vec::new();
        zstd.read_to_end(&mut bytes).map(|_n| bytes)
    });
    Ok(unpacked.ok())
}

fn keep(cache: &dyn Cache, key: &str, bytes: &[u8]) -> Result<(), DkmsError> {
    let mut draft = cache.create().map_err(DkmsError::Cache)?;
    let packed = zstd::stream::write::Encoder::new(&mut draft, 3).and_then(|mut zstd| {
        zstd.include_checksum(true)?;
        zstd.write_all(bytes)?;
        zstd.finish().map(drop)
    });
    packed.and_then(|()| draft.commit(key)).map_err(DkmsError::Cache)
}

fn sources(files: &HostFiles) -> Result<Vec<Source>, DkmsError> {
    let mut found = Vec::new();
    for dir in files.list("/usr/src")? {
        let Ok(text) = files.read(&format!("/usr/src/{dir}/dkms.conf")) else { continue };
        let conf = Conf::read(&String::from_utf8_lossy(&text));
        let (Some(name), Some(version)) = (conf.name, conf.version) else {
            return Err(DkmsError::NoName { dir });
        };
        found.push(Source { name, version, needs: conf.needs });
    }
    if found.is_empty() { Err(DkmsError::NoSource) } else { Ok(found) }
}

/// What others need first, otherwise by name.
fn in_order(mut left: Vec<Source>) -> Result<Vec<Source>, DkmsError> {
    let mut ordered: Vec<Source> = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    while !left.is_empty() {
        let ready = left.iter().position(|s| s.needs.iter().all(|n| done.contains(n)));
        let Some(at) = ready else {
            let first = left.swap_remove(0);
            let needs = first.needs.iter().filter(|n| !done.contains(*n)).cloned().collect::<Vec<_>>();
            return Err(DkmsError::Needs { module: first.name, needs: needs.join(", ") });
        };
        let next = left.remove(at);
        done.insert(next.name.clone());
        ordered.push(next);
    }
    Ok(ordered)
}

fn enter(order: &Order<'_>, runner: &dyn Runner, words: Vec<String>) -> Result<Output, DkmsError> {
    let namespaces = ["--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts"];
    let cmd = Cmd::new(UNSHARE)
        .args(namespaces)
        .args(["--fork", "--kill-child", "/bin/sh", "-c", ENTER, "esos-image"])
        .arg(order.room.as_os_str())
        .arg("/usr/sbin/dkms")
        .args(words)
        .limit(LIMIT);
    let output = runner.run(&cmd)?;
    let said = output.error_text();
    match said.lines().find(|l| l.starts_with("unshare: ")) {
        Some(line) if !output.status.success() => Err(DkmsError::NoNamespace { said: line.to_owned() }),
        _ => Ok(output),
    }
}

fn check(order: &Order<'_>, files: &HostFiles, source: &Source, output: &Output) -> Result<(), DkmsError> {
    let module = format!("{}/{}", source.name, source.version);
    let kernel = order.release.to_owned();
    match output.status {
        Exit::Code(0) => Ok(()),
        Exit::Code(77) => Err(DkmsError::Excluded { module, kernel }),
        status => {
            let place = format!("/var/lib/dkms/{module}/build/make.log");
            let log = files.read(&place).unwrap_or_default();
            let log = String::from_utf8_lossy(&log).into_owned();
            let said = format!("{}\n{}", output.text(), output.error_text());
            let log = tail(if log.trim().is_empty() { &said } else { &log });
            Err(DkmsError::Failed { module, kernel, status: status.to_string(), log })
        }
    }
}

/// The last lines, but from a compiler's first error on where that stands before them.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let end = lines.len().saturating_sub(TAIL);
    let error = lines.iter().position(|l| l.contains("error:") || l.contains("*** "));
    let start = error.map_or(end, |e| e.saturating_sub(3).min(end));
    lines.iter().skip(start).take(TAIL).map(|l| format!("  {l}\n")).collect::<String>().trim_end().to_owned()
}

/// The modules as a package, whose bytes depend on nothing else.
fn pack(order: &Order<'_>, files: &HostFiles, name: &str, sources: &[Source]) -> Result<Vec<u8>, DkmsError> {
    let base = format!("/usr/lib/modules/{}/updates/dkms", order.release);
    let mut todo = vec![base.clone()];
    let mut found = BTreeSet::new();
    while let Some(dir) = todo.pop() {
        for entry in files.list(&dir).unwrap_or_default() {
            let path = format!("{dir}/{entry}");
            match files.stat(&path)?.kind {
                FileKind::Dir => todo.push(path),
                FileKind::File if Module::is_module_path(&path) => _ = found.insert(path),
                _ => {}
            }
        }
    }
    if found.is_empty() {
        let all: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
        return Err(DkmsError::Nothing { module: all.join(", "), kernel: order.release.to_owned() });
    }
    let control = format!("Package: {name}\nVersion: 1\nArchitecture: amd64\n");
    let mut deb = DebWriter::new(&control);
    for path in found {
        deb.file(path.trim_start_matches('/'), &files.read(&path)?, 0o644);
    }
    Ok(deb.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::MemCache;
    use esos_exec::ExecError;
    use esos_hostfs::TempDir;
    use std::cell::RefCell;

    /// dkms as its callers see it: what `install` leaves behind.
    struct Dkms<'d> {
        room: &'d Path,
        status: i32,
        said: RefCell<Vec<String>>,
    }

    impl Runner for Dkms<'_> {
        fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
            let words: Vec<String> =
                cmd.arguments().iter().map(|a| a.to_string_lossy().into_owned()).collect();
            let at = words.iter().position(|w| w == "/usr/sbin/dkms").unwrap();
            let call = words[at + 1..].join(" ");
            let files = HostFiles::new(self.room);
            let mut status = 0;
            if call.starts_with("install") {
                status = self.status;
                files.make_dir("/usr/lib/modules/6.1.0-1-amd64/updates/dkms/sub").unwrap();
                files.replace("/usr/lib/modules/6.1.0-1-amd64/updates/dkms/sub/a.ko", b"m", 0o644).unwrap();
                files.make_dir("/var/lib/dkms/a/1.0/build").unwrap();
                files
                    .replace("/var/lib/dkms/a/1.0/build/make.log", b"x\na.c:1: error: no\nlast\n", 0o644)
                    .unwrap();
            }
            self.said.borrow_mut().push(call);
            Ok(Output { status: Exit::Code(status), stdout: Vec::new(), stderr: Vec::new() })
        }
    }

    fn source_deb(dir: &TempDir) -> Vec<Part> {
        let mut deb = DebWriter::new("Package: a-dkms\nVersion: 1\nArchitecture: all\n");
        deb.file("usr/src/a-1.0/dkms.conf", b"PACKAGE_NAME=a\nPACKAGE_VERSION=1.0\n", 0o644);
        HostFiles::new(dir.path()).replace("/a.deb", &deb.finish(), 0o644).unwrap();
        vec![Part { name: "a-dkms".into(), sha256: [1; 32], deb: dir.path().join("a.deb") }]
    }

    #[test]
    fn modules_are_built_once_and_kept() {
        let dir = TempDir::new("dkms").unwrap();
        let room = dir.path().join("room");
        let order = Order { release: "6.1.0-1-amd64", parts: source_deb(&dir), threads: 2, room: &room };
        let dkms = Dkms { room: &room, status: 0, said: RefCell::default() };
        let cache = MemCache::default();
        let (first, cached) = build(&order, &dkms, &cache, &|_| {}).unwrap();
        assert!(!cached && first.name == "dkms-modules-6.1.0-1-amd64");
        let said = dkms.said.borrow().clone();
        assert_eq!(said[0], "add -m a -v 1.0");
        assert_eq!(said[1], "install --no-depmod -k 6.1.0-1-amd64 -a x86_64 -j 2 -m a -v 1.0");
        let (second, cached) = build(&order, &dkms, &cache, &|_| {}).unwrap();
        assert!(cached && second.sha256 == first.sha256);
        assert_eq!(dkms.said.borrow().len(), 2, "nothing was run again");
    }

    #[test]
    fn a_compiler_that_fails_is_quoted() {
        let dir = TempDir::new("dkms").unwrap();
        let room = dir.path().join("room");
        let order = Order { release: "6.1.0-1-amd64", parts: source_deb(&dir), threads: 1, room: &room };
        let run = |status| {
            let dkms = Dkms { room: &room, status, said: RefCell::default() };
            build(&order, &dkms, &MemCache::default(), &|_| {}).unwrap_err().to_string()
        };
        let text = run(10);
        assert!(
            text.contains("a/1.0") && text.contains("a.c:1: error: no") && text.contains("exit status 10"),
            "{text}"
        );
        assert!(run(77).contains("BUILD_EXCLUSIVE"));
    }

    #[test]
    fn what_is_needed_comes_first() {
        let source = |name: &str, needs: &[&str]| Source {
            name: name.into(),
            version: "1".into(),
            needs: needs.iter().map(|n| (*n).to_owned()).collect(),
        };
        let ordered = in_order(vec![source("a", &["z"]), source("z", &[]), source("m", &[])]).unwrap();
        let names: Vec<&str> = ordered.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["m", "z", "a"]);
        let error = in_order(vec![source("a", &["b"]), source("b", &["a"])]).unwrap_err();
        assert!(error.to_string().contains("BUILD_DEPENDS"), "{error}");
    }

    #[test]
    fn a_long_log_is_cut_from_its_first_error_on() {
        let long: String =
            (0..200).map(|n| if n == 20 { "x.c: error: e\n".into() } else { format!("{n}\n") }).collect();
        let tail = tail(&long);
        assert!(tail.starts_with("  17\n") && tail.contains("error: e") && tail.lines().count() == TAIL);
    }
}
