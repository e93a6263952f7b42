//! A small writer of cpio archives (format `newc`), for the initramfs of tiny guests.

/// An archive that grows.
#[derive(Debug, Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    inode: usize,
}

impl Cpio {
    /// A directory.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, 0o040_755, &[]);
    }

    /// A file with its permissions.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, 0o100_000 | mode, content);
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.entry(path, 0o120_777, target.as_bytes());
    }

    /// The whole archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        let fields = [self.inode, mode as usize, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, path.len() + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn cpio_lists_what_was_put_in() {
        let mut archive = Cpio::default();
        archive.directory("bin");
        archive.file("bin/x", 0o755, b"12345");
        archive.link("init", "bin/x");
        let bytes = archive.finish();
        let Ok(mut child) =
            Command::new("cpio").arg("-it").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        else {
            crate::skip("cpio_lists_what_was_put_in", "cpio is not installed");
            return;
        };
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let listing = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(listing.stdout).unwrap(), "bin\nbin/x\ninit\n");
    }
}
