//! Recorded trees in and out: `{"tree": {path: ["d", mode] | ["l", target] | ["f", mode, text] | …}}`.
use crate::tree::{Attr, Node, Tree};
use serde_json::{Map, Value, json};

/// Why a text is no recorded tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Not JSON at all.
    #[error("the state is no JSON")]
    Json {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// No object `tree`.
    #[error("the state has no object `tree`")]
    NoTree,
    /// A node of another form.
    #[error("the node of {path} must be [\"d\", mode], [\"l\", target] or [\"f\", mode, text]")]
    Node {
        /// Its path.
        path: String,
    },
}

const ERRNOS: [(&str, i32); 8] = [
    ("EINVAL", 22),
    ("EAGAIN", 11),
    ("ENOENT", 2),
    ("EIO", 5),
    ("EPERM", 1),
    ("EACCES", 13),
    ("ENODEV", 19),
    ("ENXIO", 6),
];

pub(crate) fn load(text: &str) -> Result<Tree, LoadError> {
    let json: Value = serde_json::from_str(text).map_err(|source| LoadError::Json { source })?;
    let nodes = json.get("tree").and_then(Value::as_object).ok_or(LoadError::NoTree)?;
    let mut tree = Tree::default();
    for (path, node) in nodes {
        let node = parse(node).ok_or_else(|| LoadError::Node { path: path.clone() })?;
        tree.insert(path.clone(), node);
    }
    Ok(tree)
}

fn parse(node: &Value) -> Option<Node> {
    let word = |i: usize| node.get(i).and_then(Value::as_str);
    Some(match word(0)? {
        "d" => Node::Dir,
        "l" => Node::Link(word(1)?.to_owned()),
        "f" => {
            let mode = u32::from_str_radix(word(1)?, 8).ok()?;
            let text = match (node.get(2), word(3)) {
                (Some(Value::String(text)), _) => Ok(text.clone()),
                (_, Some(name)) => Err(ERRNOS.iter().find(|(n, _)| *n == name).map_or(5, |(_, e)| *e)),
                _ => Err(13),
            };
            Node::Attr(Attr { mode, text })
        }
        _ => return None,
    })
}

pub(crate) fn dump(tree: &Tree) -> Value {
    let mut nodes = Map::new();
    for (path, node) in tree.iter() {
        nodes.insert(path, node_json(node));
    }
    json!({ "meta": {}, "tree": nodes })
}

pub(crate) fn node_json(node: &Node) -> Value {
    match node {
        Node::Dir => json!(["d", "0755"]),
        Node::Link(target) => json!(["l", target]),
        Node::Attr(Attr { mode, text }) => {
            let mode = format!("{mode:04o}");
            match text {
                Ok(text) => json!(["f", mode, text]),
                Err(13) => json!(["f", mode]),
                Err(errno) => {
                    let name = ERRNOS.iter().find(|(_, e)| e == errno).map_or("EIO", |(n, _)| *n);
                    json!(["f", mode, null, name])
                }
            }
        }
    }
}
