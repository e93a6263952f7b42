//! Words, braces, comments and line ends.
use super::tree::Word;
use esos_diag::{Diagnostic, Span};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(Word),
    Open(Span),
    Close(Span),
    Comment(Span),
    Newline,
}

/// Tokens with the diagnostics of single characters. Total: any text gives tokens whose spans cover it
/// but for white space.
pub(crate) fn lex(origin: &str, text: &str, out: &mut Vec<Diagnostic>) -> Vec<Token> {
    let mut lexer = Lexer { origin, text, at: 0, tokens: Vec::new(), out };
    lexer.mark();
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'a> {
    origin: &'a str,
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    out: &'a mut Vec<Diagnostic>,
}

impl Lexer<'_> {
    /// A byte order mark, as editors of other systems put one in front of a text.
    fn mark(&mut self) {
        if self.peek() != Some('\u{feff}') {
            return;
        }
        self.bump();
        let span = Span::new(0, self.at);
        let d = Diagnostic::error(
            "scst-conf::byte-order-mark",
            "the file begins with a byte order mark",
            self.origin,
            span,
        );
        let d = d.at("scstadmin would take it for a part of the first word");
        self.out.push(d.fix(span, "", "remove it; save the file as UTF-8 without one"));
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|t| t.chars().next())
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(c.len_utf8());
        Some(c)
    }

    fn step(&mut self) -> bool {
        let start = self.at;
        let Some(c) = self.peek() else { return false };
        match c {
            '\n' => {
                self.bump();
                self.tokens.push(Token::Newline);
            }
            '{' => {
                self.bump();
                self.tokens.push(Token::Open(Span::new(start, self.at)));
            }
            '}' => {
                self.bump();
                self.tokens.push(Token::Close(Span::new(start, self.at)));
            }
            '#' => self.comment(),
            '"' => self.quoted(),
            c if c.is_whitespace() => {
                self.bump();
            }
            _ => self.bare(),
        }
        true
    }

    fn comment(&mut self) {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or("");
        let line = rest.split('\n').next().unwrap_or("").trim_end_matches('\r');
        self.at = start.saturating_add(line.len());
        self.tokens.push(Token::Comment(Span::new(start, self.at)));
    }

    fn quoted(&mut self) {
        let start = self.at;
        self.bump();
        let mut value = String::new();
        let mut hash = None;
        let mut brace = None;
        let mut escaped_quote = None;
        loop {
            let at = self.at;
            match self.peek() {
                None | Some('\n') => {
                    let span = Span::new(start, start.saturating_add(1));
                    self.out.push(
                        Diagnostic::error(
                            "scst-conf::unterminated-quote",
                            "this quote is never closed",
                            self.origin,
                            span,
                        )
                        .at("opened here")
                        .help(
                            "close it on the same line; scstadmin would keep the quote as part of the value",
                        ),
                    );
                    break;
                }
                Some('"') => {
                    self.bump();
                    break;
                }
                Some('\\') => {
                    self.bump();
                    if let Some(c) = self.peek().filter(|c| *c != '\n') {
                        if c == '"' {
                            escaped_quote.get_or_insert(at);
                        }
                        self.bump();
                        value.push(c);
                    }
                }
                Some(c) => {
                    match c {
                        '#' => drop(hash.get_or_insert(at)),
                        '{' | '}' => drop(brace.get_or_insert(at)),
                        _ => {}
                    }
                    self.bump();
                    value.push(c);
                }
            }
        }
        let span = Span::new(start, self.at);
        self.quoted_lints(hash, brace, escaped_quote);
        self.tokens.push(Token::Word(Word { span, value, quoted: true }));
    }

    fn quoted_lints(&mut self, hash: Option<usize>, brace: Option<usize>, escaped_quote: Option<usize>) {
        let one = |at: usize| Span::new(at, at.saturating_add(1));
        if let Some(at) = hash {
            self.out.push(
                Diagnostic::warning("scst-conf::hash-in-quotes", "a `#` inside quotes", self.origin, one(at))
                    .at("scstadmin would start a comment here and drop the character before it")
                    .fix(Span::point(at), "\\", "escape it, so that scstadmin reads the same value"),
            );
        }
        if let Some(at) = brace {
            self.out.push(
                Diagnostic::warning(
                    "scst-conf::brace-in-quotes",
                    "a brace inside quotes",
                    self.origin,
                    one(at),
                )
                .at("scstadmin would open or close a block here")
                .help("scstadmin has no way to write this value; only ESOS reads this file as it is meant"),
            );
        }
        if let Some(at) = escaped_quote {
            let span = Span::new(at, at.saturating_add(2));
            self.out.push(
                Diagnostic::warning("scst-conf::quote-in-quotes", "a `\"` inside quotes", self.origin, span)
                    .at("scstadmin would refuse the file here")
                    .help(
                        "scstadmin has no way to write this value; only ESOS reads this file as it is meant",
                    ),
            );
        }
    }

    fn bare(&mut self) {
        let start = self.at;
        let mut value = String::new();
        while let Some(c) = self.peek() {
            match c {
                '{' | '}' | '#' => break,
                c if c.is_whitespace() => break,
                '\\' => {
                    self.bump();
                    if let Some(c) = self.peek().filter(|c| *c != '\n' && *c != '\r') {
                        self.bump();
                        value.push(c);
                    }
                }
                '"' => {
                    let span = Span::new(self.at, self.at.saturating_add(1));
                    self.out.push(
                        Diagnostic::error(
                            "scst-conf::stray-quote",
                            "a quote in the middle of a word",
                            self.origin,
                            span,
                        )
                        .help("put the whole value in quotes"),
                    );
                    self.bump();
                    value.push(c);
                }
                c => {
                    self.bump();
                    value.push(c);
                }
            }
        }
        if self.peek() == Some('#') {
            let at = self.at;
            self.out.push(
                Diagnostic::warning(
                    "scst-conf::hash-in-word",
                    "a `#` directly behind a word",
                    self.origin,
                    Span::new(at, at.saturating_add(1)),
                )
                .at("starts a comment; scstadmin would also drop the character before it")
                .fix(
                    Span::point(at),
                    " ",
                    "put a blank in front of the comment, or `\\` if `#` belongs to the value",
                ),
            );
        }
        self.tokens.push(Token::Word(Word { span: Span::new(start, self.at), value, quoted: false }));
    }
}
