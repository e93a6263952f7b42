//! `drbdadm dump-xml` and `drbdsetup show --json`.
use super::config::{Address, Config, ConnectionConfig, End, Host, Opt, ResourceConfig, Sections, Volume};
use super::lower;
use crate::parse_json_error;
use esos_diag::ParseError;
use roxmltree::{Document, Node};
use serde_json::{Map, Value};

/// Reads `drbdadm dump-xml`, which leaves out `global`, node ids and options of single volumes.
pub(crate) fn from_xml(origin: &str, text: &str) -> Result<Config, ParseError> {
    let document = Document::parse(text).map_err(|e| {
        let p = e.pos();
        let line = usize::try_from(p.row.saturating_sub(1)).unwrap_or(0);
        let at = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
        let column = usize::try_from(p.col.saturating_sub(1)).unwrap_or(0);
        ParseError::at(origin, text, at.saturating_add(column), format!("well-formed XML ({e})"))
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "config" {
        return Err(ParseError::at(origin, text, root.range().start, "`<config>`"));
    }
    let mut out = Config::default();
    for node in elements(root) {
        match node.tag_name().name() {
            "common" => out.common = sections(node),
            "resource" => out.resources.push(resource(node)),
            _ => {}
        }
    }
    Ok(out)
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn sections(node: Node<'_, '_>) -> Sections {
    let mut out = Sections::new();
    for s in elements(node).filter(|n| n.has_tag_name("section")) {
        let list = out.entry(s.attribute("name").unwrap_or("").to_owned()).or_default();
        for o in elements(s).filter(|n| n.has_tag_name("option")) {
            let name = o.attribute("name").unwrap_or("");
            list.push(Opt::new(name, o.attribute("value").unwrap_or("yes")));
        }
    }
    out
}

fn text_of(node: Node<'_, '_>) -> Option<String> {
    node.text().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

fn address(node: Node<'_, '_>) -> Option<Address> {
    let a = elements(node).find(|n| n.has_tag_name("address"))?;
    let family = a.attribute("family").unwrap_or("ipv4").to_owned();
    let host = text_of(a)?.trim_matches(['[', ']']).to_owned();
    Some(Address { family, host, port: a.attribute("port").and_then(|p| p.parse().ok()) })
}

fn resource(node: Node<'_, '_>) -> ResourceConfig {
    let mut r =
        ResourceConfig { name: node.attribute("name").unwrap_or("").to_owned(), ..ResourceConfig::default() };
    r.sections = sections(node);
    for n in elements(node) {
        match n.tag_name().name() {
            "host" => {
                let names =
                    n.attribute("name").map(|n| n.split_ascii_whitespace().map(str::to_owned).collect());
                let mut h = Host {
                    keyword: "on".to_owned(),
                    names: names.unwrap_or_default(),
                    address: address(n),
                    ..Host::default()
                };
                h.volumes = elements(n).filter(|n| n.has_tag_name("volume")).map(volume).collect();
                h.sections = sections(n);
                r.hosts.push(h);
            }
            "connection" => {
                let mut c = ConnectionConfig {
                    name: n.attribute("name").map(str::to_owned),
                    ends: ends(n),
                    sections: sections(n),
                    ..ConnectionConfig::default()
                };
                for n in elements(n) {
                    match n.tag_name().name() {
                        "path" => c.paths.push(ends(n)),
                        "volume" => {
                            let number = n.attribute("vnr").and_then(|v| v.parse().ok()).unwrap_or(0);
                            c.volumes.insert(number, sections(n));
                        }
                        _ => {}
                    }
                }
                r.connections.push(c);
            }
            _ => {}
        }
    }
    r
}

fn ends(node: Node<'_, '_>) -> Vec<End> {
    let hosts = elements(node).filter(|n| n.has_tag_name("host"));
    hosts.map(|n| End { host: n.attribute("name").unwrap_or("").to_owned(), address: address(n) }).collect()
}

fn volume(n: Node<'_, '_>) -> Volume {
    let mut v =
        Volume { number: n.attribute("vnr").and_then(|v| v.parse().ok()).unwrap_or(0), ..Volume::default() };
    for n in elements(n) {
        match n.tag_name().name() {
            "device" => {
                v.minor = n.attribute("minor").and_then(|m| m.parse().ok());
                v.device = text_of(n);
            }
            "disk" => v.disk = text_of(n),
            "meta-disk" => {
                let index = n.attribute("index").map(|i| format!(" [{i}]")).unwrap_or_default();
                v.meta_disk = text_of(n).map(|disk| format!("{disk}{index}"));
            }
            _ => {}
        }
    }
    v
}

/// Reads `drbdsetup show --json` of DRBD 9: what the kernel runs with.
pub(crate) fn show_json(origin: &str, text: &str) -> Result<Config, ParseError> {
    let value: Value = serde_json::from_str(text).map_err(|e| parse_json_error(origin, text, &e))?;
    let Value::Array(list) = value else {
        return Err(ParseError::at(origin, text, 0, "an array of resources"));
    };
    let mut out = Config::default();
    for item in &list {
        let Some(name) = item.get("resource").and_then(Value::as_str) else {
            return Err(ParseError::at(origin, text, 0, "objects with `resource`"));
        };
        let mut r = ResourceConfig { name: name.to_owned(), ..ResourceConfig::default() };
        r.sections = json_sections(item);
        if let Some(this) = item.get("_this_host") {
            let node_id = this.get("node-id").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            let mut h = Host { keyword: "_this_host".to_owned(), node_id, ..Host::default() };
            h.volumes = this
                .get("volumes")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(json_volume)
                .collect();
            r.hosts.push(h);
        }
        for c in item.get("connections").and_then(Value::as_array).into_iter().flatten() {
            let mut conn = ConnectionConfig { sections: json_sections(c), ..ConnectionConfig::default() };
            conn.name = c.pointer("/net/_name").and_then(Value::as_str).map(str::to_owned);
            let paths = c.get("paths").and_then(Value::as_array).cloned().unwrap_or_default();
            for path in paths.iter().chain(c.get("path")) {
                let end = |key: &str| {
                    let words: Vec<&str> = path.get(key)?.as_str()?.split(' ').collect();
                    Some(End { host: key.to_owned(), address: lower::address(&words) })
                };
                conn.paths.push([end("_this_host"), end("_remote_host")].into_iter().flatten().collect());
            }
            for v in c.get("volumes").and_then(Value::as_array).into_iter().flatten() {
                let number = v.get("volume_nr").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
                conn.volumes.insert(number.unwrap_or(0), json_sections(v));
            }
            r.connections.push(conn);
        }
        out.resources.push(r);
    }
    Ok(out)
}

fn json_sections(value: &Value) -> Sections {
    let mut out = Sections::new();
    for section in ["options", "net", "disk"] {
        let Some(map) = value.get(section).and_then(Value::as_object) else { continue };
        out.insert(section.to_owned(), json_options(map));
    }
    out
}

fn json_options(map: &Map<String, Value>) -> Vec<Opt> {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        Value::Bool(b) => if *b { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    };
    map.iter().filter(|(k, _)| !k.starts_with('_')).map(|(k, v)| Opt::new(k.clone(), text(v))).collect()
}

fn json_volume(v: &Value) -> Volume {
    let number = |key: &str| v.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let text = |key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
    Volume {
        number: number("volume_nr").unwrap_or(0),
        minor: number("device_minor"),
        disk: text("backing-disk"),
        meta_disk: text("meta-disk"),
        options: v.get("disk").and_then(Value::as_object).map(json_options).unwrap_or_default(),
        ..Volume::default()
    }
}
