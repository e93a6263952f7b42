//! Where a file lies.
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A URL (`http`, `https`) or a path of this machine.
///
/// A user name and a password in a URL are used, and never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location(Place);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Url(String),
    Path(PathBuf),
}

/// A text that names no place, or a name that would lead out of its directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// The scheme is not one of `http`, `https`, `file`.
    #[error("`{text}`: expected http://…, https://…, file:///… or a directory")]
    Scheme {
        /// The text.
        text: String,
    },
    /// A relative name is empty, absolute, or has `.`, `..` or control characters in it.
    #[error("`{name}` would lead out of {base}")]
    Escapes {
        /// The directory.
        base: String,
        /// The name.
        name: String,
    },
}

impl Location {
    /// A directory or file of this machine.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self(Place::Path(path.into()))
    }

    /// A file below this one. The name is relative, with `/` between its parts, as in a `Filename` field.
    ///
    /// # Errors
    /// [`LocationError::Escapes`] for a name that is not plainly below.
    pub fn join(&self, name: &str) -> Result<Self, LocationError> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !name.split('/').all(plain) || name.chars().any(|c| c.is_control() || c == '\\') {
            return Err(LocationError::Escapes {
                base: self.to_string(),
                name: name.escape_debug().to_string(),
            });
        }
        Ok(Self(match &self.0 {
            Place::Url(url) => Place::Url(format!("{}/{}", url.trim_end_matches('/'), percent(name))),
            Place::Path(path) => Place::Path(path.join(name)),
        }))
    }

    /// Its path, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Path(path) => Some(path),
            Place::Url(_) => None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }

    /// The same place with a suffix on its last part: `…/debian` and `-security` give `…/debian-security`.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self(match &self.0 {
            Place::Url(url) => Place::Url(format!("{}{suffix}", url.trim_end_matches('/'))),
            Place::Path(path) => {
                let mut text = path.as_os_str().to_owned();
                text.push(suffix);
                Place::Path(text.into())
            }
        })
    }
}

// A pool's file names hold `+`, `~`, `:` and `%`; only what would change the URL's meaning is encoded.
fn percent(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~+:@!$&'()*,;=/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || LocationError::Scheme { text: shown(text) };
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(error());
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Ok(Self::directory(text));
        };
        match scheme {
            "http" | "https" => {
                let host = rest.strip_prefix("//").ok_or_else(error)?;
                if host.is_empty() || host.starts_with('/') || host.contains([' ', '?', '#']) {
                    return Err(error());
                }
                Ok(Self(Place::Url(text.to_owned())))
            }
            "file" | "copy" => {
                // `file:/path` and `file:///path` are both in use; a host is not.
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.starts_with('/') { Ok(Self::directory(path)) } else { Err(error()) }
            }
            _ if scheme.contains('/') => Ok(Self::directory(text)),
            _ => Err(error()),
        }
    }
}

fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest.get(..host_end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}://***@{}", rest.get(at.saturating_add(1)..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Url(url) => f.write_str(&shown(url)),
            Place::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let at: Location = "https://me:pw@mirror.example/debian/".parse().unwrap();
        let file = at.join("pool/main/g/g++/g++_12.2.0-3~x_amd64.deb").unwrap();
        let shown = "https://***@mirror.example/debian/pool/main/g/g++/g++_12.2.0-3~x_amd64.deb";
        assert_eq!(file.to_string(), shown);
        assert_eq!(format!("{file:?}"), format!("Location({shown})"));
    }

    #[test]
    fn no_name_leads_out() {
        let at = Location::directory("/srv/debian");
        for name in ["", "/etc/passwd", "../x", "pool/../../x", "a//b", "a/.", "a\nb", "a\\b"] {
            assert!(matches!(at.join(name), Err(LocationError::Escapes { .. })), "{name:?}");
        }
        assert_eq!(at.join("a/..b").unwrap().path().unwrap(), Path::new("/srv/debian/a/..b"));
    }

    #[test]
    fn what_people_write() {
        for (text, path) in
            [("file:///srv/d", "/srv/d"), ("file:/srv/d", "/srv/d"), ("debs", "debs"), ("./a:b", "./a:b")]
        {
            assert_eq!(text.parse::<Location>().unwrap().path().unwrap(), Path::new(path), "{text}");
        }
        for text in ["cdrom:[Debian]/", "http:///x", "http:x", "ftp://x/", "", "file://host/x"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
        let url: Location = "http://mirror.example/debian/".parse().unwrap();
        assert_eq!(url.with_suffix("-security").to_string(), "http://mirror.example/debian-security");
        assert_eq!(url.join("a b%41").unwrap().to_string(), "http://mirror.example/debian/a%20b%2541");
    }
}
