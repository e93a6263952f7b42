//! Model to XML.
use super::model::{Cib, Constraint, Pairs, Primitive, Res};

impl Cib {
    /// The CIB as XML, with ids for everything that needs one.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut w = Writer::default();
        let schema = self.schema.as_deref().unwrap_or("pacemaker-3.7");
        w.open(
            "cib",
            &[("validate-with", schema), ("epoch", "1"), ("num_updates", "0"), ("admin_epoch", "0")],
        );
        w.open("configuration", &[]);
        w.open("crm_config", &[]);
        w.pairs("cluster_property_set", "cib-bootstrap-options", &self.properties);
        w.close("crm_config");
        w.open("nodes", &[]);
        for (name, id) in &self.nodes {
            match self.node_attributes.get(name).filter(|a| !a.is_empty()) {
                None => w.empty("node", &[("id", id), ("uname", name)]),
                Some(attributes) => {
                    w.open("node", &[("id", id), ("uname", name)]);
                    w.pairs("instance_attributes", &format!("nodes-{id}"), attributes);
                    w.close("node");
                }
            }
        }
        w.close("nodes");
        w.open("resources", &[]);
        self.resources.iter().for_each(|r| w.resource(r));
        self.other
            .iter()
            .filter(|x| x.starts_with("<bundle") || x.starts_with("<template"))
            .for_each(|x| w.raw(x));
        w.close("resources");
        w.open("constraints", &[]);
        self.constraints.iter().for_each(|c| w.constraint(c));
        w.close("constraints");
        for (part, id, pairs) in [
            ("rsc_defaults", "rsc-options", &self.rsc_defaults),
            ("op_defaults", "op-options", &self.op_defaults),
        ] {
            if !pairs.is_empty() {
                w.open(part, &[]);
                w.pairs("meta_attributes", id, pairs);
                w.close(part);
            }
        }
        self.other
            .iter()
            .filter(|x| !x.starts_with("<bundle") && !x.starts_with("<template"))
            .for_each(|x| w.raw(x));
        w.close("configuration");
        w.empty("status", &[]);
        w.close("cib");
        w.out
    }
}

#[derive(Default)]
struct Writer {
    out: String,
    depth: usize,
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            // XML has no way to write other control characters.
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

impl Writer {
    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
        self.out.push('<');
        self.out.push_str(name);
        for (k, v) in attributes {
            self.out.push_str(&format!(" {k}=\"{}\"", escaped(v)));
        }
        self.out.push_str(end);
        self.out.push('\n');
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, ">");
        self.depth = self.depth.saturating_add(1);
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, "/>");
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.out.extend(std::iter::repeat_n("  ", self.depth));
        self.out.push_str(&format!("</{name}>\n"));
    }

    fn raw(&mut self, xml: &str) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
        self.out.push_str(xml);
        self.out.push('\n');
    }

    fn pairs(&mut self, element: &str, id: &str, pairs: &Pairs) {
        if pairs.is_empty() {
            return self.empty(element, &[("id", id)]);
        }
        self.open(element, &[("id", id)]);
        for (name, value) in pairs {
            self.empty(
                "nvpair",
                &[("id", &identifier(&format!("{id}-{name}"))), ("name", name), ("value", value)],
            );
        }
        self.close(element);
    }

    fn meta(&mut self, id: &str, pairs: &Pairs) {
        if !pairs.is_empty() {
            self.pairs("meta_attributes", &format!("{id}-meta"), pairs);
        }
    }

    fn resource(&mut self, r: &Res) {
        match r {
            Res::Primitive(p) => self.primitive(p),
            Res::Group { id, meta, members } => {
                self.open("group", &[("id", id)]);
                self.meta(id, meta);
                members.iter().for_each(|p| self.primitive(p));
                self.close("group");
            }
            Res::Clone { id, meta, inner } => {
                self.open("clone", &[("id", id)]);
                self.meta(id, meta);
                self.resource(inner);
                self.close("clone");
            }
        }
    }

    fn primitive(&mut self, p: &Primitive) {
        let mut attributes = vec![("id", p.id.as_str())];
        match &p.template {
            Some(template) => attributes.push(("template", template)),
            None => {
                attributes.push(("class", &p.class));
                attributes.extend(p.provider.as_deref().map(|v| ("provider", v)));
                attributes.push(("type", &p.agent));
            }
        }
        if p.params.is_empty() && p.meta.is_empty() && p.ops.is_empty() {
            return self.empty("primitive", &attributes);
        }
        self.open("primitive", &attributes);
        if !p.params.is_empty() {
            self.pairs("instance_attributes", &format!("{}-params", p.id), &p.params);
        }
        self.meta(&p.id, &p.meta);
        if !p.ops.is_empty() {
            self.open("operations", &[]);
            for op in &p.ops {
                let role = op.more.get("role").map(|r| format!("-{r}")).unwrap_or_default();
                let id = identifier(&format!("{}-{}-{}{role}", p.id, op.name, op.interval));
                let mut attributes =
                    vec![("id", id.as_str()), ("name", &op.name), ("interval", &op.interval)];
                attributes.extend(op.more.iter().map(|(k, v)| (k.as_str(), v.as_str())));
                self.empty("op", &attributes);
            }
            self.close("operations");
        }
        self.close("primitive");
    }

    fn constraint(&mut self, c: &Constraint) {
        match c {
            Constraint::Location { id, rsc, node, score, role } => {
                let mut a = vec![("id", id.as_str()), ("rsc", rsc)];
                a.extend(role.as_deref().map(|r| ("role", r)));
                a.extend([("node", node.as_str()), ("score", score)]);
                self.empty("rsc_location", &a);
            }
            Constraint::Colocation { id, rsc, rsc_role, with, with_role, score } => {
                let mut a = vec![("id", id.as_str()), ("rsc", rsc), ("with-rsc", with), ("score", score)];
                a.extend(rsc_role.as_deref().map(|r| ("rsc-role", r)));
                a.extend(with_role.as_deref().map(|r| ("with-rsc-role", r)));
                self.empty("rsc_colocation", &a);
            }
            Constraint::Order { id, first, first_action, then, then_action, order, symmetrical } => {
                let mut a = vec![("id", id.as_str()), ("first", first), ("then", then)];
                a.extend(first_action.as_deref().map(|v| ("first-action", v)));
                a.extend(then_action.as_deref().map(|v| ("then-action", v)));
                a.extend(order.as_deref().map(|v| ("kind", v)));
                a.extend(symmetrical.as_deref().map(|v| ("symmetrical", v)));
                self.empty("rsc_order", &a);
            }
            Constraint::Other { xml, .. } => self.raw(xml),
        }
    }
}

/// An id of XML: letters, digits, `-`, `_`, `.`.
fn identifier(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}
