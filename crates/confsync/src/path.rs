//! Paths on the box, as bytes.
use std::fmt;

/// An absolute path on the box, as the kernel has it: any bytes but NUL, no `.`, `..` or empty part.
/// The root is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BoxPath(Vec<u8>);

impl BoxPath {
    /// A path of a text such as `/etc/scst.conf`. Parts that are empty or `.` are left out; `None` where one
    /// is `..` or holds a NUL.
    #[must_use]
    pub fn new(text: impl AsRef<[u8]>) -> Option<Self> {
        let mut path = Self::default();
        for part in text.as_ref().split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
            if part == b".." || part.contains(&0) {
                return None;
            }
            path = path.join(part);
        }
        Some(path)
    }

    /// A name below it.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = self.0.clone();
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// With a leading slash; empty for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The directory that holds it and its name there; `None` for the root.
    #[must_use]
    pub fn split(&self) -> Option<(Self, &[u8])> {
        let at = self.0.iter().rposition(|b| *b == b'/')?;
        Some((Self(self.0.get(..at)?.to_vec()), self.0.get(at.checked_add(1)?..)?))
    }

    /// Whether it is `above` or lies below it.
    #[must_use]
    pub fn is_below(&self, above: &Self) -> bool {
        self.0
            .strip_prefix(above.0.as_slice())
            .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    }
}

impl fmt::Display for BoxPath {
    /// What is no UTF-8 and no control character stands as `\xNN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for BoxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl serde::Serialize for BoxPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let path = BoxPath::new("//etc/./ssh/").unwrap();
        assert_eq!(path.to_string(), "/etc/ssh");
        let (dir, name) = path.split().unwrap();
        assert_eq!((dir.to_string().as_str(), name), ("/etc", &b"ssh"[..]));
        assert!(path.is_below(&dir) && path.is_below(&path) && path.is_below(&BoxPath::default()));
        assert!(!BoxPath::new("/etcx").unwrap().is_below(&dir));
        assert!(BoxPath::new("/a/../b").is_none() && BoxPath::new("/a\0").is_none());
        assert_eq!(BoxPath::new(b"/a\xff\nb").unwrap().to_string(), "/a\\xff\\nb");
        assert_eq!(BoxPath::default().to_string(), "/");
    }
}
