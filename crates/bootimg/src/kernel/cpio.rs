//! The archive format of an initramfs: "new ASCII" cpio, as the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst` gives it.
use std::io::{self, Write};

/// Writes one archive: entries in the order given, numbered from 1, everything root's, all with one time.
#[derive(Debug)]
pub struct Cpio<W> {
    out: W,
    mtime: u32,
    inode: u32,
    written: u64,
}

impl<W: Write> Cpio<W> {
    /// Begins an archive; `mtime` is in seconds since 1970.
    pub fn new(out: W, mtime: u32) -> Self {
        Self { out, mtime, inode: 0, written: 0 }
    }

    /// A directory, by path without a leading slash.
    ///
    /// # Errors
    /// Of the writer.
    pub fn dir(&mut self, path: &str, mode: u16) -> io::Result<()> {
        self.entry(path, 0o040_000 | u32::from(mode), 2, (0, 0), b"")
    }

    /// A file.
    ///
    /// # Errors
    /// Of the writer; `InvalidInput` for 4 GiB and more, which the format cannot say.
    pub fn file(&mut self, path: &str, mode: u16, bytes: &[u8]) -> io::Result<()> {
        self.entry(path, 0o100_000 | u32::from(mode), 1, (0, 0), bytes)
    }

    /// A symbolic link.
    ///
    /// # Errors
    /// Of the writer.
    pub fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.entry(path, 0o120_777, 1, (0, 0), target.as_bytes())
    }

    /// A character device.
    ///
    /// # Errors
    /// Of the writer.
    pub fn char_device(&mut self, path: &str, mode: u16, major: u32, minor: u32) -> io::Result<()> {
        self.entry(path, 0o020_000 | u32::from(mode), 1, (major, minor), b"")
    }

    /// Ends the archive, filled up to a multiple of 512 bytes.
    ///
    /// # Errors
    /// Of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.inode = u32::MAX;
        self.header("TRAILER!!!", 0, 1, (0, 0), 0)?;
        self.pad(512)?;
        Ok(self.out)
    }

    fn entry(
        &mut self,
        path: &str,
        mode: u32,
        links: u32,
        device: (u32, u32),
        bytes: &[u8],
    ) -> io::Result<()> {
        let size = u32::try_from(bytes.len())
            .map_err(|_e| io::Error::new(io::ErrorKind::InvalidInput, format!("{path}: 4 GiB or more")))?;
        self.header(path, mode, links, device, size)?;
        self.write(bytes)?;
        self.pad(4)
    }

    fn header(&mut self, path: &str, mode: u32, links: u32, device: (u32, u32), size: u32) -> io::Result<()> {
        self.inode = self.inode.wrapping_add(1);
        let mtime = if mode == 0 { 0 } else { self.mtime };
        let name = u32::try_from(path.len()).unwrap_or(u32::MAX).saturating_add(1);
        let fields = [self.inode, mode, 0, 0, links, mtime, size, 0, 0, device.0, device.1, name, 0]
            .map(|n| format!("{n:08x}"));
        self.write(b"070701")?;
        self.write(fields.concat().as_bytes())?;
        self.write(path.as_bytes())?;
        self.write(b"\0")?;
        self.pad(4)
    }

    fn pad(&mut self, to: u64) -> io::Result<()> {
        let zeros = [0; 512];
        let missing = self.written.next_multiple_of(to).saturating_sub(self.written);
        let missing = usize::try_from(missing).unwrap_or(0);
        self.write(zeros.get(..missing).unwrap_or_default())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written = self.written.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Vec<u8> {
        let mut cpio = Cpio::new(Vec::new(), 0x6553_f100);
        cpio.dir("dev", 0o755).unwrap();
        cpio.char_device("dev/console", 0o600, 5, 1).unwrap();
        cpio.file("init", 0o755, b"#!/bin/sh\n").unwrap();
        cpio.link("lib", "usr/lib").unwrap();
        cpio.finish().unwrap()
    }

    #[test]
    fn the_format_is_to_the_byte() {
        let bytes = sample();
        assert_eq!(bytes.len() % 512, 0);
        let first = "07070100000001000041ed000000000000000000000002\
                     6553f10000000000000000000000000000000000000000000000000400000000dev\0";
        assert!(bytes.starts_with(first.as_bytes()), "{}", String::from_utf8_lossy(&bytes[..128]));
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("TRAILER!!!\0"));
    }

    #[test]
    #[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the test runs the peer")]
    fn cpio_lists_it() {
        use std::process::{Command, Stdio};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.cpio");
        std::fs::write(&path, sample()).unwrap();
        let input = Stdio::from(std::fs::File::open(&path).unwrap());
        let Ok(out) = Command::new("/usr/bin/cpio").args(["-itvn", "--quiet"]).stdin(input).output() else {
            println!("skipped: /usr/bin/cpio is not installed");
            return;
        };
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let list = String::from_utf8(out.stdout).unwrap();
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), 4, "{list}");
        assert!(lines[1].starts_with("crw-------") && lines[1].contains("5,   1"), "{list}");
        assert!(lines[3].ends_with("lib -> usr/lib"), "{list}");
    }
}
