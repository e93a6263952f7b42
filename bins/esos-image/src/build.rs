//! `build`.
use std::path::{Path, PathBuf};

use esos_bootimg::assemble::{self, AddFile, Binary, Build, Built, Doors};
use esos_bootimg::disk::description::Signer;
use esos_bootimg::disk::image::Layout;
use esos_bootimg::root::DirCache;
use esos_cli::{Exit, Failure, Ui};
use esos_exec::HostRunner;
use esos_hostfs::{FileKind, Files, HostClock, HostFiles};
use esos_units::Bytes;
use serde_json::json;

use crate::args::BuildArgs;
use crate::source::{absolute, manifest, open, read, wanted};
use crate::talk::Talk;

/// `build`.
pub(crate) fn build(args: BuildArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut manifest = manifest(&args.source)?;
    if args.secure_boot {
        manifest.image.extend(assemble::SECURE_BOOT.map(str::to_owned));
    }
    let opened = open(&args.source)?;
    let wanted = wanted(&args.source, &manifest, args.lock.as_deref())?;
    let bin_dir = bin_dir(args.bin_dir.as_deref())?;
    let (init, binaries) = programs(&bin_dir)?;
    let version = args.image_version.clone();
    let version = version.unwrap_or_else(|| format!("{}-{}", env!("CARGO_PKG_VERSION"), args.source.suite));
    let threads = args.jobs.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let out = absolute(&args.out)?;
    let build = Build {
        manifest: &manifest,
        wanted,
        version,
        epoch: source_date()?,
        out: &out,
        init,
        binaries,
        added: added(&args)?,
        ssh_keys: ssh_keys(&args.ssh_key)?,
        debug_kernel: args.debug_kernel.as_deref().map(absolute).transpose()?,
        level: args.level,
        threads: threads.unwrap_or(1).max(1),
        layout: Layout::default(),
        compress: !args.no_compress,
        iso: args.iso,
        minimum: args.minimum_version.clone(),
        signer: signer(&args)?,
        secure_boot: args.secure_boot,
    };
    let frames = DirCache::new(&opened.cache.join("frames"));
    let doors = Doors {
        fetch: &opened.fetch,
        runner: &HostRunner,
        host: &opened.host,
        store: &opened.store,
        frames: &frames,
        clock: &HostClock,
    };
    let built = assemble::build(&build, &doors, &Talk::new(ui))?;
    built.notes.iter().for_each(|note| ui.detail(note));
    report(&built, ui)?;
    Ok(Exit::Done)
}

fn report(built: &Built, ui: &mut Ui) -> Result<(), Failure> {
    let total: f64 = built.times.iter().map(|t| t.took.as_secs_f64()).sum();
    let steps = built.times.iter().map(|t| json!({ "step": t.step.word(), "seconds": t.took.as_secs_f64() }));
    let data = json!({
        "version": built.version,
        "source_date": built.epoch,
        "out": built.out,
        "products": built.products,
        "packages": built.packages.len(),
        "packages_from_cache": built.cached,
        "disk": built.disk,
        "steps": steps.collect::<Vec<_>>(),
        "seconds": total,
    });
    ui.emit("esos.image.build/1", &data, |human| {
        for product in &built.products {
            let place = built.out.join(&product.name);
            human.line(format!("{:>12}  {}", Bytes::new(product.size_bytes).to_string(), place.display()));
        }
        let (packages, cached) = (built.packages.len(), built.cached);
        human.line(format!(
            "{packages} packages ({cached} packed before), {total:.1} s, version {}",
            built.version
        ));
    })
}

/// The source date that the caller wants, after reproducible-builds.org.
fn source_date() -> Result<Option<i64>, Failure> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let wrong =
        |_e| Failure::new(Exit::Usage, format!("SOURCE_DATE_EPOCH is `{text}`, expected seconds since 1970"));
    text.parse().map(Some).map_err(wrong)
}

fn bin_dir(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(dir) = given {
        return absolute(dir);
    }
    let me = std::env::current_exe().ok().and_then(|me| Some(me.parent()?.to_owned()));
    me.ok_or_else(|| {
        Failure::new(Exit::Usage, "cannot find the directory of this program").help("give --bin-dir")
    })
}

/// `/init`, and all programs that begin with `esos`.
fn programs(dir: &Path) -> Result<(Binary, Vec<Binary>), Failure> {
    let files = HostFiles::new(dir);
    let names = files.list("/")?;
    let ours = |name: &String| {
        let word = name.strip_prefix("esos-").unwrap_or(if name == "esos" { "x" } else { "" });
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    let (mut init, mut binaries) = (None, Vec::new());
    for name in names.into_iter().filter(ours) {
        let path = format!("/{name}");
        let meta = files.stat(&path)?;
        if meta.kind != FileKind::File || meta.mode & 0o111 == 0 {
            continue;
        }
        let binary = Binary { bytes: files.read(&path)?, name };
        if binary.name == "esos-init" {
            init = Some(binary);
        } else {
            binaries.push(binary);
        }
    }
    let missing = || {
        let text = format!("no esos-init in {}", dir.display());
        Failure::new(Exit::Unavailable, text)
            .help("`make build` makes all programs; or name their directory with --bin-dir")
    };
    Ok((init.ok_or_else(missing)?, binaries))
}

fn added(args: &BuildArgs) -> Result<Vec<AddFile>, Failure> {
    let mut added = Vec::new();
    for file in &args.add_file {
        let source = absolute(&file.source)?;
        let mode = HostFiles::new("/").stat(&source.to_string_lossy())?.mode;
        // What the umask of this machine took away matters less than whether it is a program.
        let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
        added.push(AddFile { path: file.path.clone(), bytes: read(&file.source)?, mode });
    }
    Ok(added)
}

fn signer(args: &BuildArgs) -> Result<Option<Signer>, Failure> {
    let Some(path) = &args.sign_key else { return Ok(None) };
    let text = |path: &Path| read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
    let password = args.sign_key_password.as_deref().map(text).transpose()?;
    let password = password.as_deref().map(|p| p.trim_end_matches(['\r', '\n']));
    let signer = Signer::new(&path.to_string_lossy(), &text(path)?, password);
    signer.map(Some).map_err(|e| {
        let failure = Failure::from(e).with_exit(Exit::Invalid);
        failure.help("`minisign -G` makes a key; an encrypted one wants --sign-key-password FILE")
    })
}

fn ssh_keys(files: &[PathBuf]) -> Result<String, Failure> {
    let mut keys = String::new();
    for path in files {
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        if text.contains("PRIVATE KEY") {
            let error = Failure::new(Exit::Invalid, format!("{} is a private key", path.display()));
            return Err(error.help("give the public one, which ends in .pub"));
        }
        keys.push_str(text.trim_end());
        keys.push('\n');
    }
    Ok(keys)
}
