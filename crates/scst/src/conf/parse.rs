//! Blocks and statements out of tokens, with recovery.
use super::context::{Context, KEYWORDS};
use super::lex::{Token, lex};
use super::tree::{Block, Comment, Item, Statement, Word};
use esos_diag::{Diagnostic, LineIndex, Span};

/// Deeper blocks than any that SCST knows are skipped, so that no input exhausts the stack.
const MAX_DEPTH: usize = 24;

/// The tree of a text, with what is wrong about its braces and lines.
pub(crate) fn parse(origin: &str, text: &str) -> (Block, Vec<Diagnostic>) {
    let mut out = Vec::new();
    let tokens = lex(origin, text, &mut out);
    let opens = tokens.iter().filter(|t| matches!(t, Token::Open(_))).count();
    let closes = tokens.iter().filter(|t| matches!(t, Token::Close(_))).count();
    let index = LineIndex::new(text);
    let mut parser = Parser {
        origin,
        text,
        index,
        tokens,
        at: 0,
        out,
        missing: closes.saturating_sub(opens),
        implied: Vec::new(),
    };
    let mut root = Block::default();
    loop {
        parser.items(&mut root, Context::Root, 0);
        let Some(Token::Close(span)) = parser.peek().cloned() else { break };
        parser.at = parser.at.saturating_add(1);
        parser.stray_close(span);
    }
    (root, parser.out)
}

struct Parser<'a> {
    origin: &'a str,
    text: &'a str,
    index: LineIndex,
    tokens: Vec<Token>,
    at: usize,
    out: Vec<Diagnostic>,
    /// How many `{` are missing for the braces to balance.
    missing: usize,
    /// Headers whose `{` was taken for granted.
    implied: Vec<Span>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn error(&self, code: &str, message: &str, span: Span) -> Diagnostic {
        Diagnostic::error(code, message, self.origin, span)
    }

    fn stray_close(&mut self, span: Span) {
        let diagnostic = self
            .error("scst-conf::extra-brace", "this `}` closes nothing", span)
            .at("scstadmin would silently drop everything after it")
            .fix(span, "", "remove it");
        self.out.push(diagnostic);
    }

    /// Reads items up to the `}` of this block (not consumed) or the end.
    fn items(&mut self, block: &mut Block, context: Context, depth: usize) {
        let mut newlines = 0usize;
        let mut line_has_something = true;
        loop {
            match self.peek() {
                None | Some(Token::Close(_)) => return,
                Some(Token::Newline) => {
                    self.at = self.at.saturating_add(1);
                    newlines = newlines.saturating_add(1);
                    line_has_something = false;
                }
                Some(Token::Comment(span)) => {
                    let comment =
                        Comment { span: *span, trailing: line_has_something && self.follows_code(*span) };
                    self.at = self.at.saturating_add(1);
                    blank(block, newlines);
                    newlines = 0;
                    block.items.push(Item::Comment(comment));
                }
                Some(Token::Open(span)) => {
                    let span = *span;
                    blank(block, newlines);
                    newlines = 0;
                    self.open_without_header(block, span, depth);
                    line_has_something = true;
                }
                Some(Token::Word(_)) => {
                    blank(block, newlines);
                    newlines = 0;
                    let statement = self.statement(context, depth);
                    block.items.push(Item::Statement(statement));
                    line_has_something = true;
                }
            }
        }
    }

    fn follows_code(&self, span: Span) -> bool {
        let start =
            self.text.get(..span.start).and_then(|t| t.rfind('\n')).map_or(0, |i| i.saturating_add(1));
        self.text.get(start..span.start).is_some_and(|t| !t.trim().is_empty())
    }

    fn open_without_header(&mut self, block: &mut Block, span: Span, depth: usize) {
        self.out.push(
            self.error("scst-conf::brace-without-section", "this `{` belongs to no section", span)
                .help("put it behind the section's name, on the same line"),
        );
        let inner = self.block(span, Context::Unknown, depth);
        let span = span.to(inner.close);
        block.items.push(Item::Statement(Statement { words: Vec::new(), block: Some(inner), span }));
    }

    fn statement(&mut self, context: Context, depth: usize) -> Statement {
        let mut words: Vec<Word> = Vec::new();
        while let Some(Token::Word(word)) = self.peek() {
            words.push(word.clone());
            self.at = self.at.saturating_add(1);
        }
        let mut statement = Statement { words, block: None, span: Span::default() };
        let header = statement.header();
        statement.span = header;
        let child = context.child(statement.keyword()).unwrap_or(Context::Unknown);
        if let Some(Token::Open(open)) = self.peek() {
            let open = *open;
            statement.block = Some(self.block(open, child, depth));
        } else if let Some((open, after)) = self.open_on_its_own_line() {
            self.out.push(
                Diagnostic::warning(
                    "scst-conf::brace-on-own-line",
                    "a `{` on a line of its own",
                    self.origin,
                    open,
                )
                .at("scstadmin would lose everything in this block, without a word")
                .label(header, "the section that it is meant for")
                .fix(
                    Span::new(header.end, open.end),
                    " {",
                    "open the block on the section's line",
                ),
            );
            self.at = after;
            statement.block = Some(self.block(open, child, depth));
        } else if self.brace_is_missing(&statement, context, child) {
            self.missing = self.missing.saturating_sub(1);
            self.implied.push(header);
            let mut block = Block { open: Span::point(header.end), ..Block::default() };
            self.items(&mut block, child, depth.saturating_add(1));
            self.close(&mut block);
            self.out.push(
                self.error(
                    "scst-conf::missing-brace",
                    &format!("expected `{{` after {} `{}`", statement.keyword(), statement.word(1)),
                    Span::point(header.end),
                )
                .at("`{` missing here")
                .label(block.close, "this `}` would close nothing; scstadmin would drop everything after it")
                .fix(Span::point(header.end), " {", "open the block on the same line"),
            );
            statement.block = Some(block);
        } else if let Some(Token::Close(_)) = self.peek() {
            self.lost_entry(
                header,
                "scstadmin reads an entry only up to the end of its line and would lose this one",
            );
        }
        if let Some(block) = &statement.block {
            statement.span = header.to(block.close).to(block.open);
        }
        statement
    }

    fn lost_entry(&mut self, span: Span, what: &str) {
        self.out.push(
            Diagnostic::warning(
                "scst-conf::entry-on-block-line",
                "an entry on the line of a brace",
                self.origin,
                span,
            )
            .at(what)
            .help("give every entry and every `}` a line of its own"),
        );
    }

    fn open_on_its_own_line(&self) -> Option<(Span, usize)> {
        let rest = self.tokens.get(self.at..)?;
        let skip = rest.iter().position(|t| !matches!(t, Token::Newline | Token::Comment(_)))?;
        match rest.get(skip) {
            Some(Token::Open(span)) if skip > 0 => Some((*span, self.at.saturating_add(skip))),
            _ => None,
        }
    }

    /// Whether a section's header lost its `{`: the braces do not balance, and what follows is indented
    /// deeper or cannot stand where it does.
    fn brace_is_missing(&self, statement: &Statement, context: Context, child: Context) -> bool {
        if self.missing == 0 || !KEYWORDS.contains(&statement.keyword()) || child == Context::Unknown {
            return false;
        }
        let rest = self.tokens.get(self.at..).unwrap_or(&[]);
        let next = rest.iter().find(|t| !matches!(t, Token::Newline | Token::Comment(_)));
        let Some(Token::Word(next)) = next else { return false };
        let column = |offset| self.index.position(self.text, offset).column;
        let deeper = column(next.span.start) > column(statement.span.start);
        let lost = KEYWORDS.contains(&next.value.as_str())
            && context.child(&next.value).is_none()
            && child.child(&next.value).is_some();
        deeper || lost
    }

    /// Reads a block from its `{` on.
    fn block(&mut self, open: Span, context: Context, depth: usize) -> Block {
        self.at = self.at.saturating_add(1);
        let mut block = Block { open, ..Block::default() };
        if depth >= MAX_DEPTH {
            self.out.push(self.error("scst-conf::too-deep", "blocks are nested too deep", open));
            self.skip_block(&mut block);
            return block;
        }
        if let Some(Token::Word(word)) = self.peek() {
            let span = word.span;
            self.lost_entry(span, "scstadmin expects a line end behind `{` and may lose this entry");
        }
        self.items(&mut block, context, depth.saturating_add(1));
        self.close(&mut block);
        block
    }

    fn close(&mut self, block: &mut Block) {
        if let Some(Token::Close(span)) = self.peek() {
            block.close = *span;
            self.at = self.at.saturating_add(1);
            return;
        }
        block.close = Span::point(self.text.len());
        let (open, end) = (block.open, block.close);
        self.out.push(
            self.error(
                "scst-conf::unclosed-block",
                "this block is never closed; the file may be cut off",
                open,
            )
            .at("opened here")
            .fix(end, "}\n", "close it at the end of the file"),
        );
    }

    fn skip_block(&mut self, block: &mut Block) {
        let mut depth = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::Open(_) => depth = depth.saturating_add(1),
                Token::Close(span) if depth == 0 => {
                    block.close = *span;
                    self.at = self.at.saturating_add(1);
                    return;
                }
                Token::Close(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at = self.at.saturating_add(1);
        }
        block.close = Span::point(self.text.len());
    }
}

fn blank(block: &mut Block, newlines: usize) {
    let first = block.items.is_empty();
    if newlines > 1 && !first {
        block.items.push(Item::Blank);
    }
}
