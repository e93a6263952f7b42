//! Headers of init scripts (LSB 3.1 §20.8, with Debian's `X-` fields).
use std::collections::BTreeSet;

/// What the header of an init script says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header {
    pub(crate) provides: Vec<String>,
    pub(crate) required_start: Vec<String>,
    pub(crate) should_start: Vec<String>,
    pub(crate) start_before: Vec<String>,
    pub(crate) required_stop: Vec<String>,
    pub(crate) should_stop: Vec<String>,
    pub(crate) stop_after: Vec<String>,
    pub(crate) start: BTreeSet<char>,
    pub(crate) stop: BTreeSet<char>,
}

impl Header {
    /// `None` where the script has no header.
    pub(crate) fn parse(script: &str) -> Option<Self> {
        let (_, rest) = script.split_once("### BEGIN INIT INFO")?;
        let (text, _) = rest.split_once("### END INIT INFO")?;
        let mut header = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.trim_start_matches('#').trim().split_once(':') else { continue };
            let words = || value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let levels = || value.chars().filter(|c| matches!(c, '0'..='6' | 'S')).collect::<BTreeSet<_>>();
            match key.to_ascii_lowercase().as_str() {
                "provides" => header.provides = words(),
                "required-start" => header.required_start = words(),
                "should-start" => header.should_start = words(),
                "x-start-before" => header.start_before = words(),
                "required-stop" => header.required_stop = words(),
                "should-stop" => header.should_stop = words(),
                "x-stop-after" => header.stop_after = words(),
                "default-start" => header.start = levels(),
                "default-stop" => header.stop = levels(),
                _ => {}
            }
        }
        Some(header)
    }
}
