//! XML with places, for errors that say where.
use esos_diag::ParseError;
use roxmltree::{Document, Node};

/// A document that was well formed.
pub(crate) struct Tree<'t> {
    document: Document<'t>,
}

impl Tree<'_> {
    pub(crate) fn root(&self) -> Node<'_, '_> {
        self.document.root_element()
    }
}

pub(crate) fn parse<'t>(origin: &str, text: &'t str) -> Result<Tree<'t>, ParseError> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        nodes_limit: 2_000_000,
        ..roxmltree::ParsingOptions::default()
    };
    match Document::parse_with_options(text, options) {
        Ok(document) => Ok(Tree { document }),
        Err(e) => {
            let p = e.pos();
            let line = usize::try_from(p.row.saturating_sub(1)).unwrap_or(0);
            let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
            let row = text.get(start..).unwrap_or("");
            let column = usize::try_from(p.col.saturating_sub(1)).unwrap_or(0);
            let at = row.char_indices().nth(column).map_or(row.len(), |(i, _)| i);
            Err(ParseError::at(origin, text, start.saturating_add(at), format!("well-formed XML ({e})")))
        }
    }
}

pub(crate) fn children<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |n| n.has_tag_name(name))
}
