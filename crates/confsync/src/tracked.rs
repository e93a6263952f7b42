//! What belongs to the configuration.
use crate::codec::put_bytes;
use crate::{BoxPath, Id};
use serde::Deserialize;

/// What belongs to the configuration: paths, and what below them does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    include: Vec<BoxPath>,
    exclude: Vec<Pattern>,
}

/// A path that is left out, or many.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    /// Where what follows the last `*` begins.
    end: Option<usize>,
}

impl Pattern {
    fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { end: text.rfind('*').map(|at| at.saturating_add(1)), text }
    }

    fn fits(&self, path: &[u8]) -> bool {
        let text = self.text.as_bytes();
        // Most paths do not end as the pattern does, and are asked for nothing more.
        match self.end.and_then(|end| text.get(end..)) {
            Some(end) => path.ends_with(end) && glob(text, path),
            None => path == text,
        }
    }
}

/// Why a list of paths makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path of the configuration: an absolute path without `..`, and not `/`")]
pub struct TrackedError(pub String);

/// The document `/etc/esos/conf.json` adds to what is always kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Extras {
    include: Vec<String>,
    exclude: Vec<String>,
}

/// What is always kept.
pub const INCLUDE: &[&str] = &[
    "/etc",
    "/opt",
    "/root/.bash_history",
    "/root/.ssh",
    "/usr/local",
    "/var/lib/chrony",
    "/var/lib/corosync",
    "/var/lib/drbd",
    "/var/lib/esos",
    "/var/lib/iscsi",
    "/var/lib/pacemaker",
    "/var/lib/pcsd",
    "/var/lib/scst",
    "/var/spool/cron/crontabs",
];

/// What is never kept: what belongs to the image, to this boot, or to the keeper itself. `*` is any text
/// within a name, `**` any text.
pub const EXCLUDE: &[&str] = &[
    "/etc/esos-release",
    "/etc/issue",
    "/etc/issue.net",
    "/etc/motd",
    "/etc/mtab",
    "/etc/ld.so.cache",
    "/etc/.git",
    "/etc/.gitignore",
    "/etc/.etckeeper",
    "/var/lib/esos/conf",
    "/**/.*.tmp",
    "/**/*.esos-new",
];

/// Kept with the next generation, but no reason to make one: what was told of events. An event of the stick would
/// make a sync, the sync an event, and so on.
pub const NO_REASON: &[&str] = &["/var/lib/esos/alert/book.json", "/var/lib/esos/alert/lock"];

/// Where a person adds paths of their own: `{"include": ["/srv/scripts"], "exclude": ["/opt/cache/**"]}`.
pub const EXTRAS: &str = "/etc/esos/conf.json";

impl Default for Tracked {
    fn default() -> Self {
        let mut tracked =
            Self { include: Vec::new(), exclude: EXCLUDE.iter().map(|e| Pattern::new(*e)).collect() };
        tracked.include = INCLUDE.iter().filter_map(BoxPath::new).collect();
        tracked
    }
}

impl Tracked {
    /// What is always kept, and what the document at [`EXTRAS`] adds.
    ///
    /// # Errors
    /// The document makes no sense, with the place in it.
    pub fn with_extras(text: &str) -> Result<Self, String> {
        let extras: Extras = serde_json::from_str(text).map_err(|e| format!("{EXTRAS}: {e}"))?;
        let mut tracked = Self::default();
        for path in extras.include {
            tracked.add(&path).map_err(|e| format!("{EXTRAS}: {e}"))?;
        }
        tracked.exclude.extend(extras.exclude.into_iter().map(Pattern::new));
        Ok(tracked)
    }

    /// Only these paths.
    ///
    /// # Errors
    /// One of them is no path.
    pub fn only(paths: &[&str]) -> Result<Self, TrackedError> {
        let mut tracked = Self { include: Vec::new(), exclude: Vec::new() };
        paths.iter().try_for_each(|path| tracked.add(path))?;
        Ok(tracked)
    }

    /// What of it is a reason to make a generation: all but [`NO_REASON`].
    #[must_use]
    pub fn reasons(&self) -> Self {
        let mut reasons = self.clone();
        reasons.exclude.extend(NO_REASON.iter().map(|path| Pattern::new(*path)));
        reasons
    }

    fn add(&mut self, text: &str) -> Result<(), TrackedError> {
        let fault = || TrackedError(text.to_owned());
        let path =
            BoxPath::new(text).filter(|p| text.starts_with('/') && p.split().is_some()).ok_or_else(fault)?;
        if !self.include.iter().any(|above| path.is_below(above)) {
            self.include.retain(|below| !below.is_below(&path));
            self.include.push(path);
        }
        Ok(())
    }

    /// Paths that are kept with all that is in them.
    #[must_use]
    pub fn roots(&self) -> &[BoxPath] {
        &self.include
    }

    /// Whether a path belongs to the configuration.
    #[must_use]
    pub fn covers(&self, path: &BoxPath) -> bool {
        self.include.iter().any(|above| path.is_below(above)) && !self.leaves_out(path)
    }

    /// Whether a path below a root is left out.
    #[must_use]
    pub fn leaves_out(&self, path: &BoxPath) -> bool {
        self.exclude.iter().any(|pattern| pattern.fits(path.as_bytes()))
    }

    /// The same for the same paths.
    pub(crate) fn id(&self) -> Id {
        let mut text = Vec::new();
        self.include.iter().for_each(|path| put_bytes(&mut text, path.as_bytes()));
        text.push(0);
        self.exclude.iter().for_each(|pattern| put_bytes(&mut text, pattern.text.as_bytes()));
        Id::of(&text)
    }
}

/// `**` is any text, `*` any text without `/`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| text.get(at..).is_some_and(|t| glob(rest, t))),
        [b'*', rest @ ..] => {
            let end = text.iter().position(|b| *b == b'/').unwrap_or(text.len());
            (0..=end).any(|at| text.get(at..).is_some_and(|t| glob(rest, t)))
        }
        [byte, rest @ ..] => {
            text.split_first().is_some_and(|(first, tail)| first == byte && glob(rest, tail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept() {
        let tracked =
            Tracked::with_extras(r#"{"include": ["/srv/x"], "exclude": ["/opt/cache/**"]}"#).unwrap();
        for (path, kept) in [
            ("/etc/passwd", true),
            ("/etc/esos-release", false),
            ("/srv/x/y", true),
            ("/srv/xy", false),
            ("/opt/cache/a/b", false),
            ("/etc/.scst.conf.12-3.tmp", false),
            ("/var/lib/esos/alert/book.json", true),
            ("/var/lib/esos/conf", false),
            ("/usr/sbin/x", false),
        ] {
            assert_eq!(tracked.covers(&BoxPath::new(path).unwrap()), kept, "{path}");
        }
        let book = BoxPath::new("/var/lib/esos/alert/book.json").unwrap();
        let mail = BoxPath::new("/var/lib/esos/alert/queue/1.json").unwrap();
        let reasons = tracked.reasons();
        assert!(tracked.covers(&book) && !reasons.covers(&book) && reasons.covers(&mail));
        assert!(Tracked::with_extras(r#"{"include": ["etc"]}"#).unwrap_err().contains("`etc`"));
        assert!(Tracked::with_extras(r#"{"include": ["/a/../b"]}"#).is_err());
        assert!(Tracked::with_extras("{\"inlude\": []}").unwrap_err().contains("conf.json"));
    }
}
