//! The control data of a package.
use super::tar::Reader;
use super::{DebError, Fault, TreePath};
use std::collections::BTreeMap;
use std::io::Read;

/// A maintainer script. They are read, never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Script {
    /// Before unpacking.
    PreInst,
    /// After unpacking.
    PostInst,
    /// Before removing.
    PreRm,
    /// After removing.
    PostRm,
    /// The debconf questions.
    Config,
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The text of `control`.
    pub text: String,
    /// Files of the package that an operator may edit.
    pub conffiles: Vec<TreePath>,
    /// Lines of `triggers`, without comments.
    pub triggers: Vec<String>,
    /// Maintainer scripts; bytes that are not UTF-8 are replaced.
    pub scripts: BTreeMap<Script, String>,
    fields: Vec<(String, String)>,
}

impl Control {
    pub(crate) fn read<R: Read>(tar: &mut Reader<R>) -> Result<Self, DebError> {
        let mut control = Self::default();
        let mut found = false;
        while let Some(entry) = tar.next_entry()? {
            if !entry.kind.is_file() {
                continue;
            }
            let script = match entry.path.as_str() {
                "preinst" => Some(Script::PreInst),
                "postinst" => Some(Script::PostInst),
                "prerm" => Some(Script::PreRm),
                "postrm" => Some(Script::PostRm),
                "config" => Some(Script::Config),
                "control" | "conffiles" | "triggers" => None,
                _ => continue,
            };
            let bytes = tar.read_content(4 << 20)?;
            if let Some(script) = script {
                control.scripts.insert(script, String::from_utf8_lossy(&bytes).into_owned());
                continue;
            }
            let text =
                String::from_utf8(bytes).map_err(|_not_utf8| tar.error(Fault::Control("it is not UTF-8")))?;
            match entry.path.as_str() {
                "control" => {
                    control.fields = fields(&text).map_err(|why| tar.error(Fault::Control(why)))?;
                    control.text = text;
                    found = true;
                }
                "conffiles" => {
                    for line in text.lines().filter(|l| !l.trim().is_empty()) {
                        // `remove-on-upgrade /etc/x` names a file that the package no longer has.
                        let Some(name) = line.trim().strip_prefix('/') else { continue };
                        let path = TreePath::parse(name.as_bytes())
                            .map_err(|reason| tar.error(Fault::Path { name: name.to_owned(), reason }))?;
                        control.conffiles.push(path);
                    }
                }
                _ => {
                    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
                    control.triggers = lines.map(str::to_owned).collect();
                }
            }
        }
        if found { Ok(control) } else { Err(tar.error(Fault::Control("there is none"))) }
    }

    /// A field by name, in any case; lines after the first keep their leading blank.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

fn fields(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.trim_end().lines() {
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut().ok_or("it begins with a continuation line")?;
            value.push('\n');
            value.push_str(line.trim_end());
        } else if !line.starts_with('#') {
            let (key, value) =
                line.split_once(':').ok_or("a line has no colon, or there are two paragraphs")?;
            let good = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
            if !good {
                return Err("a field has a name that is none");
            }
            if fields.iter().any(|(k, _)| k.eq_ignore_ascii_case(key)) {
                return Err("a field stands there twice");
            }
            fields.push((key.to_owned(), value.trim().to_owned()));
        }
    }
    let has = |name: &str| fields.iter().any(|(k, v)| k.eq_ignore_ascii_case(name) && !v.is_empty());
    if has("Package") && has("Version") { Ok(fields) } else { Err("it lacks Package or Version") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_control_files_look_like() {
        let got = fields("Package: a\nVersion: 1:2-3\nDescription: short\n long\n .\n more\n").unwrap();
        assert_eq!(got[2], ("Description".to_owned(), "short\n long\n .\n more".to_owned()));
        for bad in ["", "Package: a\n", "Package a\n", " x\n", "Package: a\nVersion: 1\npackage: b\n"] {
            assert!(fields(bad).is_err(), "{bad:?}");
        }
    }
}
