//! PAX extended headers: lines `<length> <key>=<value>`.
use super::Fault;
use std::collections::BTreeMap;

/// What a PAX header overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) mtime: Option<i64>,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
}

impl Pax {
    /// Takes the records of one header; later ones win, an empty value takes the override away.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(Fault::Pax)?;
            bytes = rest;
            self.take(key, value)?;
        }
        Ok(())
    }

    fn take(&mut self, key: &str, value: &[u8]) -> Result<(), Fault> {
        let text = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            "path" => self.path = text(),
            "linkpath" => self.link = text(),
            "size" => self.size = number(value, "size")?,
            "uid" => self.uid = number(value, "uid")?,
            "gid" => self.gid = number(value, "gid")?,
            "mtime" => self.mtime = seconds(value)?,
            _ if key.starts_with("GNU.sparse.") => return Err(Fault::Unsupported("a sparse file")),
            _ if key.starts_with("SCHILY.acl.") => return Err(Fault::Unsupported("an access control list")),
            _ => {
                if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                    if name.is_empty() || name.len() > 255 || name.contains('\0') || value.len() > 65536 {
                        return Err(Fault::Pax);
                    }
                    self.xattrs.insert(name.to_owned(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

fn record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|b| *b == b' ')?;
    let digits = bytes.get(..space).filter(|d| !d.is_empty() && d.iter().all(u8::is_ascii_digit))?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let line = bytes.get(space.checked_add(1)?..length)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|b| *b == b'=')?;
    let key = std::str::from_utf8(line.get(..equals)?).ok().filter(|k| !k.is_empty())?;
    Some((key, line.get(equals.checked_add(1)?..)?, bytes.get(length..)?))
}

fn number(value: &[u8], field: &'static str) -> Result<Option<u64>, Fault> {
    if value.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(value).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
    text.and_then(|t| t.parse().ok()).map(Some).ok_or(Fault::Number { field })
}

/// Whole seconds, rounded down.
fn seconds(value: &[u8]) -> Result<Option<i64>, Fault> {
    let fault = Fault::Number { field: "mtime" };
    let Ok(text) = std::str::from_utf8(value) else { return Err(fault) };
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fault);
    }
    let Ok(seconds) = whole.parse::<i64>() else { return Err(fault) };
    let down = whole.starts_with('-') && part.bytes().any(|b| b != b'0');
    Ok(Some(if down { seconds.saturating_sub(1) } else { seconds }))
}

/// Appends one record; its length counts itself.
pub(crate) fn write_record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let fixed = key.len().saturating_add(value.len()).saturating_add(3);
    let mut length = fixed;
    loop {
        let whole = fixed.saturating_add(length.to_string().len());
        if whole == length {
            break;
        }
        length = whole;
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_refused() {
        for bad in ["", "5 a=b", "6 a=b\n\n", "x a=b\n", "99999999999999999999 a=b\n", "7 ab\n", "6 a=b\nx"] {
            let read = Pax::default().read(bad.as_bytes());
            assert_eq!(read.is_ok(), bad.is_empty(), "{bad:?}");
        }
        let sparse = Pax::default().read(b"22 GNU.sparse.major=1\n");
        assert!(matches!(sparse, Err(Fault::Unsupported(_))), "{sparse:?}");
    }

    proptest! {
        #[test]
        fn written_records_are_read(value in proptest::collection::vec(any::<u8>(), 1..300)) {
            let mut bytes = Vec::new();
            write_record(&mut bytes, "SCHILY.xattr.user.x", &value);
            write_record(&mut bytes, "mtime", b"-1.5");
            let mut pax = Pax::default();
            pax.read(&bytes).unwrap();
            prop_assert_eq!(pax.xattrs.get("user.x"), Some(&value));
            prop_assert_eq!(pax.mtime, Some(-2));
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _answer = Pax::default().read(&bytes);
        }
    }
}
