//! What is in a package: all its entries, and the few files that are read at build time.
use super::filter::matches;
use crate::deb::{Control, DebError, Entry, Kind, TreePath, tar};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// Files that are needed to stand in for maintainer scripts; `*` also matches slashes.
const CAPTURED: &[&str] = &[
    "boot/vmlinuz-*",
    "etc/init.d/*",
    "etc/insserv.conf.d/*",
    "etc/ld.so.conf*",
    "usr/share/base-passwd/*.master",
    "usr/share/ca-certificates/*.crt",
    "usr/lib/sysusers.d/*.conf",
    "usr/lib/tmpfiles.d/*.conf",
    "usr/lib/modules/*/modules.*",
];

/// Changes whenever the same package would give another listing.
pub(crate) const FORMAT: &str = "4";

/// Largest file that is captured, in bytes: a kernel has some 10 MiB.
pub(crate) const CAPTURE_LIMIT: u64 = 64 << 20;

/// What is in a package. Paths are as the package has them, but for merged `/usr`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Entries in the order of the package.
    pub entries: Vec<Entry>,
    /// Content of the files that building needs.
    pub files: BTreeMap<TreePath, Vec<u8>>,
    /// The text of `control`.
    pub control: String,
    /// The text of `preinst`, to look things up in; empty where there is none.
    pub preinst: String,
    /// The text of `postinst`, to look things up in; empty where there is none.
    pub postinst: String,
    /// Files of the package that an operator may edit.
    pub conffiles: Vec<TreePath>,
}

impl Listing {
    pub(crate) fn new(control: &Control) -> Self {
        Self {
            control: control.text.clone(),
            preinst: control.scripts.get(&crate::deb::Script::PreInst).cloned().unwrap_or_default(),
            postinst: control.scripts.get(&crate::deb::Script::PostInst).cloned().unwrap_or_default(),
            conffiles: control.conffiles.clone(),
            ..Self::default()
        }
    }

    /// Whether the content of an entry is kept.
    pub(crate) fn captures(entry: &Entry) -> bool {
        entry.kind.is_file()
            && entry.kind.size() <= CAPTURE_LIMIT
            && CAPTURED.iter().any(|pattern| matches(pattern, entry.path.as_str()))
    }

    /// A field of `control`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let mut lines = self
            .control
            .lines()
            .skip_while(|line| line.split_once(':').is_none_or(|(key, _)| !key.eq_ignore_ascii_case(name)));
        let mut value = lines.next()?.split_once(':')?.1.trim().to_owned();
        for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
            value.push('\n');
            value.push_str(line);
        }
        Some(value)
    }

    /// As an object of the cache: SHA-256 of the rest, then zstd of the headers' length, the headers, and
    /// a tar of the files.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut headers = Vec::new();
        for entry in &self.entries {
            headers.extend(tar::encode(entry));
        }
        headers.extend(tar::END);
        let mut bytes = Vec::new();
        let conffiles = self.conffiles.iter().fold(String::new(), |text, path| format!("{text}{path}\n"));
        let own = [
            ("control", &self.control),
            ("preinst", &self.preinst),
            ("postinst", &self.postinst),
            ("conffiles", &conffiles),
        ];
        let own = own.into_iter().map(|(name, text)| (name.to_owned(), text.as_bytes()));
        let files = self.files.iter().map(|(path, content)| (format!("files/{path}"), content.as_slice()));
        for (name, content) in own.chain(files) {
            let path = TreePath::parse(name.as_bytes()).map_err(io::Error::other)?;
            let size = u64::try_from(content.len()).unwrap_or(0);
            bytes.extend(tar::encode(&Entry::new(path, Kind::File { size }, 0o644)));
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.extend(tar::END);
        let length = u64::try_from(headers.len()).unwrap_or(0).to_le_bytes();
        let packed = zstd::encode_all([length.as_slice(), &headers, &bytes].concat().as_slice(), 3)?;
        out.write_all(&Sha256::digest(&packed))?;
        out.write_all(&packed)
    }

    /// `None` where the object is damaged.
    pub(crate) fn read(input: &mut dyn Read) -> Option<Self> {
        let mut all = Vec::new();
        input.read_to_end(&mut all).ok()?;
        let (sum, packed) = all.split_at_checked(32)?;
        if Sha256::digest(packed).as_slice() != sum {
            return None;
        }
        let bytes = zstd::decode_all(packed).ok()?;
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (headers, files) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Self::parse(headers, files).ok()?
    }

    fn parse(headers: &[u8], files: &[u8]) -> Result<Option<Self>, DebError> {
        let mut listing = Self::default();
        let mut reader = tar::Reader::new("cache", "headers", headers, u64::MAX, u64::MAX).headers_only();
        while let Some(entry) = reader.next_entry()? {
            listing.entries.push(entry);
        }
        for (path, (_, content)) in tar::read_all("cache", files)? {
            if let Some(name) = path.below("files") {
                let Ok(path) = name.parse() else { return Ok(None) };
                listing.files.insert(path, content);
                continue;
            }
            let Ok(text) = String::from_utf8(content) else { return Ok(None) };
            match path.as_str() {
                "control" => listing.control = text,
                "preinst" => listing.preinst = text,
                "postinst" => listing.postinst = text,
                _ => {
                    let paths: Result<Vec<TreePath>, _> = text.lines().map(str::parse).collect();
                    let Ok(paths) = paths else { return Ok(None) };
                    listing.conffiles = paths;
                }
            }
        }
        Ok(Some(listing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_seen() {
        let mut listing =
            Listing { control: "Package: a\nReplaces: b,\n c\n".to_owned(), ..Listing::default() };
        listing.entries.push(Entry::new("usr".parse().unwrap(), Kind::Dir, 0o755));
        listing.entries.push(Entry::new("usr/big".parse().unwrap(), Kind::File { size: 1 << 40 }, 0o644));
        listing.files.insert("etc/init.d/x".parse().unwrap(), b"#!/bin/sh\n".to_vec());
        listing.conffiles.push("etc/init.d/x".parse().unwrap());
        let mut bytes = Vec::new();
        listing.write(&mut bytes).unwrap();
        assert_eq!(Listing::read(&mut &bytes[..]), Some(listing.clone()));
        assert_eq!(listing.field("replaces").as_deref(), Some("b,\n c"));
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(Listing::read(&mut &bytes[..]), None);
    }
}
