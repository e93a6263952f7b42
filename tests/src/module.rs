//! A kernel module that goes wrong when it is loaded, built against the headers of a kernel of the archive.
use crate::apt;
use crate::kernel::Kernel;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `insmod faulty.ko how=oops` writes where nothing is; `how=hang` sleeps for ever and takes no signal.
const SOURCE: &str = r#"
#include <linux/module.h>
#include <linux/sched.h>
static char *how = "";
module_param(how, charp, 0);
static noinline void esos_faulty_write(volatile int *where) { *where = 1; }
static int __init faulty_init(void)
{
	if (!strcmp(how, "oops"))
		esos_faulty_write((int *)8);
	while (!strcmp(how, "hang")) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
	return 0;
}
module_init(faulty_init);
MODULE_DESCRIPTION("goes wrong when it is loaded");
MODULE_LICENSE("GPL");
"#;

/// The module for a kernel; it is built anew each time.
///
/// # Errors
/// In words, where apt lacks the headers or this host has no compiler for them.
pub fn faulty(kernel: &Kernel) -> Result<Vec<u8>, String> {
    let release = kernel.modules.file_name().and_then(|n| n.to_str()).ok_or("a kernel without a release")?;
    let package = format!("linux-headers-{release}");
    let tree = format!("usr/src/{package}");
    let packages = apt::with_libraries(&package, &["linux-headers-", "linux-kbuild-", "linux-compiler-"]);
    let dir = apt::unpacked(&package, &packages, |dir| dir.join(&tree).join("Makefile").is_file())?;
    build(&dir, &dir.join(tree)).map_err(|e| format!("the module for {release}: {e}"))
}

fn build(root: &Path, headers: &Path) -> Result<Vec<u8>, String> {
    let words = |e: std::io::Error| e.to_string();
    // Debian's Makefile names the place where the package would be installed.
    let makefile = headers.join("Makefile");
    let text = fs::read_to_string(&makefile).map_err(words)?;
    let installed = format!("{}/usr/src/", root.display());
    if !text.contains(&installed) {
        fs::write(&makefile, text.replace("/usr/src/", &installed)).map_err(words)?;
    }
    let work = tempfile::tempdir().map_err(words)?;
    let file = |name: &str| -> PathBuf { work.path().join(name) };
    fs::write(file("faulty.c"), SOURCE).map_err(words)?;
    fs::write(file("Makefile"), "obj-m := faulty.o\n").map_err(words)?;
    let mut make = Command::new("make");
    make.arg("-C").arg(headers).arg(format!("M={}", work.path().display())).arg("modules");
    // Types for BPF would take pahole, and nobody asks this module for them.
    make.arg("CONFIG_DEBUG_INFO_BTF_MODULES=");
    let out = make.env("LC_ALL", "C").output().map_err(|e| format!("make: {e}"))?;
    if !out.status.success() {
        let said = [&out.stdout[..], &out.stderr[..]].map(String::from_utf8_lossy).concat();
        return Err(format!("make ended with {}:\n{said}", out.status));
    }
    fs::read(file("faulty.ko")).map_err(words)
}
