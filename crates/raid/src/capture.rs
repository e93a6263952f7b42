//! One run of a tool.
use std::borrow::Cow;

/// One run of a tool: what was asked and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capture {
    /// Its name, such as `getconfig` or `ld.0`: the folder in a captured case.
    pub name: String,
    /// The command line as one text.
    pub cmd: String,
    /// Its standard output, byte for byte.
    pub out: Vec<u8>,
    /// Its standard error, where that was kept.
    pub err: Option<Vec<u8>>,
    /// Its exit status, where that was observed.
    pub rc: Option<i32>,
}

impl Capture {
    /// A capture of which only the standard output is known.
    #[must_use]
    pub fn new(name: &str, cmd: &str, out: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), cmd: cmd.to_owned(), out: out.into(), err: None, rc: None }
    }

    /// The output as text: bytes that are no UTF-8 replaced, carriage returns dropped. What a Windows
    /// shell wrote into a file (UTF-16, or with a byte order mark) is text as any other.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if let Some(wide) = self.out.strip_prefix(&[0xff, 0xfe]) {
            let units = wide.chunks(2).map(|pair| match pair {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => 0xfffd,
            });
            let text: String =
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            return Cow::Owned(text.replace('\r', ""));
        }
        let out = self.out.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.out);
        // Looking first whether it is text is some times faster than `from_utf8_lossy`.
        let text = std::str::from_utf8(out).map_or_else(|_error| String::from_utf8_lossy(out), Cow::Borrowed);
        if memchr::memchr(b'\r', text.as_bytes()).is_some() {
            Cow::Owned(text.replace('\r', ""))
        } else {
            text
        }
    }
}
