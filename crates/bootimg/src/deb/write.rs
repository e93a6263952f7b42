//! Making small packages.
use super::pax::write_record;
use super::{Entry, Kind, TreePath, tar};

/// Makes a `.deb` in memory, uncompressed: for packages that a build makes itself, and for tests.
#[derive(Debug, Clone)]
pub struct DebWriter {
    control: Vec<u8>,
    data: Vec<u8>,
}

impl DebWriter {
    /// With the text of its `control` file.
    #[must_use]
    pub fn new(control: &str) -> Self {
        let mut made = Self { control: Vec::new(), data: Vec::new() };
        made.control_file("control", control.as_bytes());
        made
    }

    /// Adds a file of the control data (`postinst`, `conffiles`). Names that are no paths are left out.
    pub fn control_file(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        if let Ok(path) = name.parse() {
            let mode = if matches!(name, "control" | "conffiles" | "triggers") { 0o644 } else { 0o755 };
            append(&mut self.control, &Entry::new(path, Kind::File { size: length(bytes) }, mode), bytes);
        }
        self
    }

    /// Adds an entry; the size of a file is that of its content.
    pub fn entry(&mut self, mut entry: Entry, bytes: &[u8]) -> &mut Self {
        if let Kind::File { size } = &mut entry.kind {
            *size = length(bytes);
        }
        append(&mut self.data, &entry, bytes);
        self
    }

    /// Adds a file of root:root. Names that are no paths are left out.
    pub fn file(&mut self, path: &str, bytes: &[u8], mode: u32) -> &mut Self {
        if let Ok(path) = path.parse::<TreePath>() {
            self.entry(Entry::new(path, Kind::File { size: 0 }, mode), bytes);
        }
        self
    }

    /// Adds a directory of root:root.
    pub fn dir(&mut self, path: &str, mode: u32) -> &mut Self {
        if let Ok(path) = path.parse::<TreePath>() {
            self.entry(Entry::new(path, Kind::Dir, mode), &[]);
        }
        self
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        if let Ok(path) = path.parse::<TreePath>() {
            self.entry(Entry::new(path, Kind::Symlink { target: target.to_owned() }, 0o777), &[]);
        }
        self
    }

    /// Adds bytes to the data tar as they are: for tests of what readers refuse.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.data.extend_from_slice(bytes);
        self
    }

    /// Adds a PAX header with one record to the data tar: for tests of what readers refuse.
    pub fn pax(&mut self, key: &str, value: &[u8]) -> &mut Self {
        let mut record = Vec::new();
        write_record(&mut record, key, value);
        let mut header =
            tar::encode(&Entry::new(TreePath::default(), Kind::File { size: length(&record) }, 0o644));
        // The flag of the header, and the checksum that changes with it.
        if let Some(flag) = header.get_mut(156) {
            *flag = b'x';
        }
        tar::seal(&mut header);
        self.data.extend_from_slice(&header);
        self.data.extend_from_slice(&record);
        self.data.resize(self.data.len().next_multiple_of(512), 0);
        self
    }

    /// The package, with plain tars in it.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        self.finish_with("", |bytes| bytes.to_vec())
    }

    /// The package, with tars compressed by the function, whose name ends as given (`.xz`).
    #[must_use]
    pub fn finish_with(&self, suffix: &str, compress: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut ar = b"!<arch>\n".to_vec();
        let mut member = |name: &str, bytes: &[u8]| {
            let head = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", bytes.len());
            ar.extend_from_slice(head.as_bytes());
            ar.extend_from_slice(bytes);
            if !bytes.len().is_multiple_of(2) {
                ar.push(b'\n');
            }
        };
        member("debian-binary", b"2.0\n");
        for (stem, bytes) in [("control.tar", &self.control), ("data.tar", &self.data)] {
            let whole = [bytes.as_slice(), &tar::END].concat();
            member(&format!("{stem}{suffix}"), &compress(&whole));
        }
        ar
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn append(out: &mut Vec<u8>, entry: &Entry, bytes: &[u8]) {
    out.extend(tar::encode(entry));
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
}
