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

    /// The output as text: bytes that are no UTF-8 replaced, carriage returns dropped.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        // Looking first whether it is text is some times faster than `from_utf8_lossy`.
        let text = std::str::from_utf8(&self.out)
            .map_or_else(|_error| String::from_utf8_lossy(&self.out), Cow::Borrowed);
        if memchr::memchr(b'\r', text.as_bytes()).is_some() {
            Cow::Owned(text.replace('\r', ""))
        } else {
            text
        }
    }
}
