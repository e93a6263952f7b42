//! The one layout of a file: tabs, one entry a line, `{` behind its section, single blank lines.
use super::document::Document;
use super::quote::quote_lossy;
use super::tree::{Block, Item, Statement};

impl Document {
    /// The document in the one layout: comments, order and meaning stay. Formatting a formatted document
    /// changes nothing. A document with errors is returned as it is.
    #[must_use]
    pub fn formatted(&self) -> String {
        if self.has_errors() {
            return self.text().to_owned();
        }
        let mut out = String::new();
        print_block(self, self.root(), 0, &mut out);
        out
    }
}

fn print_block(document: &Document, block: &Block, depth: usize, out: &mut String) {
    let mut items = block.items.iter().peekable();
    while let Some(item) = items.next() {
        match item {
            Item::Blank => {
                if items.peek().is_some()
                    && !out.is_empty()
                    && !out.ends_with("{\n")
                    && !out.ends_with("\n\n")
                {
                    out.push('\n');
                }
            }
            Item::Comment(comment) => {
                indent(depth, out);
                out.push_str(comment.span.of(document.text()).trim_end());
                out.push('\n');
            }
            Item::Statement(statement) => {
                indent(depth, out);
                print_statement(document, statement, depth, out);
                // A comment behind a statement stays on its line.
                if let Some(Item::Comment(comment)) = items.peek()
                    && comment.trailing
                    && statement.block.is_none()
                {
                    out.push(' ');
                    out.push_str(comment.span.of(document.text()).trim_end());
                    items.next();
                }
                out.push('\n');
            }
        }
    }
}

fn print_statement(document: &Document, statement: &Statement, depth: usize, out: &mut String) {
    for (i, word) in statement.words.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(&quote_lossy(&word.value));
    }
    if let Some(block) = &statement.block {
        out.push_str(" {\n");
        print_block(document, block, depth.saturating_add(1), out);
        indent(depth, out);
        out.push('}');
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n('\t', depth));
}
