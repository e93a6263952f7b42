//! What is mounted where.
use esos_diag::ParseError;
use esos_units::DevNo;

/// One line of `/proc/PID/mountinfo` (proc_pid_mountinfo(5), Linux 2.6.26 and later).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: u32,
    /// The number of the mount that it lies on.
    pub parent: u32,
    /// The device that holds the files; major 0 for file systems without one.
    pub dev: DevNo,
    /// What of the file system is mounted; `/` unless it is a bind mount or a subvolume.
    pub root: String,
    /// Where.
    pub target: String,
    /// Options of this mount (`ro`, `noatime`).
    pub options: Vec<String>,
    /// The file system's type.
    pub fs_type: String,
    /// The device or name that was given; what the kernel knows is [`Self::dev`].
    pub source: String,
    /// Options of the file system itself (`rw`, `errors=remount-ro`).
    pub super_options: Vec<String>,
}

impl Mount {
    /// Whether files can be written through this mount.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        let has = |options: &[String], word: &str| options.iter().any(|o| o == word);
        !has(&self.options, "ro") && !has(&self.super_options, "ro")
    }

    /// Reads a whole `mountinfo`.
    ///
    /// ```
    /// use esos_hostfs::Mount;
    ///
    /// let text = "27 1 8:2 / /mnt/my\\040logs rw,noatime - ext4 /dev/sda2 rw,errors=remount-ro\n";
    /// let mounts = Mount::parse_all("/proc/self/mountinfo", text)?;
    /// assert_eq!(mounts[0].target, "/mnt/my logs");
    /// assert_eq!(mounts[0].dev.to_string(), "8:2");
    /// # Ok::<(), esos_diag::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// The line that is no mount, and what is missing in it.
    pub fn parse_all(origin: &str, text: &str) -> Result<Vec<Self>, ParseError> {
        let mut mounts = Vec::new();
        let mut offset = 0usize;
        for line in text.split_inclusive('\n') {
            if !line.trim().is_empty() {
                let mount =
                    parse_line(line).map_err(|expected| ParseError::at(origin, text, offset, expected))?;
                mounts.push(mount);
            }
            offset = offset.saturating_add(line.len());
        }
        Ok(mounts)
    }
}

fn parse_line(line: &str) -> Result<Mount, &'static str> {
    let (front, back) =
        line.trim_end_matches('\n').split_once(" - ").ok_or("` - ` between mount and file system")?;
    let mut front = front.split(' ');
    let mut word = |what| front.next().filter(|w| !w.is_empty()).ok_or(what);
    let id = word("the mount's number")?.parse().map_err(|_not| "the mount's number")?;
    let parent = word("the parent's number")?.parse().map_err(|_not| "the parent's number")?;
    let dev =
        word("a device number `major:minor`")?.parse().map_err(|_not| "a device number `major:minor`")?;
    let root = unescape(word("the root within the file system")?);
    let target = unescape(word("the mount point")?);
    let options = list(word("mount options")?);
    let mut back = back.split(' ');
    let mut word = |what| back.next().ok_or(what);
    Ok(Mount {
        id,
        parent,
        dev,
        root,
        target,
        options,
        fs_type: unescape(word("the file system's type")?),
        source: unescape(word("the source")?),
        super_options: list(word("the file system's options")?),
    })
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|o| !o.is_empty()).map(unescape).collect()
}

/// The kernel writes space, tab, line end, `#` and backslash as three octal digits.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    let mut rest = text;
    while let Some(b) = bytes.next() {
        let code = rest.get(1..4).and_then(|d| u8::from_str_radix(d, 8).ok());
        match (b, code) {
            (b'\\', Some(code)) => {
                out.push(code);
                bytes.by_ref().take(3).for_each(drop);
                rest = rest.get(4..).unwrap_or("");
            }
            _ => {
                out.push(b);
                // Continuation bytes of a character: `rest` moves with its first byte only.
                let width = rest.chars().next().map_or(1, char::len_utf8);
                for _ in 1..width {
                    out.extend(bytes.next());
                }
                rest = rest.get(width..).unwrap_or("");
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn optional_fields_and_spaces() {
        let text = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n\
                    37 35 0:21 / /a\\040b\\134c ro - tmpfs tmpfs rw\n";
        let mounts = Mount::parse_all("t", text).unwrap();
        assert_eq!((mounts[0].fs_type.as_str(), mounts[0].root.as_str()), ("ext3", "/mnt1"));
        assert_eq!(mounts[1].target, "/a b\\c");
        assert!(mounts[0].is_writable() && !mounts[1].is_writable());
    }

    #[test]
    fn a_cut_line_is_an_error_with_its_line() {
        let e = Mount::parse_all("mountinfo", "36 35 98:0 / / rw - ext3 /dev/root rw\n37 35\n").unwrap_err();
        assert_eq!(e.position.line, 2);
        assert_eq!(e.line_text, "37 35");
    }

    proptest! {
        #[test]
        fn what_the_kernel_escapes_comes_back(name in "[ -~äö\\t\\n]{0,20}") {
            let escaped: String = name.chars().map(|c| match c {
                ' ' | '\t' | '\n' | '\\' | '#' => format!("\\{:03o}", u32::from(c)),
                c => c.to_string(),
            }).collect();
            prop_assert_eq!(unescape(&escaped), name);
        }

        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = Mount::parse_all("x", &text);
        }
    }
}
