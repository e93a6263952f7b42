//! `crm_mon --output-as=xml` of Pacemaker 2.1 and 3, and the older `--as-xml`.
use crate::model::{Ban, Cluster, Dc, Extra, Failure, FenceEvent, Kind, Node, Operation, Resource};
use crate::words::{Fencing, Role};
use crate::xml::{Tree, children, parse};
use esos_diag::ParseError;
use roxmltree::Node as Xml;

/// What a tool of Pacemaker said instead of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The text is no such document.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The tool failed; its own words.
    #[error("{}", .0)]
    Tool(crate::ToolFailure),
}

/// A state with what was odd about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Seen {
    /// The state.
    pub cluster: Cluster,
    /// What was odd: unknown words, gaps.
    pub warnings: Vec<String>,
}

/// Reads the output of `crm_mon`, or of `crm_simulate` (its first state).
///
/// # Errors
/// The text is no such document, or says that the cluster cannot be reached.
pub fn monitor(origin: &str, text: &str) -> Result<Seen, MonitorError> {
    let tree = parse(origin, text)?;
    let root = tree.root();
    failed(root)?;
    let known = ["pacemaker-result", "crm_mon"].contains(&root.tag_name().name());
    let at = ["cluster_status", "revised_cluster_status"]
        .into_iter()
        .find_map(|n| children(root, n).next())
        .unwrap_or(root);
    if !known || (children(at, "nodes").next().is_none() && children(at, "summary").next().is_none()) {
        return Err(MonitorError::Parse(ParseError::at(
            origin,
            text,
            root.range().start,
            "the output of `crm_mon --output-as=xml`",
        )));
    }
    Ok(read(&tree, at))
}

/// What a tool of Pacemaker says at the end of its XML.
pub(crate) fn failed(root: Xml<'_, '_>) -> Result<(), MonitorError> {
    let status = children(root, "status").next();
    let code = status.and_then(|s| s.attribute("code")).and_then(|c| c.parse::<i32>().ok());
    let (Some(code), Some(status)) = (code.filter(|c| *c != 0), status) else { return Ok(()) };
    let said: Vec<&str> =
        status.descendants().filter(|n| n.has_tag_name("error")).filter_map(|n| n.text()).collect();
    Err(MonitorError::Tool(crate::ToolFailure::of(Some(code), &said.join("\n"))))
}

/// The state after what `crm_simulate` played.
///
/// # Errors
/// The text is no output of `crm_simulate`.
pub fn simulated(origin: &str, text: &str) -> Result<Seen, MonitorError> {
    let tree = parse(origin, text)?;
    let Some(at) = children(tree.root(), "revised_cluster_status").next() else {
        let e = ParseError::at(origin, text, 0, "the output of `crm_simulate --simulate --output-as=xml`");
        return Err(MonitorError::Parse(e));
    };
    Ok(read(&tree, at))
}

fn read(tree: &Tree<'_>, at: Xml<'_, '_>) -> Seen {
    let mut seen = Seen::default();
    let mut grouped = Vec::new();
    let c = &mut seen.cluster;
    c.api_version =
        tree.root().attribute("api-version").or(tree.root().attribute("version")).map(str::to_owned);
    for part in at.children().filter(Xml::is_element) {
        match part.tag_name().name() {
            "summary" => summary(part, c),
            "nodes" => {
                c.nodes = children(part, "node").map(|n| node(n, &mut seen.warnings)).collect();
                // Grouped by node, resources stand below the node that runs them.
                grouped.extend(children(part, "node").flat_map(|n| children(n, "resource")));
            }
            "resources" => {
                c.resources = part.children().filter_map(|n| resource(n, &mut seen.warnings)).collect();
            }
            "node_attributes" => {
                for n in children(part, "node") {
                    let list = c.attributes.entry(text(n, "name")).or_default();
                    list.extend(children(n, "attribute").map(|a| (text(a, "name"), text(a, "value"))));
                }
            }
            "node_history" => c.history = history(part),
            "failures" => c.failures = children(part, "failure").map(failure).collect(),
            "fence_history" => {
                c.fencing = children(part, "fence_event").map(fence).collect();
                // 102: not connected; the fencer could not be asked.
                if part.attribute("status").is_some_and(|s| s != "0") {
                    seen.warnings.push("the history of fencing could not be read".to_owned());
                }
            }
            "bans" => c.bans = children(part, "ban").map(ban).collect(),
            _ => {}
        }
    }
    for n in grouped {
        gather(n, c, &mut seen.warnings);
    }
    derive(c);
    for e in &c.fencing {
        if !e.state.is_known() {
            seen.warnings.push(format!("fencing of {}: `{}` is not known", e.target, e.state));
        }
    }
    if c.quorum.is_none() && c.dc.is_some() {
        seen.warnings.push("nothing is said about quorum".to_owned());
    }
    for r in c.resources.iter().flat_map(Resource::all) {
        for n in r.nodes.iter().filter(|n| c.node(n).is_none()) {
            seen.warnings.push(format!("{} runs on {n}, which is not among the nodes", r.id));
        }
    }
    seen.warnings.sort();
    seen.warnings.dedup();
    seen
}

fn text(n: Xml<'_, '_>, name: &str) -> String {
    n.attribute(name).unwrap_or("").to_owned()
}

fn some(n: Xml<'_, '_>, name: &str) -> Option<String> {
    n.attribute(name).filter(|v| !v.is_empty()).map(str::to_owned)
}

fn number<T: std::str::FromStr>(n: Xml<'_, '_>, name: &str) -> Option<T> {
    n.attribute(name)?.parse().ok()
}

fn summary(part: Xml<'_, '_>, c: &mut Cluster) {
    for n in part.children().filter(Xml::is_element) {
        match n.tag_name().name() {
            "current_dc" if n.attribute("present") == Some("true") => {
                c.quorum = n.attribute("with_quorum").map(|v| v == "true");
                c.dc = Some(Dc {
                    name: text(n, "name"),
                    version: some(n, "version"),
                    mixed_version: n.attribute("mixed_version") == Some("true"),
                });
            }
            "last_update" => c.time = some(n, "time"),
            "last_change" => c.last_change = some(n, "time"),
            "cluster_options" => {
                c.options = n.attributes().map(|a| (a.name().to_owned(), a.value().to_owned())).collect();
            }
            _ => {}
        }
    }
}

/// `true` and `false`; whatever else there is is kept, and told.
fn flags(
    n: Xml<'_, '_>,
    fields: &mut [(&str, &mut bool)],
    known: &[&str],
    what: &str,
    warnings: &mut Vec<String>,
) -> Extra {
    let mut extra = Extra::new();
    for a in n.attributes() {
        let field = fields.iter_mut().find(|(name, _)| *name == a.name());
        match (field, a.value()) {
            (Some((_, field)), "true") => **field = true,
            (Some((_, field)), "false") => **field = false,
            (Some(_), value) => {
                warnings.push(format!("{what}: `{}` is `{value}`, neither true nor false", a.name()));
                extra.insert(a.name().to_owned(), value.to_owned());
            }
            (None, _) if known.contains(&a.name()) => {}
            (None, value) => drop(extra.insert(a.name().to_owned(), value.to_owned())),
        }
    }
    let missing = fields.iter().filter(|(name, _)| n.attribute(*name).is_none());
    warnings.extend(missing.map(|(name, _)| format!("{what}: `{name}` is not told")));
    extra
}

fn node(n: Xml<'_, '_>, warnings: &mut Vec<String>) -> Node {
    let mut out =
        Node { name: text(n, "name"), id: text(n, "id"), health: some(n, "health"), ..Node::default() };
    let what = format!("node {}", out.name);
    // What is not told counts as bad.
    (out.unclean, out.pending) = (n.attribute("unclean").is_none(), false);
    let mut fields = [
        ("online", &mut out.online),
        ("pending", &mut out.pending),
        ("unclean", &mut out.unclean),
        ("standby", &mut out.standby),
        ("standby_onfail", &mut out.standby_onfail),
        ("maintenance", &mut out.maintenance),
        ("shutdown", &mut out.shutdown),
        ("is_dc", &mut out.dc),
    ];
    out.extra = flags(n, &mut fields, &["name", "id", "health"], &what, warnings);
    out
}

/// One of those that the tree of resources leaves out because they stand below their node; a primitive that
/// stands below two nodes is one.
fn gather(n: Xml<'_, '_>, c: &mut Cluster, warnings: &mut Vec<String>) {
    let Some(new) = resource(n, warnings) else { return };
    let there = c
        .resources
        .iter()
        .flat_map(Resource::primitives)
        .any(|r| r.id == new.id && r.active && new.nodes.iter().all(|n| r.nodes.contains(n)));
    if there {
        return;
    }
    match c.resources.iter_mut().find(|r| r.kind == Kind::Primitive && r.id == new.id && r.role == new.role) {
        Some(old) => old.nodes.extend(new.nodes),
        None => c.resources.push(new),
    }
}

/// `stopped` and `Stopped` are the same to Pacemaker.
fn target(word: &str) -> Role {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    Role::from_word(&first.into_iter().chain(letters.map(|c| c.to_ascii_lowercase())).collect::<String>())
}

fn resource(n: Xml<'_, '_>, warnings: &mut Vec<String>) -> Option<Resource> {
    let promotable = n.attribute("multi_state") == Some("true");
    let kind = match n.tag_name().name() {
        "resource" => Kind::Primitive,
        "group" => Kind::Group,
        "clone" if promotable => Kind::Promotable,
        "clone" => Kind::Clone,
        "bundle" => Kind::Bundle,
        "replica" => Kind::Clone,
        _ => return None,
    };
    let mut r = Resource {
        id: text(n, "id"),
        kind,
        agent: some(n, "resource_agent"),
        role: n.attribute("role").map_or(Role::Unknown, Role::from_word),
        target_role: n.attribute("target_role").map(target),
        active: false,
        blocked: false,
        managed: true,
        failed: false,
        orphaned: false,
        disabled: false,
        pending: some(n, "pending"),
        nodes: children(n, "node").map(|n| text(n, "name")).collect(),
        members: n.children().filter_map(|n| resource(n, warnings)).collect(),
        extra: Extra::new(),
    };
    let what = format!("resource {}", r.id);
    if !r.role.is_known() {
        warnings.push(format!("{what}: the role `{}` is not known; it is kept as it is", r.role));
    }
    let known = ["id", "resource_agent", "role", "target_role", "pending", "multi_state"];
    // Pacemaker 3 says `removed`, and for some time `orphaned` beside it.
    let orphaned = if n.has_attribute("orphaned") { "orphaned" } else { "removed" };
    r.extra = if kind == Kind::Primitive {
        let mut fields = [
            ("active", &mut r.active),
            (orphaned, &mut r.orphaned),
            ("blocked", &mut r.blocked),
            ("managed", &mut r.managed),
            ("failed", &mut r.failed),
        ];
        flags(n, &mut fields, &known, &what, warnings)
    } else {
        let mut fields = [("managed", &mut r.managed)];
        // A replica of a bundle has nothing but its number.
        let told = if n.has_tag_name("replica") { &mut fields[..0] } else { &mut fields[..] };
        let mut extra = flags(n, told, &known, &what, warnings);
        r.disabled = extra.remove("disabled").is_some_and(|v| v == "true");
        r.failed = extra.remove("failed").is_some_and(|v| v == "true");
        extra
    };
    if kind != Kind::Primitive {
        r.active = r.members.iter().any(|m| m.active);
        r.blocked = r.members.iter().any(|m| m.blocked);
    }
    Some(r)
}

fn history(part: Xml<'_, '_>) -> Vec<Operation> {
    let mut out = Vec::new();
    for n in children(part, "node") {
        for h in children(n, "resource_history") {
            for o in children(h, "operation_history") {
                out.push(Operation {
                    node: text(n, "name"),
                    resource: text(h, "id"),
                    task: text(o, "task"),
                    rc: number(o, "rc"),
                    rc_text: text(o, "rc_text"),
                    call: number(o, "call").unwrap_or(0),
                    interval: some(o, "interval"),
                    time: some(o, "last-rc-change"),
                    fail_count: number(h, "fail-count"),
                    migration_threshold: number(h, "migration-threshold"),
                });
            }
        }
    }
    out.dedup();
    out
}

/// Pacemaker escapes what an agent said before it puts it into an attribute, which is escaped again when it is
/// written (2.1 and 3.0): the reader of the XML finds `&quot;` where the agent said `"`.
fn unescaped(reason: &str) -> String {
    let plain = [("&quot;", "\""), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    plain.iter().fold(reason.to_owned(), |text, (escaped, c)| text.replace(escaped, c))
}

fn failure(n: Xml<'_, '_>) -> Failure {
    // `g2_stop_0`: the resource may have `_` in its name.
    let key = text(n, "op_key");
    let key = if key.is_empty() { text(n, "id") } else { key };
    let mut parts: Vec<&str> = key.split('_').collect();
    let _interval = parts.pop();
    let task = parts.pop().unwrap_or("").to_owned();
    Failure {
        node: text(n, "node"),
        resource: parts.join("_"),
        task: some(n, "task").unwrap_or(task),
        exit: text(n, "exitstatus"),
        exit_code: number(n, "exitcode"),
        // Some agents and older versions say `none`.
        reason: some(n, "exitreason").filter(|r| r != "none").map(|r| unescaped(&r)),
        status: text(n, "status"),
        time: some(n, "last-rc-change"),
    }
}

pub(crate) fn fence(n: Xml<'_, '_>) -> FenceEvent {
    // Pacemaker 2.0 called it `state`.
    let state = n.attribute("status").or(n.attribute("state")).unwrap_or("");
    FenceEvent {
        action: text(n, "action"),
        target: text(n, "target"),
        origin: some(n, "origin"),
        delegate: some(n, "delegate"),
        state: Fencing::from_word(state),
        reason: some(n, "exit-reason").map(|r| unescaped(&r)),
        completed: some(n, "completed"),
    }
}

fn ban(n: Xml<'_, '_>) -> Ban {
    let promoted = n.attribute("promoted-only").or(n.attribute("master_only")) == Some("true");
    Ban {
        id: text(n, "id"),
        resource: text(n, "resource"),
        node: text(n, "node"),
        weight: text(n, "weight"),
        promoted_only: promoted,
    }
}

/// A probe or start that found the agent missing is a failure, though no `<failure>` says so.
fn derive(c: &mut Cluster) {
    let fine = |o: &&Operation| {
        let probe = matches!(o.task.as_str(), "probe" | "monitor");
        matches!(o.rc, Some(0) | None) || (probe && matches!(o.rc, Some(7 | 8)))
    };
    let mut found = Vec::new();
    for o in c.history.iter().filter(|o| !fine(o)) {
        let known = c.failures.iter().any(|f| f.node == o.node && f.resource == o.resource);
        if !known {
            found.push(Failure {
                node: o.node.clone(),
                resource: o.resource.clone(),
                task: o.task.clone(),
                exit: o.rc_text.clone(),
                exit_code: o.rc,
                reason: None,
                status: "complete".to_owned(),
                time: o.time.clone(),
            });
        }
    }
    found.dedup();
    c.failures.extend(found);
}
