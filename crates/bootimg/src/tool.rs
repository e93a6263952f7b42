//! RAID makers' tools out of the packages that they are published in.
//!
//! A maker's download is an rpm, a deb, a zip or a tar, often one inside the other. What counts is what
//! is in it: a program for Linux on x86 whose name is that of a known tool. Nothing is run, and nothing
//! of the package but the program is kept.
//!
//! ```
//! use esos_bootimg::deb::DebWriter;
//! use esos_bootimg::tool::recognise;
//!
//! let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
//! elf.resize(64, 0);
//! (elf[16], elf[18]) = (2, 62);
//! let mut deb = DebWriter::new("Package: storcli\nVersion: 1\nArchitecture: amd64\n");
//! deb.file("opt/MegaRAID/storcli/storcli64", &elf, 0o755);
//! let tools = recognise("storcli.deb", &deb.finish())?;
//! assert_eq!(tools[0].name, "storcli64");
//! # Ok::<(), esos_bootimg::tool::ToolError>(())
//! ```
mod container;
mod rpm;
mod zip;

use container::{Member, members};

/// A tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The name that it gets in `/opt/sbin`.
    pub name: String,
    /// The program.
    pub bytes: Vec<u8>,
    /// Where it was found: the file, and the way into it.
    pub origin: String,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// A package is damaged.
    #[error("{origin} is a damaged {kind}: {why}")]
    Damaged {
        /// The file, and the way into it.
        origin: String,
        /// What it is.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Nothing known is in it.
    #[error("{origin} holds no RAID tool that is known ({}); it holds {}", NAMES.map(|n| n.1).join(", "), holds(found))]
    Nothing {
        /// The file.
        origin: String,
        /// Names of programs that are in it.
        found: Vec<String>,
    },
}

fn holds(found: &[String]) -> String {
    if found.is_empty() { "no program for Linux on x86".to_owned() } else { found.join(", ") }
}

/// Names of programs in lower case, and the name that each gets.
const NAMES: [(&str, &str); 13] = [
    ("megacli64", "MegaCli64"),
    ("megacli", "MegaCli"),
    ("storcli64", "storcli64"),
    ("storcli2", "storcli2"),
    ("storcli", "storcli"),
    ("perccli64", "perccli64"),
    ("perccli", "perccli"),
    ("arcconf", "arcconf"),
    ("hpacucli", "hpacucli"),
    ("hpssacli", "hpssacli"),
    ("ssacli", "ssacli"),
    ("cli64", "cli64"),
    ("tw_cli", "tw_cli"),
];

/// Packages within packages, to that depth.
const DEPTH: usize = 4;

/// Finds the tools in a package, or takes a program as it is.
///
/// # Errors
/// [`ToolError`].
pub fn recognise(origin: &str, bytes: &[u8]) -> Result<Vec<Tool>, ToolError> {
    let mut found = Found::default();
    let name = origin.rsplit('/').next().unwrap_or(origin).to_owned();
    found.look(Member { name, bytes: bytes.to_vec() }, origin, DEPTH)?;
    let mut tools: Vec<(Kind, Tool)> = Vec::new();
    for (kind, tool) in found.tools {
        match tools.iter_mut().find(|(_, t)| t.name == tool.name) {
            None => tools.push((kind, tool)),
            Some(held) if kind > held.0 => *held = (kind, tool),
            Some(_) => {}
        }
    }
    if tools.is_empty() {
        return Err(ToolError::Nothing { origin: origin.to_owned(), found: found.programs });
    }
    Ok(tools.into_iter().map(|(_, tool)| tool).collect())
}

/// Of two programs of one name the better one is taken: for 64 bits, and from a directory for Linux.
type Kind = (bool, bool);

#[derive(Default)]
struct Found {
    tools: Vec<(Kind, Tool)>,
    programs: Vec<String>,
}

impl Found {
    fn look(&mut self, member: Member, origin: &str, depth: usize) -> Result<(), ToolError> {
        if let Some(wide) = linux_program(&member.bytes) {
            let base = member.name.rsplit('/').next().unwrap_or(&member.name);
            let plain = base.to_ascii_lowercase();
            match NAMES.iter().find(|(lower, _)| *lower == plain) {
                Some((_, name)) => {
                    let linux = origin.to_ascii_lowercase().contains("linux");
                    let tool =
                        Tool { name: (*name).to_owned(), bytes: member.bytes, origin: origin.to_owned() };
                    self.tools.push(((wide, linux), tool));
                }
                None => self.programs.push(base.to_owned()),
            }
            return Ok(());
        }
        if depth == 0 {
            return Ok(());
        }
        for inner in members(origin, &member)? {
            let way = format!("{origin}: {}", inner.name);
            self.look(inner, &way, depth.saturating_sub(1))?;
        }
        Ok(())
    }
}

/// Whether it is an ELF program (or position-independent one) for Linux on x86; `Some(true)` for 64 bits.
fn linux_program(bytes: &[u8]) -> Option<bool> {
    let at = |n: usize| bytes.get(n).copied();
    let half = |n: usize| Some(u16::from_le_bytes([at(n)?, at(n.checked_add(1)?)?]));
    // ELF, little-endian, for System V or Linux.
    let elf = bytes.starts_with(b"\x7fELF") && at(5)? == 1 && matches!(at(7)?, 0 | 3);
    let program = elf && matches!(half(16)?, 2 | 3);
    match (program, at(4)?, half(18)?) {
        (true, 2, 62) => Some(true),
        (true, 1, 3) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::DebWriter;
    use crate::deb::{Entry, Kind as EntryKind, TreePath, tar};
    use proptest::prelude::*;
    use std::io::Write;

    fn elf(machine: u8, word: &[u8]) -> Vec<u8> {
        let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
        elf.resize(64, 0);
        (elf[4], elf[16], elf[18]) = (if machine == 62 { 2 } else { 1 }, 2, machine);
        elf.extend_from_slice(word);
        elf
    }

    fn tgz(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for (name, bytes) in files {
            let path = TreePath::parse(name.as_bytes()).unwrap();
            let entry = Entry::new(path, EntryKind::File { size: bytes.len() as u64 }, 0o755);
            gz.write_all(&tar::encode(&entry)).unwrap();
            gz.write_all(bytes).unwrap();
            gz.write_all(&vec![0; bytes.len().next_multiple_of(512) - bytes.len()]).unwrap();
        }
        gz.write_all(&[0; 1024]).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn packages_within_packages_are_opened() {
        let (linux, other) = (elf(62, b"linux"), elf(3, b"old"));
        let rpm =
            rpm::tests::rpm(&[("./opt/MegaRAID/MegaCli/MegaCli64", &linux), ("./opt/x/README", b"text")]);
        let inner = zip::tests::zip(&[("Linux/MegaCli.rpm", &rpm), ("Windows/MegaCli.exe", b"MZ")], true);
        let outer = zip::tests::zip(&[("all.zip", &inner), ("readme.txt", b"hello")], false);
        let tools = recognise("/tmp/8-07-14.zip", &outer).unwrap();
        assert_eq!(tools.len(), 1);
        assert_eq!((tools[0].name.as_str(), &tools[0].bytes), ("MegaCli64", &linux));
        assert_eq!(
            tools[0].origin,
            "/tmp/8-07-14.zip: all.zip: Linux/MegaCli.rpm: ./opt/MegaRAID/MegaCli/MegaCli64"
        );

        let tools = recognise("tw.tgz", &tgz(&[("x86/tw_cli", &other), ("x86_64/tw_cli", &linux)])).unwrap();
        assert_eq!((tools.len(), &tools[0].bytes), (1, &linux));
        let mut deb = DebWriter::new("Package: ssacli\nVersion: 1\nArchitecture: amd64\n");
        deb.file("opt/smartstorageadmin/ssacli/bin/ssacli", &linux, 0o755);
        assert_eq!(recognise("s.deb", &deb.finish()).unwrap()[0].name, "ssacli");
        assert_eq!(recognise("/x/CLI64", &linux).unwrap()[0].name, "cli64");
    }

    #[test]
    fn what_holds_nothing_says_what_it_holds() {
        let error = recognise("a.tgz", &tgz(&[("bin/other", &elf(62, b""))])).unwrap_err().to_string();
        assert!(error.contains("it holds other") && error.contains("storcli64"), "{error}");
        assert!(recognise("a.txt", b"text").unwrap_err().to_string().contains("no program for Linux"));
        let cut = tgz(&[("bin/arcconf", &elf(62, &[7; 3000]))]);
        let error = recognise("a.tgz", &cut[..cut.len() - 20]).unwrap_err();
        assert!(matches!(error, ToolError::Damaged { .. }), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_damaged_package_gives_an_answer(at in 0usize..2000, byte: u8, cut: bool, which in 0usize..3) {
            let linux = elf(62, &[7; 500]);
            let mut bytes = match which {
                0 => zip::tests::zip(&[("Linux/arcconf", &linux), ("b", b"text")], true),
                1 => rpm::tests::rpm(&[("./usr/Arcconf/arcconf", &linux)]),
                _ => tgz(&[("bin/arcconf", &linux)]),
            };
            let at = at % bytes.len();
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
            let _answer = recognise("x", &bytes);
        }
    }
}
