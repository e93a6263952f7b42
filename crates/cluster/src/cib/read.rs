//! XML to model.
use super::model::{Cib, Constraint, Op, Pairs, Primitive, Res};
use crate::xml::{children, parse};
use esos_diag::ParseError;
use roxmltree::Node as Xml;

/// Reads a CIB, or its `configuration` alone.
///
/// # Errors
/// The text is not well formed, or no CIB.
pub fn read_cib(origin: &str, text: &str) -> Result<Cib, ParseError> {
    let tree = parse(origin, text)?;
    let root = tree.root();
    let configuration = match root.tag_name().name() {
        "cib" => children(root, "configuration").next(),
        "configuration" => Some(root),
        _ => None,
    };
    let Some(configuration) = configuration else {
        return Err(ParseError::at(origin, text, root.range().start, "`<cib>` with `<configuration>`"));
    };
    let mut cib = Cib { schema: root.attribute("validate-with").map(str::to_owned), ..Cib::default() };
    let source = |n: Xml<'_, '_>| text.get(n.range()).unwrap_or("").to_owned();
    for part in configuration.children().filter(Xml::is_element) {
        match part.tag_name().name() {
            "crm_config" => {
                children(part, "cluster_property_set").for_each(|s| pairs(s, &mut cib.properties));
            }
            "rsc_defaults" => children(part, "meta_attributes").for_each(|s| pairs(s, &mut cib.rsc_defaults)),
            "op_defaults" => children(part, "meta_attributes").for_each(|s| pairs(s, &mut cib.op_defaults)),
            "nodes" => {
                for n in children(part, "node") {
                    let name = n.attribute("uname").unwrap_or("").to_owned();
                    cib.nodes.insert(name.clone(), n.attribute("id").unwrap_or("").to_owned());
                    for set in children(n, "instance_attributes") {
                        pairs(set, cib.node_attributes.entry(name.clone()).or_default());
                    }
                }
            }
            "resources" => {
                for n in part.children().filter(Xml::is_element) {
                    match resource(n) {
                        Some(r) => cib.resources.push(r),
                        None => cib.other.push(source(n)),
                    }
                    names(n, &mut cib);
                }
            }
            "constraints" => {
                let all = part.children().filter(Xml::is_element);
                cib.constraints = all.map(|n| constraint(n, &source)).collect();
            }
            _ => cib.other.push(source(part)),
        }
        if part.has_tag_name("tags") {
            cib.named.extend(children(part, "tag").filter_map(|t| t.attribute("id")).map(str::to_owned));
        }
    }
    Ok(cib)
}

/// What an element of `resources` brings into the world beside resources of the model.
fn names(n: Xml<'_, '_>, cib: &mut Cib) {
    if matches!(n.tag_name().name(), "bundle" | "template") {
        let inside =
            n.descendants().filter(|d| matches!(d.tag_name().name(), "bundle" | "template" | "primitive"));
        cib.named.extend(inside.filter_map(|d| d.attribute("id")).map(str::to_owned));
    }
    for p in n.descendants().filter(|d| d.has_tag_name("primitive")) {
        if p.attribute("type") == Some("remote") && p.attribute("provider") == Some("pacemaker") {
            cib.made_nodes.extend(p.attribute("id").map(str::to_owned));
        }
        cib.made_nodes.extend(set(p, "meta_attributes").remove("remote-node"));
    }
    if n.has_tag_name("bundle") && children(n, "primitive").next().is_some() {
        // The containers are nodes `ID-0`, `ID-1`, …
        cib.made_nodes.extend(n.attribute("id").map(|id| format!("{id}-")));
    }
}

fn pairs(set: Xml<'_, '_>, out: &mut Pairs) {
    for n in children(set, "nvpair") {
        let value = n.attribute("value").unwrap_or("").to_owned();
        out.insert(n.attribute("name").unwrap_or("").to_owned(), value);
    }
}

fn set(n: Xml<'_, '_>, name: &str) -> Pairs {
    let mut out = Pairs::new();
    children(n, name).for_each(|s| pairs(s, &mut out));
    out
}

fn resource(n: Xml<'_, '_>) -> Option<Res> {
    let id = n.attribute("id").unwrap_or("").to_owned();
    let mut meta = set(n, "meta_attributes");
    Some(match n.tag_name().name() {
        "primitive" => Res::Primitive(primitive(n)),
        "group" => Res::Group { id, meta, members: children(n, "primitive").map(primitive).collect() },
        name @ ("clone" | "master") => {
            if name == "master" {
                meta.insert("promotable".to_owned(), "true".to_owned());
            }
            let inner = n.children().filter(Xml::is_element).find_map(resource)?;
            Res::Clone { id, meta, inner: Box::new(inner) }
        }
        _ => return None,
    })
}

fn primitive(n: Xml<'_, '_>) -> Primitive {
    let attribute = |name: &str| n.attribute(name).unwrap_or("").to_owned();
    let mut ops: Vec<Op> = Vec::new();
    for list in children(n, "operations") {
        for o in children(list, "op") {
            let more = o.attributes().filter(|a| !["id", "name", "interval"].contains(&a.name()));
            let mut more: Pairs = more.map(|a| (a.name().to_owned(), a.value().to_owned())).collect();
            if let Some(role) = more.get_mut("role") {
                *role = modern(role);
            }
            let interval = o.attribute("interval").unwrap_or("0").to_owned();
            ops.push(Op { name: o.attribute("name").unwrap_or("").to_owned(), interval, more });
        }
    }
    Primitive {
        id: attribute("id"),
        class: attribute("class"),
        template: n.attribute("template").map(str::to_owned),
        provider: n.attribute("provider").map(str::to_owned),
        agent: attribute("type"),
        params: set(n, "instance_attributes"),
        meta: set(n, "meta_attributes"),
        ops,
    }
}

/// Pacemaker 2.0 said `Master` and `Slave`.
fn modern(role: &str) -> String {
    match role {
        "Master" => "Promoted".to_owned(),
        "Slave" => "Unpromoted".to_owned(),
        other => other.to_owned(),
    }
}

fn constraint(n: Xml<'_, '_>, source: &dyn Fn(Xml<'_, '_>) -> String) -> Constraint {
    let get = |name: &str| n.attribute(name).map(str::to_owned);
    let or = |name: &str| get(name).unwrap_or_default();
    let plain = !n.children().any(|c| c.is_element());
    match n.tag_name().name() {
        "rsc_location" if plain && get("rsc").is_some() && get("node").is_some() => Constraint::Location {
            id: or("id"),
            rsc: or("rsc"),
            node: or("node"),
            score: or("score"),
            role: get("role").map(|r| modern(&r)),
        },
        "rsc_colocation" if plain => Constraint::Colocation {
            id: or("id"),
            rsc: or("rsc"),
            rsc_role: get("rsc-role").map(|r| modern(&r)),
            with: or("with-rsc"),
            with_role: get("with-rsc-role").map(|r| modern(&r)),
            score: get("score").unwrap_or_else(|| "INFINITY".to_owned()),
        },
        "rsc_order" if plain => Constraint::Order {
            id: or("id"),
            first: or("first"),
            first_action: get("first-action"),
            then: or("then"),
            then_action: get("then-action"),
            order: get("kind"),
            symmetrical: get("symmetrical"),
        },
        _ => Constraint::Other { id: or("id"), xml: source(n) },
    }
}
