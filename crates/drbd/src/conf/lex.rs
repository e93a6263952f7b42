//! Text to tree. Total: whatever is wrong becomes a diagnostic, all of them in one pass.
use super::tree::{Block, Item, Statement, Word};
use esos_diag::{Diagnostic, Span};

/// Blocks inside blocks; drbdadm's own grammar needs four.
const DEEPEST: usize = 32;

pub(crate) fn parse(origin: &str, text: &str) -> (Block, Vec<Diagnostic>) {
    let mut p = Parser { origin, text, at: 0, out: Vec::new() };
    let mut root = Block::default();
    loop {
        p.block(&mut root, 0);
        // What is left starts with a `}` that closes nothing.
        let Some('}') = p.peek() else { break };
        let span = Span::new(p.at, p.at.saturating_add(1));
        p.error("drbd-conf::stray-brace", "this `}` closes nothing", span);
        p.at = span.end;
    }
    (root, p.out)
}

struct Parser<'t> {
    origin: &'t str,
    text: &'t str,
    at: usize,
    out: Vec<Diagnostic>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(c.len_utf8());
        Some(c)
    }

    fn error(&mut self, code: &str, message: &str, span: Span) {
        self.out.push(Diagnostic::error(code, message, self.origin, span));
    }

    /// Statements up to the `}` that ends them, or to the end of the text.
    fn block(&mut self, block: &mut Block, depth: usize) {
        let mut words: Vec<Word> = Vec::new();
        while let Some(c) = self.peek() {
            let start = self.at;
            match c {
                '}' => break,
                c if c.is_whitespace() => drop(self.bump()),
                '#' => {
                    let rest = self.text.get(start..).unwrap_or("");
                    let line = rest.split('\n').next().unwrap_or("");
                    self.at = start.saturating_add(line.len());
                    block
                        .items
                        .push(Item::Comment(Span::new(start, start.saturating_add(line.trim_end().len()))));
                }
                ';' => {
                    self.bump();
                    if words.is_empty() {
                        self.error(
                            "drbd-conf::stray-semicolon",
                            "this `;` ends nothing",
                            Span::new(start, self.at),
                        );
                        continue;
                    }
                    let span = words.first().map_or(start, |w| w.span.start);
                    let words = std::mem::take(&mut words);
                    block.items.push(Item::Statement(Statement {
                        span: Span::new(span, self.at),
                        words,
                        block: None,
                    }));
                }
                '{' => self.open(block, &mut words, depth),
                '"' => words.push(self.quoted()),
                _ => words.push(self.bare()),
            }
        }
        self.unended(&words);
    }

    fn open(&mut self, block: &mut Block, words: &mut Vec<Word>, depth: usize) {
        let brace = Span::new(self.at, self.at.saturating_add(1));
        self.bump();
        if words.is_empty() {
            self.error("drbd-conf::nameless-block", "a block without a name in front of it", brace);
        }
        if depth >= DEEPEST {
            self.error("drbd-conf::too-deep", "blocks are nested too deep", brace);
            self.at = self.text.len();
            return;
        }
        let start = words.first().map_or(brace.start, |w| w.span.start);
        let words = std::mem::take(words);
        let mut inner = Block::default();
        self.block(&mut inner, depth.saturating_add(1));
        match self.peek() {
            Some('}') => drop(self.bump()),
            _ => {
                let what = words.first().map_or("this block", |w| w.value.as_str());
                let message = format!("`{what}` is never closed");
                self.out.push(
                    Diagnostic::error("drbd-conf::unclosed-block", message, self.origin, brace)
                        .at("opened here")
                        .help("close it with `}`, or the file was cut off"),
                );
            }
        }
        if !words.is_empty() {
            let span = Span::new(start, self.at);
            block.items.push(Item::Statement(Statement { span, words, block: Some(inner) }));
        }
    }

    fn unended(&mut self, words: &[Word]) {
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let span = first.span.to(last.span);
        let end = Span::point(last.span.end);
        self.out.push(
            Diagnostic::error("drbd-conf::missing-semicolon", "expected `;` behind this", self.origin, span)
                .fix(end, ";", "end the statement"),
        );
    }

    fn quoted(&mut self) -> Word {
        let start = self.at;
        self.bump();
        let mut value = String::new();
        loop {
            match self.peek() {
                None | Some('\n') => {
                    let span = Span::new(start, start.saturating_add(1));
                    self.error("drbd-conf::unterminated-quote", "this quote is never closed", span);
                    break;
                }
                Some('"') => {
                    self.bump();
                    break;
                }
                Some('\\') => {
                    self.bump();
                    if let Some(c) = self.peek().filter(|c| *c != '\n') {
                        self.bump();
                        value.push(c);
                    }
                }
                Some(c) => {
                    self.bump();
                    value.push(c);
                }
            }
        }
        Word { span: Span::new(start, self.at), value, quoted: true }
    }

    fn bare(&mut self) -> Word {
        let start = self.at;
        while let Some(c) = self.peek() {
            if c.is_whitespace() || matches!(c, ';' | '{' | '}' | '"' | '#') {
                break;
            }
            self.bump();
        }
        let span = Span::new(start, self.at);
        Word { span, value: span.of(self.text).to_owned(), quoted: false }
    }
}
