//! Names of files below a root.
use std::borrow::Borrow;
use std::fmt;

/// The path of a file below a root, without `/` at either end: `usr/bin/env`. Empty for the root itself.
/// Holds no empty component, no `.`, no `..`, no NUL and no line end, so it can never leave the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(String);

/// Why a name is no path below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPath {
    /// It begins with a slash.
    #[error("is absolute")]
    Absolute,
    /// It has a `..` in it.
    #[error("leads upwards by `..`")]
    Upwards,
    /// A NUL or a line end.
    #[error("has a NUL or a line end in it")]
    Control,
    /// Not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Longer than `PATH_MAX` (4096), or a component longer than `NAME_MAX` (255).
    #[error("is longer than Linux allows (4096 bytes, 255 a component)")]
    TooLong,
}

impl TreePath {
    /// Of a name as tars carry it: `./usr/bin/env`, `usr/lib/`, `.`.
    ///
    /// # Errors
    /// [`BadPath`], one variant a reason.
    pub fn parse(name: &[u8]) -> Result<Self, BadPath> {
        let text = std::str::from_utf8(name).map_err(|_not_utf8| BadPath::NotUtf8)?;
        if text.starts_with('/') {
            return Err(BadPath::Absolute);
        }
        if text.bytes().any(|b| b == 0 || b == b'\n') {
            return Err(BadPath::Control);
        }
        let mut path = String::with_capacity(text.len());
        for part in text.split('/').filter(|p| !p.is_empty() && *p != ".") {
            if part == ".." {
                return Err(BadPath::Upwards);
            }
            if part.len() > 255 {
                return Err(BadPath::TooLong);
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
        }
        if path.len() > 4095 { Err(BadPath::TooLong) } else { Ok(Self(path)) }
    }

    /// As text, without a slash at either end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory above; nothing above the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or_else(String::new, |(dir, _)| dir.to_owned())))
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left of the path below a directory; the path itself gives the empty string.
    #[must_use]
    pub fn below(&self, dir: &str) -> Option<&str> {
        let rest = self.0.strip_prefix(dir)?;
        if rest.is_empty() || dir.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// Where a symbolic link at this path leads to, as a path below the root; a target that climbs above
    /// the root is `None`. An absolute target begins at the root.
    #[must_use]
    pub fn follow(&self, target: &str) -> Option<Self> {
        let mut parts: Vec<&str> = Vec::new();
        if !target.starts_with('/') {
            parts.extend(self.0.split('/'));
            parts.pop();
        }
        for part in target.split('/').filter(|p| !p.is_empty() && *p != ".") {
            if part == ".." {
                parts.pop()?;
            } else {
                parts.push(part);
            }
        }
        Some(Self(parts.join("/")))
    }

    /// A path below this one.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn join(&self, rest: &str) -> Result<Self, BadPath> {
        if self.0.is_empty() {
            Self::parse(rest.as_bytes())
        } else {
            Self::parse(format!("{}/{rest}", self.0).as_bytes())
        }
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for TreePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for TreePath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn names_as_tars_write_them() {
        assert_eq!(path("./usr//bin/./env").as_str(), "usr/bin/env");
        assert_eq!(path("./").as_str(), "");
        assert_eq!(path("usr/lib/").parent(), Some(path("usr")));
        assert_eq!("/etc/passwd".parse::<TreePath>(), Err(BadPath::Absolute));
        assert_eq!("./a/../../b".parse::<TreePath>(), Err(BadPath::Upwards));
        assert_eq!(TreePath::parse(b"a\0b"), Err(BadPath::Control));
        assert_eq!(TreePath::parse(b"a\xff"), Err(BadPath::NotUtf8));
        assert_eq!("x".repeat(256).parse::<TreePath>(), Err(BadPath::TooLong));
    }

    #[test]
    fn links_lead_below_the_root_or_nowhere() {
        assert_eq!(
            path("usr/bin/awk").follow("../../etc/alternatives/awk"),
            Some(path("etc/alternatives/awk"))
        );
        assert_eq!(path("bin").follow("usr/bin"), Some(path("usr/bin")));
        assert_eq!(path("a").follow("/x"), Some(path("x")));
        assert_eq!(path("a/b").follow("../../../etc"), None);
        assert_eq!(path("a/b").below("a"), Some("b"));
        assert_eq!(path("ab/b").below("a"), None);
        assert_eq!(path("a").below("a"), Some(""));
    }

    proptest! {
        #[test]
        fn a_path_is_its_own_parse(text in "[a-c./]{0,12}") {
            if let Ok(one) = text.parse::<TreePath>() {
                prop_assert_eq!(one.as_str().parse::<TreePath>(), Ok(one.clone()));
                prop_assert!(one.as_str().split('/').all(|p| p != ".." && p != "."));
            }
        }
    }
}
