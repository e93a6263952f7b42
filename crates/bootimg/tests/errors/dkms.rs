//! Kernel modules that cannot be built: the build root is real, dkms in it is played.
use crate::seen::Seen;
use esos_bootimg::deb::DebWriter;
use esos_bootimg::dkms::{self, DkmsError, Order, Part};
use esos_bootimg::root::{Cache, Draft, MemCache, ReadSeek};
use esos_exec::{Cmd, ExecError, Exit, Output, Runner};
use std::fs;
use std::io;

/// How dkms ends.
struct Dkms {
    status: i32,
    said: &'static str,
    missing: bool,
}

impl Runner for Dkms {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        if self.missing {
            return Err(ExecError::NotFound { program: cmd.program().to_owned() });
        }
        Ok(Output { status: Exit::Code(self.status), stdout: Vec::new(), stderr: self.said.into() })
    }
}

/// A cache on a medium that is gone.
#[derive(Debug)]
struct Gone;

impl Cache for Gone {
    fn open(&self, _key: &str) -> io::Result<Option<Box<dyn ReadSeek>>> {
        Err(io::Error::other("the medium is gone"))
    }
    fn create(&self) -> io::Result<Box<dyn Draft>> {
        Err(io::Error::other("the medium is gone"))
    }
}

/// What a build ends with that has one package, of these files.
fn failed(files: &[(&str, &str)], dkms: &Dkms, cache: &dyn Cache) -> DkmsError {
    let dir = tempfile::tempdir().unwrap();
    let mut deb = DebWriter::new("Package: a-dkms\nVersion: 1\nArchitecture: all\n");
    for (path, text) in files {
        deb.file(path, text.as_bytes(), 0o644);
    }
    let path = dir.path().join("a.deb");
    fs::write(&path, deb.finish()).unwrap();
    of_file(&path, dkms, cache)
}

fn of_file(deb: &std::path::Path, dkms: &Dkms, cache: &dyn Cache) -> DkmsError {
    let room = deb.with_extension("room");
    let part = Part { name: "a-dkms".into(), sha256: [1; 32], deb: deb.to_owned() };
    let order = Order { release: "6.1-test", parts: vec![part], threads: 1, room: &room };
    dkms::build(&order, dkms, cache, &|_| {}).unwrap_err()
}

pub(crate) fn all(seen: &mut Seen) {
    let conf = [("usr/src/a-1/dkms.conf", "PACKAGE_NAME=a\nPACKAGE_VERSION=1\n")];
    let plain = Dkms { status: 0, said: "", missing: false };
    let cache = MemCache::default();

    seen.saw(&failed(&conf, &plain, &Gone));
    seen.saw(&failed(&conf, &plain, &cache));
    seen.saw(&failed(&conf, &Dkms { status: 10, ..plain }, &cache));
    seen.saw(&failed(&conf, &Dkms { status: 77, ..plain }, &cache));
    seen.saw(&failed(&conf, &Dkms { missing: true, ..plain }, &cache));
    let said = "unshare: unshare failed: Operation not permitted\n";
    seen.saw(&failed(&conf, &Dkms { status: 1, said, ..plain }, &cache));
    seen.saw(&failed(&[("usr/src/README", "no source")], &plain, &cache));
    seen.saw(&failed(&[("usr/src/a-1/dkms.conf", "PACKAGE_NAME=$(uname)\n")], &plain, &cache));
    let waits = "PACKAGE_NAME=a\nPACKAGE_VERSION=1\nBUILD_DEPENDS[0]=b\n";
    seen.saw(&failed(&[("usr/src/a-1/dkms.conf", waits)], &plain, &cache));

    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.deb");
    seen.saw(&of_file(&broken, &plain, &cache));
    fs::write(&broken, b"!<arch>\nno package").unwrap();
    seen.saw(&of_file(&broken, &plain, &cache));
}
