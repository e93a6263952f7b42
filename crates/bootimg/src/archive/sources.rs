//! The build host's apt sources, and which of them carry Debian.
//!
//! Both formats of sources.list(5): one line per source, and deb822 paragraphs. No archive's address is
//! known here; it is taken from what the host itself uses.
use super::deb822::{Comments, Paragraph, paragraphs};
use esos_diag::ParseError;
use esos_fetch::Location;
use esos_hostfs::{FileError, FileKind, Files};

/// What a source's index must be signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// Not said.
    Unsaid,
    /// Keyring files.
    Files(Vec<String>),
    /// An armoured key that stands in the source itself.
    Key(String),
}

/// One binary source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file it stands in.
    pub origin: String,
    /// The line there, from 1.
    pub line: usize,
    /// Its addresses as written.
    pub uris: Vec<String>,
    /// Its suites.
    pub suites: Vec<String>,
    /// Its components.
    pub components: Vec<String>,
    /// Its keys.
    pub signed_by: SignedBy,
}

/// Why there is no mirror.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourcesError {
    /// A file of sources makes no sense.
    #[error("apt's sources cannot be read")]
    Syntax(#[from] ParseError),
    /// A file of sources cannot be read.
    #[error("apt's sources cannot be read")]
    File(#[from] FileError),
    /// No source of the host carries Debian.
    #[error(
        "none of the {looked_at} sources of this host carries Debian (component `main` of a Debian suite); \
         name a mirror with --mirror"
    )]
    NoDebian {
        /// How many sources there are.
        looked_at: usize,
    },
}

/// Reads all of the host's sources: `/etc/apt/sources.list` and `/etc/apt/sources.list.d`, in apt's order.
///
/// # Errors
/// [`SourcesError::Syntax`] with the line, [`SourcesError::File`] for a file that cannot be read.
pub fn read(host: &dyn Files) -> Result<Vec<Source>, SourcesError> {
    let mut files = vec!["/etc/apt/sources.list".to_owned()];
    match host.list("/etc/apt/sources.list.d") {
        Ok(names) => files.extend(names.iter().map(|n| format!("/etc/apt/sources.list.d/{n}"))),
        Err(e) if e.is_not_found() => {}
        Err(e) => return Err(e.into()),
    }
    let mut sources = Vec::new();
    for path in files {
        let deb822 = path.ends_with(".sources");
        if !deb822 && !path.ends_with(".list") {
            continue;
        }
        let bytes = match host.read(&path) {
            Err(e) if e.is_not_found() => continue,
            read => read?,
        };
        let text = String::from_utf8_lossy(&bytes);
        sources.extend(if deb822 { parse_deb822(&path, &text)? } else { parse_list(&path, &text)? });
    }
    for source in &mut sources {
        source.uris = source.uris.iter().flat_map(|uri| mirror_file(host, uri)).collect();
    }
    Ok(sources)
}

// `mirror+file:/etc/apt/mirrors/debian.list` (Debian's cloud images) names a file with a URI per line.
fn mirror_file(host: &dyn Files, uri: &str) -> Vec<String> {
    let path = uri.strip_prefix("mirror+file:").map(|p| p.strip_prefix("//").unwrap_or(p));
    let listed = path.and_then(|p| host.read(p).ok());
    let Some(bytes) = listed else { return vec![uri.to_owned()] };
    let text = String::from_utf8_lossy(&bytes);
    let first_word = |l: &str| l.split_whitespace().next().filter(|w| !w.starts_with('#')).map(str::to_owned);
    text.lines().filter_map(first_word).collect()
}

/// Reads one-line sources: `deb [arch=amd64 signed-by=/k.gpg] http://… suite component…`.
///
/// # Errors
/// [`ParseError`] for a line that is neither a source nor a comment.
pub fn parse_list(origin: &str, text: &str) -> Result<Vec<Source>, ParseError> {
    let mut sources = Vec::new();
    let mut offset = 0usize;
    for (number, raw) in text.split_inclusive('\n').enumerate() {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let error = |expected: &str| ParseError::at(origin, text, start, expected);
        let rest = match line.split_once(|c: char| c.is_ascii_whitespace()) {
            Some(("deb", rest)) => rest.trim_start(),
            Some(("deb-src", _)) => continue,
            _ => return Err(error("`deb` or `deb-src`, an address, a suite")),
        };
        let (options, rest) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(|| error("`]` behind the options"))?,
            None => ("", rest),
        };
        let mut words = words_of(rest).into_iter();
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
            return Err(error("an address and a suite"));
        };
        let key = options.split_whitespace().find_map(|o| o.strip_prefix("signed-by="));
        sources.push(Source {
            origin: origin.to_owned(),
            line: number.saturating_add(1),
            uris: vec![uri],
            suites: vec![suite],
            components: words.collect(),
            signed_by: key
                .map_or(SignedBy::Unsaid, |k| SignedBy::Files(k.split(',').map(str::to_owned).collect())),
        });
    }
    Ok(sources)
}

// `cdrom:[Debian 12 _Bookworm_]/` holds blanks inside its brackets.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut depth, mut fresh) = (0i32, true);
    for c in text.chars() {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c.is_ascii_whitespace() && depth <= 0 {
            fresh = true;
        } else if let Some(word) = words.last_mut().filter(|_| !fresh) {
            word.push(c);
        } else {
            words.push(c.to_string());
            fresh = false;
        }
    }
    words
}

/// Reads deb822 sources, those with `Enabled: no` left out.
///
/// # Errors
/// [`ParseError`] for a paragraph without `Types`, `URIs` or `Suites`.
pub fn parse_deb822(origin: &str, text: &str) -> Result<Vec<Source>, ParseError> {
    let mut sources = Vec::new();
    for paragraph in paragraphs(origin, text, Comments::Allowed) {
        let paragraph = paragraph?;
        let words = |name: &str| -> Vec<String> {
            paragraph.field(name).map(|f| f.words().map(str::to_owned).collect()).unwrap_or_default()
        };
        let enabled = paragraph.get("Enabled").is_none_or(|v| !["no", "false", "off", "0"].contains(&v));
        if !enabled {
            continue;
        }
        for (name, expected) in [
            ("Types", "a paragraph with `Types: deb`"),
            ("URIs", "a paragraph with `URIs:`"),
            ("Suites", "a paragraph with `Suites:`"),
        ] {
            if words(name).is_empty() {
                return Err(ParseError::at(origin, text, paragraph.offset, expected));
            }
        }
        if !words("Types").iter().any(|t| t == "deb") {
            continue;
        }
        sources.push(Source {
            origin: origin.to_owned(),
            line: text.get(..paragraph.offset).unwrap_or_default().matches('\n').count().saturating_add(1),
            uris: words("URIs"),
            suites: words("Suites"),
            components: words("Components"),
            signed_by: signed_by(&paragraph),
        });
    }
    Ok(sources)
}

fn signed_by(paragraph: &Paragraph<'_>) -> SignedBy {
    let Some(field) = paragraph.field("Signed-By") else { return SignedBy::Unsaid };
    if !field.value.contains("-----BEGIN PGP") {
        return SignedBy::Files(field.words().map(|w| w.trim_end_matches(',').to_owned()).collect());
    }
    // Inside the field an empty line is written as a dot.
    let lines = field.lines().map(|l| if l == "." { "" } else { l });
    SignedBy::Key(lines.map(|l| format!("{l}\n")).collect())
}

/// Where Debian is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// The archive with the suite itself and its `-updates`.
    pub main: Mirror,
    /// The archive with `<suite>-security`.
    pub security: Option<Mirror>,
}

/// One archive and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The directory that holds `dists/` and `pool/`.
    pub at: Location,
    /// What its source says about keys.
    pub signed_by: SignedBy,
}

/// Suites that are Debian's, whatever the host runs: a host of one release builds images of another.
const SUITES: [&str; 14] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "buster",
    "experimental",
    "rc-buggy",
];

/// Picks the mirror of Debian and that of its security updates.
///
/// Others publish under Debian's suite names too, so a source counts more where it is signed with
/// Debian's archive keyring, and less where it has another key. A wrong guess does no harm: the
/// signature of what is fetched is checked.
///
/// # Errors
/// [`SourcesError::NoDebian`] where no source looks like Debian's.
pub fn mirrors(sources: &[Source]) -> Result<Mirrors, SourcesError> {
    let base = |suite: &str| SUITES.contains(&suite);
    let security = |suite: &str| {
        let stem = suite.strip_suffix("-security").or_else(|| suite.strip_suffix("/updates"));
        stem.is_some_and(base)
    };
    let main = best(sources, base).ok_or(SourcesError::NoDebian { looked_at: sources.len() })?;
    Ok(Mirrors { main, security: best(sources, security) })
}

fn best(sources: &[Source], is_suite: impl Fn(&str) -> bool) -> Option<Mirror> {
    let mut found: Option<(u8, Mirror)> = None;
    for source in sources {
        if !source.components.iter().any(|c| c == "main") || !source.suites.iter().any(|s| is_suite(s)) {
            continue;
        }
        let rank = match &source.signed_by {
            SignedBy::Files(files) if files.iter().any(|f| f.contains("debian-archive")) => 3,
            SignedBy::Unsaid => 2,
            SignedBy::Files(_) | SignedBy::Key(_) => 1,
        };
        // `cdrom:`, `mirror:` and other schemes are passed over; another source may do.
        let usable = source.uris.iter().find_map(|uri| uri.parse::<Location>().ok());
        let Some(at) = usable else { continue };
        if found.as_ref().is_none_or(|(best, _)| rank > *best) {
            found = Some((rank, Mirror { at, signed_by: source.signed_by.clone() }));
        }
    }
    found.map(|(_, mirror)| mirror)
}

/// Whether a directory is an archive with `dists/`, as opposed to a directory of packages.
#[must_use]
pub fn is_archive(files: &dyn Files) -> bool {
    files.stat("/dists").is_ok_and(|meta| matches!(meta.kind, FileKind::Dir | FileKind::Link))
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_hostfs::MemFiles;

    const DEB822: &str = "\
# made by the installer
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security/
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJKwYBBAHaRw8BAQdAD
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
";

    #[test]
    fn deb822_sources() {
        let host = MemFiles::new().file("/etc/apt/sources.list.d/debian.sources", DEB822);
        let sources = read(&host).unwrap();
        assert_eq!(sources.len(), 2);
        assert_eq!((sources[0].line, sources[0].suites.len()), (2, 2));
        let found = mirrors(&sources).unwrap();
        assert_eq!(found.main.at.to_string(), "http://mirror.example/debian");
        let security = found.security.unwrap();
        assert_eq!(security.at.to_string(), "http://security.example/debian-security/");
        let SignedBy::Key(key) = security.signed_by else { panic!("an inline key") };
        assert!(key.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME"), "{key}");
    }

    #[test]
    fn one_line_sources_and_strangers() {
        let list = "\
deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - Official amd64]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/other.gpg] https://tools.example/ bookworm main # theirs
deb http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
  deb   https://user:pw@mirror.example/debian-security   bookworm-security   main
deb https://pg.example/apt bookworm-pgdg main
";
        let host = MemFiles::new()
            .file("/etc/apt/sources.list", list)
            .file("/etc/apt/sources.list.d/x.list.save", "junk");
        let sources = read(&host).unwrap();
        assert_eq!(sources.len(), 5);
        assert_eq!(sources[1].signed_by, SignedBy::Files(vec!["/usr/share/keyrings/other.gpg".to_owned()]));
        let found = mirrors(&sources).unwrap();
        assert_eq!(found.main.at.to_string(), "http://mirror.example/debian");
        assert_eq!(found.security.unwrap().at.to_string(), "https://***@mirror.example/debian-security");
    }

    #[test]
    fn a_mirror_list_is_followed() {
        let text = "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: trixie\nComponents: main\n";
        let host = MemFiles::new().file("/etc/apt/sources.list.d/debian.sources", text).file(
            "/etc/apt/mirrors/debian.list",
            "# first\nhttps://a.example/debian priority:1\nhttps://b.example/debian\n",
        );
        let found = mirrors(&read(&host).unwrap()).unwrap();
        assert_eq!(found.main.at.to_string(), "https://a.example/debian");
        assert_eq!(found.security, None);
    }

    #[test]
    fn faults_are_named() {
        let at = |text: &str| read(&MemFiles::new().file("/etc/apt/sources.list", text)).unwrap_err();
        let SourcesError::Syntax(error) = at("# ok\ndebx http://x y z\n") else { panic!("syntax") };
        assert!(error.to_string().starts_with("/etc/apt/sources.list:2:1: "), "{error}");
        assert!(matches!(at("deb [arch=amd64 http://x y z\n"), SourcesError::Syntax(_)));
        assert!(matches!(at("deb http://x\n"), SourcesError::Syntax(_)));
        assert!(parse_deb822("f", "Types: deb\nURIs: x\n").is_err());
        let strangers = parse_list("f", "deb https://tools.example/ stable tools\n").unwrap();
        assert!(matches!(mirrors(&strangers), Err(SourcesError::NoDebian { looked_at: 1 })));
    }
}
