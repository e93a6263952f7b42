//! nom behind our own error type: `nom` never shows in a signature of a subsystem's public functions.
//!
//! Grammars are written over `&str` with [`Fault`] as the error type; [`finish`] turns the result into
//! a value or a [`ParseError`]. Put [`nom::combinator::cut`] after a keyword, or the error
//! points at the start of the line.
use crate::ParseError;
use nom::error::{ContextError, ErrorKind, ParseError as NomError};
use nom::{Err, IResult, Parser};

/// What failed inside a grammar: the rest of the text there, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<'t> {
    /// The text from the fault on.
    pub rest: &'t str,
    /// What was expected, if a [`expected`] stood around the parser.
    pub expected: Option<&'static str>,
}

impl<'t> NomError<&'t str> for Fault<'t> {
    fn from_error_kind(rest: &'t str, _kind: ErrorKind) -> Self {
        Self { rest, expected: None }
    }

    fn append(_rest: &'t str, _kind: ErrorKind, other: Self) -> Self {
        other
    }

    // Of two alternatives the one that came further says more.
    fn or(self, other: Self) -> Self {
        if other.rest.len() < self.rest.len() { other } else { self }
    }
}

impl<'t> ContextError<&'t str> for Fault<'t> {
    fn add_context(_rest: &'t str, what: &'static str, other: Self) -> Self {
        Self { expected: other.expected.or(Some(what)), ..other }
    }
}

impl<'t, E> nom::error::FromExternalError<&'t str, E> for Fault<'t> {
    fn from_external_error(rest: &'t str, _kind: ErrorKind, _e: E) -> Self {
        Self { rest, expected: None }
    }
}

/// The result of a grammar.
pub type Parsed<'t, T> = IResult<&'t str, T, Fault<'t>>;

/// Names what a parser expects.
pub fn expected<'t, T>(
    what: &'static str,
    mut parser: impl Parser<&'t str, Output = T, Error = Fault<'t>>,
) -> impl FnMut(&'t str) -> Parsed<'t, T> {
    move |input| parser.parse(input).map_err(|e| e.map(|fault| ContextError::add_context(input, what, fault)))
}

/// Runs a grammar over a whole text.
///
/// # Errors
/// Where the grammar fails, or stops before the end.
pub fn finish<'t, T>(
    origin: &str,
    text: &'t str,
    mut parser: impl Parser<&'t str, Output = T, Error = Fault<'t>>,
) -> Result<T, ParseError> {
    let offset = |rest: &str| text.len().saturating_sub(rest.len());
    match parser.parse(text) {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => Err(ParseError::at(origin, text, offset(rest), "the end of the text")),
        Err(Err::Error(f) | Err::Failure(f)) => {
            Err(ParseError::at(origin, text, offset(f.rest), f.expected.unwrap_or("something else")))
        }
        Err(Err::Incomplete(_)) => Err(ParseError::truncated(origin, text, "more text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nom::bytes::complete::tag;
    use nom::character::complete::{digit1, multispace0, space1};
    use nom::combinator::cut;
    use nom::multi::many0;
    use nom::sequence::{preceded, terminated};

    #[test]
    fn the_error_points_behind_the_keyword() {
        let lun = preceded((tag("LUN"), space1), cut(expected("a LUN number", digit1)));
        let text = "LUN 0\nLUN x\n";
        let error = finish("f", text, many0(terminated(lun, multispace0))).unwrap_err();
        assert_eq!((error.position.line, error.position.column), (2, 5));
        assert_eq!(error.expected, "a LUN number");
    }
}
