//! The shape of a manifest file.
use std::collections::BTreeMap;

use esos_diag::ParseError;
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Source {
    pub(super) base: Base,
    pub(super) description: String,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) image: Vec<String>,
    pub(super) suite: BTreeMap<String, OfSuite>,
    pub(super) provided: BTreeMap<String, String>,
    pub(super) drop: Vec<Drop>,
    pub(super) modules: Modules,
    pub(super) initramfs: Vec<Group>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Base {
    #[default]
    Default,
    None,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OfSuite {
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Modules {
    pub(super) drop: Vec<ModuleDrop>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drop {
    paths: Vec<String>,
    #[serde(default)]
    keep: Vec<String>,
    reason: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModuleDrop {
    paths: Vec<String>,
    reason: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    #[serde(default)]
    load: Vec<String>,
    #[serde(default)]
    modules: Vec<String>,
    #[serde(default)]
    capture: bool,
    reason: String,
}

impl Source {
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, ParseError> {
        let source: Self = toml(origin, text)?;
        if let Some(other) = source.suite.keys().find(|s| s.parse::<super::Suite>().is_err()) {
            let at = text.find(&format!("[suite.{other}")).unwrap_or(0);
            return Err(ParseError::at(origin, text, at, "[suite.NAME] with NAME one of trixie or bookworm"));
        }
        Ok(source)
    }
}

/// Reads TOML; what serde says is the expectation.
pub(super) fn toml<T: serde::de::DeserializeOwned>(origin: &str, text: &str) -> Result<T, ParseError> {
    ::toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        ParseError::at(origin, text, at, format!("a manifest ({})", e.message()))
    })
}

impl From<Drop> for super::Drop {
    fn from(d: Drop) -> Self {
        Self { paths: d.paths, keep: d.keep, reason: d.reason }
    }
}

impl From<ModuleDrop> for super::ModuleDrop {
    fn from(d: ModuleDrop) -> Self {
        Self { paths: d.paths, reason: d.reason }
    }
}

impl From<Group> for super::InitramfsGroup {
    fn from(g: Group) -> Self {
        Self { load: g.load, modules: g.modules, capture: g.capture, reason: g.reason }
    }
}
