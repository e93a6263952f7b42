//! Answers of `crm_resource` (`--locate`, `--why`) and `stonith_admin` (lists, history), as XML or text.
use crate::model::FenceEvent;
use crate::monitor::{MonitorError, fence};
use crate::words::Role;
use crate::xml::{children, parse};
use esos_diag::ParseError;
use roxmltree::Node as Xml;
use serde::Serialize;

/// Where a resource runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Located {
    /// The resource that was asked for; text that says nothing leaves it out.
    pub resource: Option<String>,
    /// Its nodes; with [`Role::Promoted`] where that is said, [`Role::Started`] else.
    pub nodes: Vec<(String, Role)>,
}

/// What `crm_resource --why` checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Why {
    /// Whether what was asked for runs, where one thing was asked for and it is said.
    pub running: Option<bool>,
    /// One row a resource; a check without a row of its own is one, too.
    pub resources: Vec<Checked>,
}

/// One resource of [`Why`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// The resource.
    pub id: String,
    /// Whether it runs, where that is said.
    pub running: Option<bool>,
    /// Where it runs, where that is said.
    pub host: Option<String>,
    /// What was found about it: `remain_stopped`, `promotable`, `unmanaged`, `locked-to`, `unhealthy`, or a
    /// word not known, with its value.
    pub found: Vec<(String, String)>,
}

/// A list of `stonith_admin`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct FenceList {
    /// What it lists: `registered fence devices`, `fencing history`, …
    pub name: String,
    /// Devices, targets or agents.
    pub items: Vec<String>,
    /// Fencing, in the order of the output.
    pub events: Vec<FenceEvent>,
}

impl Checked {
    /// What was found, one sentence; `None` where nothing was.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let id = &self.id;
        let one = |(word, value): &(String, String)| match (word.as_str(), value.as_str()) {
            ("remain_stopped", "true") => {
                format!("{id} is to stay stopped (target-role): start it with `crm resource start {id}`")
            }
            ("promotable", "false") => format!("{id} is to stay unpromoted (target-role)"),
            ("unmanaged", "true") => {
                format!("{id} is unmanaged: give it back with `crm resource manage {id}`")
            }
            ("locked-to", node) => format!("{id} is locked to {node}, which was shut down (shutdown-lock)"),
            ("unhealthy", "true") => format!("the health of the node keeps {id} away"),
            (word, value) => format!("{id}: {word} is {value}"),
        };
        let said: Vec<String> = self.found.iter().map(one).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

fn answer<T>(
    origin: &str,
    text: &str,
    expected: &str,
    read: impl FnOnce(Xml<'_, '_>) -> Option<T>,
) -> Result<T, MonitorError> {
    let tree = parse(origin, text)?;
    let root = tree.root();
    crate::monitor::failed(root)?;
    let found = (root.tag_name().name() == "pacemaker-result").then(|| read(root)).flatten();
    found.ok_or_else(|| ParseError::at(origin, text, root.range().start, expected).into())
}

/// Reads `crm_resource --locate`, XML or text.
///
/// # Errors
/// It is neither, or says that there is no such resource.
pub fn located(origin: &str, text: &str) -> Result<Located, MonitorError> {
    if text.trim_start().starts_with('<') {
        return answer(origin, text, "the output of `crm_resource --locate`", |root| {
            let list = children(root, "nodes").next()?;
            let nodes = children(list, "node").map(|n| {
                let role = n.attribute("state").map_or(Role::Started, |s| match s {
                    "promoted" | "Master" => Role::Promoted,
                    other => Role::from_word(other),
                });
                (n.text().unwrap_or("").trim().to_owned(), role)
            });
            Some(Located { resource: list.attribute("resource").map(str::to_owned), nodes: nodes.collect() })
        });
    }
    let mut out = Located::default();
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim();
        if line.is_empty() {
            continue;
        }
        let Some(rest) = line.strip_prefix("resource ") else {
            return Err(ParseError::at(origin, text, start, "`resource NAME is running on: NODE`").into());
        };
        if let Some((name, node)) = rest.split_once(" is running on: ") {
            let mut words = node.split_ascii_whitespace();
            let name_of_node = words.next().unwrap_or("").to_owned();
            let role = words.next().map_or(Role::Started, Role::from_word);
            out.resource = Some(name.to_owned());
            out.nodes.push((name_of_node, role));
        } else if let Some(name) = rest.strip_suffix(" is NOT running") {
            out.resource = Some(name.to_owned());
        } else {
            return Err(
                ParseError::at(origin, text, start, "`is running on: NODE` or `is NOT running`").into()
            );
        }
    }
    if out.resource.is_none() {
        return Err(ParseError::truncated(origin, text, "`resource NAME is running on: NODE`").into());
    }
    Ok(out)
}

/// Reads `crm_resource --why --output-as=xml`.
///
/// # Errors
/// It is not that, or says that there is no such resource.
pub fn why(origin: &str, text: &str) -> Result<Why, MonitorError> {
    answer(origin, text, "the output of `crm_resource --why --output-as=xml`", |root| {
        let reason = children(root, "reason").next()?;
        let yes = |n: Xml<'_, '_>| n.attribute("running").map(|v| v == "true");
        let mut out = Why { running: yes(reason), ..Why::default() };
        for list in children(reason, "resources") {
            for r in children(list, "resource") {
                let mut row = Checked {
                    id: r.attribute("id").unwrap_or("").to_owned(),
                    running: yes(r),
                    host: r.attribute("host").map(str::to_owned),
                    found: Vec::new(),
                };
                children(r, "check").for_each(|c| row.found.extend(found(c)));
                out.resources.push(row);
            }
        }
        for c in children(reason, "check") {
            let id = c.attribute("id").unwrap_or("").to_owned();
            out.resources.push(Checked { id, running: None, host: None, found: found(c) });
        }
        Some(out)
    })
}

fn found(check: Xml<'_, '_>) -> Vec<(String, String)> {
    let more = check.attributes().filter(|a| a.name() != "id");
    more.map(|a| (a.name().to_owned(), a.value().to_owned())).collect()
}

/// Reads a list of `stonith_admin --output-as=xml`: devices, targets, agents, history.
///
/// # Errors
/// It is not that, its count does not fit, or it says what failed.
pub fn fence_list(origin: &str, text: &str) -> Result<FenceList, MonitorError> {
    answer(origin, text, "a list of `stonith_admin --output-as=xml`, as long as its `count`", |root| {
        let list = children(root, "list").next()?;
        let out = FenceList {
            name: list.attribute("name").unwrap_or("").to_owned(),
            items: children(list, "item").filter_map(|n| n.text()).map(|t| t.trim().to_owned()).collect(),
            events: children(list, "fence_event").map(fence).collect(),
        };
        let count = list.attribute("count").and_then(|c| c.parse::<usize>().ok());
        (count == Some(out.items.len().saturating_add(out.events.len()))).then_some(out)
    })
}
