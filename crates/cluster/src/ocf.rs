//! The protocol between Pacemaker and a resource agent: actions, exit codes, parameters, meta-data
//! (OCF Resource Agent API 1.1).
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What an agent is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Bring it up.
    Start,
    /// Take it down.
    Stop,
    /// How is it?
    Monitor,
    /// Serve.
    Promote,
    /// Stop serving.
    Demote,
    /// Something happened, or is about to happen, to another instance.
    Notify,
    /// Take in changed parameters.
    Reload,
    /// The same, by the name of API 1.1.
    ReloadAgent,
    /// Are the parameters right?
    ValidateAll,
    /// Describe yourself.
    MetaData,
    /// How are you called?
    Usage,
}

impl Action {
    /// All actions with their names.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("start", Self::Start),
        ("stop", Self::Stop),
        ("monitor", Self::Monitor),
        ("status", Self::Monitor),
        ("promote", Self::Promote),
        ("demote", Self::Demote),
        ("notify", Self::Notify),
        ("reload", Self::Reload),
        ("reload-agent", Self::ReloadAgent),
        ("validate-all", Self::ValidateAll),
        ("meta-data", Self::MetaData),
        ("usage", Self::Usage),
        ("help", Self::Usage),
    ];
}

/// There is no such action: an agent answers it with [`OcfExit::Unimplemented`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action of an OCF agent")]
pub struct UnknownAction(pub String);

impl FromStr for Action {
    type Err = UnknownAction;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(n, _)| *n == text).map(|(_, a)| *a);
        found.ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, a)| a == self).map_or("", |(n, _)| n))
    }
}

/// What an agent answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum OcfExit {
    /// 0: done; of a monitor: running (unpromoted).
    Success = 0,
    /// 1: failed; Pacemaker recovers.
    Generic = 1,
    /// 2: parameters that are wrong on this node. Never tried again here.
    Args = 2,
    /// 3: no such action.
    Unimplemented = 3,
    /// 4: not allowed. Never tried again here.
    Perm = 4,
    /// 5: something that is needed is not installed. Never tried again here.
    Installed = 5,
    /// 6: the configuration is wrong everywhere. Never tried again on any node.
    Configured = 6,
    /// 7: cleanly not running.
    NotRunning = 7,
    /// 8: running and promoted.
    RunningPromoted = 8,
    /// 9: promoted, and failed.
    FailedPromoted = 9,
}

impl OcfExit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> i32 {
        // The variants are the numbers.
        self as i32
    }
}

/// What an agent finds in its environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OcfRequest {
    /// Parameters, without `OCF_RESKEY_`.
    pub params: BTreeMap<String, String>,
    /// Meta parameters, without `OCF_RESKEY_CRM_meta_`.
    pub meta: BTreeMap<String, String>,
    /// The instance.
    pub instance: Option<String>,
}

impl OcfRequest {
    /// Reads an environment.
    pub fn from_env(env: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut out = Self::default();
        for (key, value) in env {
            if let Some(name) = key.strip_prefix("OCF_RESKEY_CRM_meta_") {
                out.meta.insert(name.to_owned(), value);
            } else if let Some(name) = key.strip_prefix("OCF_RESKEY_") {
                out.params.insert(name.to_owned(), value);
            } else if key == "OCF_RESOURCE_INSTANCE" {
                out.instance = Some(value);
            }
        }
        out
    }

    /// A parameter that is not empty.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Whether this monitor is a probe: one look, to find out whether it runs here.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.meta.get("interval").is_none_or(|i| i == "0")
    }

    /// A list of node names of a notification: `notify_promote_uname`, …
    #[must_use]
    pub fn nodes(&self, name: &str) -> Vec<String> {
        let list = self.meta.get(name).map(String::as_str).unwrap_or("");
        list.split_ascii_whitespace().map(str::to_owned).collect()
    }

    /// A notification: `pre` or `post`, and of what.
    #[must_use]
    pub fn notification(&self) -> Option<(String, String)> {
        let get = |k: &str| self.meta.get(k).filter(|v| !v.is_empty()).cloned();
        Some((get("notify_type")?, get("notify_operation")?))
    }

    /// The time-out of this action, in milliseconds.
    #[must_use]
    pub fn timeout_ms(&self) -> Option<u64> {
        self.meta.get("timeout")?.parse().ok()
    }
}

/// One parameter of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// `string`, `integer`, `boolean`, `time`.
    pub content: &'static str,
    /// Its default.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// In a few words.
    pub short: &'static str,
    /// In a sentence or more.
    pub long: &'static str,
}

/// An agent's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaData {
    /// Its name, without provider.
    pub name: &'static str,
    /// In a few words.
    pub short: &'static str,
    /// In a sentence or more.
    pub long: &'static str,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its actions with their time-outs in seconds, their intervals and roles.
    pub actions: Vec<(&'static str, u32, Option<u32>, Option<&'static str>)>,
}

impl MetaData {
    /// As XML that `ra-api-1.dtd` and the schema of API 1.1 take.
    #[must_use]
    pub fn to_xml(&self, version: &str) -> String {
        let esc = |t: &str| {
            t.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
        };
        let mut out = format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">\n<resource-agent name=\"{}\" version=\"{}\">\n<version>1.1</version>\n<longdesc lang=\"en\">{}</longdesc>\n<shortdesc lang=\"en\">{}</shortdesc>\n<parameters>\n",
            esc(self.name),
            esc(version),
            esc(self.long),
            esc(self.short)
        );
        for p in &self.parameters {
            let default = p.default.map(|d| format!(" default=\"{}\"", esc(d))).unwrap_or_default();
            out.push_str(&format!(
                "<parameter name=\"{}\" unique=\"0\" required=\"{}\">\n<longdesc lang=\"en\">{}</longdesc>\n<shortdesc lang=\"en\">{}</shortdesc>\n<content type=\"{}\"{default}/>\n</parameter>\n",
                esc(p.name), u8::from(p.required), esc(p.long), esc(p.short), esc(p.content)
            ));
        }
        out.push_str("</parameters>\n<actions>\n");
        for (name, timeout, interval, role) in &self.actions {
            let interval = interval.map(|i| format!(" interval=\"{i}s\"")).unwrap_or_default();
            let role = role.map(|r| format!(" role=\"{r}\"")).unwrap_or_default();
            let depth = if *name == "monitor" { " depth=\"0\"" } else { "" };
            out.push_str(&format!(
                "<action name=\"{name}\" timeout=\"{timeout}s\"{interval}{depth}{role}/>\n"
            ));
        }
        out.push_str("</actions>\n</resource-agent>\n");
        out
    }
}
