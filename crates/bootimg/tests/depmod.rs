//! Our tables against the real depmod's, over a whole `linux-image` package.
//!
//! `ESOS_TEST_KERNEL_DEB` names the package and `ESOS_TEST_DEPMOD` the depmod (`/sbin/depmod` where it is
//! unset); dpkg-deb must be there. Without them the test says that it skipped. Where a table differs,
//! ours is left in `ESOS_TEST_KEEP`.
//!
//! Depmod 30 writes the nodes of its `.bin` files in another order (children first); what
//! they say is compared with versions before 34 by size only.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test runs the peer and reads its files"
)]
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use esos_bootimg::kernel::{KernelFiles, Module, Tables};

#[test]
fn tables_are_those_of_the_real_depmod() {
    let Some(deb) = std::env::var_os("ESOS_TEST_KERNEL_DEB") else {
        println!("skipped: ESOS_TEST_KERNEL_DEB names no linux-image package");
        return;
    };
    let depmod = std::env::var_os("ESOS_TEST_DEPMOD").unwrap_or_else(|| "/sbin/depmod".into());
    let Ok(version) = Command::new(&depmod).arg("--version").output() else {
        println!("skipped: {depmod:?} is not there (package kmod)");
        return;
    };
    let version = String::from_utf8(version.stdout).unwrap();
    let version: u32 = version.split([' ', '.', '\n']).nth(2).and_then(|v| v.parse().ok()).unwrap();
    println!("depmod of kmod {version}");
    let dir = tempfile::tempdir().unwrap();
    let unpack = Command::new("dpkg-deb").arg("-x").arg(&deb).arg(dir.path()).status().unwrap();
    assert!(unpack.success(), "dpkg-deb -x {deb:?}");
    let parents = [dir.path().join("lib/modules"), dir.path().join("usr/lib/modules")];
    let parent = parents.iter().find(|p| p.exists()).unwrap();
    let release = std::fs::read_dir(parent).unwrap().next().unwrap().unwrap().path();
    if !dir.path().join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", dir.path().join("lib")).unwrap();
    }
    let name = release.file_name().unwrap();
    let peer = Command::new(&depmod).arg("-b").arg(dir.path()).arg(name).status().unwrap();
    assert!(peer.success());

    let mut modules = Vec::new();
    for path in files(&release.join("kernel")) {
        let relative = path.strip_prefix(&release).unwrap().to_str().unwrap();
        if Module::is_module_path(relative) {
            modules.push(Module::read(relative, &std::fs::read(&path).unwrap()).unwrap());
        }
    }
    assert!(modules.len() > 1000, "{} modules", modules.len());
    let text = |name: &str| std::fs::read_to_string(release.join(name)).unwrap();
    let (order, builtin) = (text("modules.order"), text("modules.builtin"));
    let modinfo = std::fs::read(release.join("modules.builtin.modinfo")).unwrap();
    let files = KernelFiles { order: &order, builtin: &builtin, builtin_modinfo: &modinfo };
    let tables = Tables::new(modules, files).unwrap();

    let mut differ = Vec::new();
    for (name, ours) in tables.files() {
        let Ok(theirs) = std::fs::read(release.join(name)) else {
            println!("this depmod makes no {name}");
            continue;
        };
        let same = match name {
            "modules.symbols" => lines(&ours) == lines(&theirs),
            bin if bin.ends_with(".bin") && version < 34 => ours.len() == theirs.len(),
            _ => ours == theirs,
        };
        println!("{name}: {} bytes, depmod {} bytes, same: {same}", ours.len(), theirs.len());
        if !same {
            if let Some(dir) = std::env::var_os("ESOS_TEST_KEEP") {
                std::fs::write(Path::new(&dir).join(name), &ours).unwrap();
            }
            differ.push(name);
        }
    }
    assert!(differ.is_empty(), "differ from depmod's: {differ:?}");
}

fn lines(bytes: &[u8]) -> BTreeSet<&[u8]> {
    bytes.split(|b| *b == b'\n').collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
