//! Dependencies: `a (>= 1) | b [amd64] <!nocheck>, c:any`.
//!
//! Grammar: Debian policy 7.1 and deb-src-control(5).
use super::version::{self, Version};
use esos_diag::ParseError;
use esos_diag::glue::{Parsed, expected, finish};
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{cut, map, map_res, opt, value};
use nom::multi::{many0, many1};
use nom::sequence::{delimited, preceded, terminated};
use std::cmp::Ordering;
use std::fmt;

/// How a version must compare with the stated one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Op {
    /// Whether an order satisfies it.
    #[must_use]
    pub fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Earlier => order.is_lt(),
            Self::EarlierOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::LaterOrEqual => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        })
    }
}

/// A word of a restriction list, perhaps negated with `!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Whether `!` stood before it.
    pub negated: bool,
    /// The word: an architecture or a build profile.
    pub word: String,
}

/// One package that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its name, or that of a virtual package.
    pub name: String,
    /// What stands behind `:`, such as `any`, `native`, `amd64`.
    pub qualifier: Option<String>,
    /// How its version must be.
    pub version: Option<(Op, Version)>,
    /// `[amd64 !i386]`: counts on these architectures only. Empty: on all.
    pub architectures: Vec<Term>,
    /// `<!nocheck> <cross>`: counts with these build profiles only; each list is a conjunction.
    pub profiles: Vec<Vec<Term>>,
}

impl Relation {
    /// A package of any version.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let (architectures, profiles) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), qualifier: None, version: None, architectures, profiles }
    }

    /// Whether a version satisfies the constraint.
    #[must_use]
    pub fn accepts(&self, version: &str) -> bool {
        self.version.as_ref().is_none_or(|(op, v)| op.accepts(version::compare(version, v.as_str())))
    }

    /// Whether it counts at all on an architecture, without any build profile.
    #[must_use]
    pub fn applies_to(&self, architecture: &str) -> bool {
        let matches = |t: &Term| t.word == "any" || t.word == "linux-any" || t.word == architecture;
        let listed = self.architectures.iter().any(|t| !t.negated && matches(t));
        let excluded = self.architectures.iter().any(|t| t.negated && matches(t));
        let only_negated = self.architectures.iter().all(|t| t.negated);
        let profiled =
            self.profiles.is_empty() || self.profiles.iter().any(|list| list.iter().all(|t| t.negated));
        profiled && !excluded && (only_negated || listed)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        if let Some((op, version)) = &self.version {
            write!(f, " ({op} {version})")?;
        }
        let joined = |terms: &[Term]| {
            let words = terms.iter().map(|t| format!("{}{}", if t.negated { "!" } else { "" }, t.word));
            words.collect::<Vec<_>>().join(" ")
        };
        if !self.architectures.is_empty() {
            write!(f, " [{}]", joined(&self.architectures))?;
        }
        self.profiles.iter().try_for_each(|list| write!(f, " <{}>", joined(list)))
    }
}

/// Alternatives, of which one is enough, the first one preferred. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// In order of preference.
    pub alternatives: Vec<Relation>,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, relation) in self.alternatives.iter().enumerate() {
            write!(f, "{}{relation}", if n > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

/// Reads a dependency field (`Depends`, `Conflicts`, `Provides` …).
///
/// ```
/// use esos_bootimg::archive::relation;
///
/// let depends = relation::parse("Depends", "libc6 (>= 2.36), default-mta | mail-transport-agent")?;
/// assert_eq!(depends.len(), 2);
/// assert!(depends[0].alternatives[0].accepts("2.36-9"));
/// assert_eq!(depends[1].to_string(), "default-mta | mail-transport-agent");
/// # Ok::<(), esos_diag::ParseError>(())
/// ```
///
/// # Errors
/// [`ParseError`] with the place in the field.
pub fn parse(origin: &str, text: &str) -> Result<Vec<Dependency>, ParseError> {
    // A trailing comma is legal, and so is a field of nothing but blanks.
    let comma = || token(char(','));
    let end = alt((value((), many1(comma())), value((), nom::combinator::eof)));
    let list = preceded(
        (multispace0, many0(comma())),
        many0(terminated(dependency, cut(expected("`,` or `|`", end)))),
    );
    finish(origin, text, list)
}

fn token<'t, T>(
    parser: impl Parser<&'t str, Output = T, Error = esos_diag::glue::Fault<'t>>,
) -> impl Parser<&'t str, Output = T, Error = esos_diag::glue::Fault<'t>> {
    terminated(parser, multispace0)
}

fn dependency(input: &str) -> Parsed<'_, Dependency> {
    let (rest, first) = relation(input)?;
    let (rest, more) = many0(preceded(token(char('|')), cut(relation))).parse(rest)?;
    let mut alternatives = vec![first];
    alternatives.extend(more);
    Ok((rest, Dependency { alternatives }))
}

fn name_char(c: char) -> bool {
    // Policy says lower case; old packages and local ones differ.
    c.is_ascii_alphanumeric() || "+-._".contains(c)
}

fn relation(input: &str) -> Parsed<'_, Relation> {
    let word = || take_while1(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let name = expected("a package name", take_while1(name_char));
    let qualifier = opt(preceded(char(':'), cut(expected("an architecture", word()))));
    let version =
        opt(delimited(token(char('(')), cut((op, version)), cut(expected("`)`", token(char(')'))))));
    let term = || {
        let negated = map(opt(char('!')), |n| n.is_some());
        token(map((negated, word()), |(negated, w): (bool, &str)| Term { negated, word: w.to_owned() }))
    };
    let architectures = opt(delimited(
        token(char('[')),
        cut(many1(expected("an architecture", term()))),
        cut(expected("`]`", token(char(']')))),
    ));
    let profile = delimited(
        token(char('<')),
        cut(many1(expected("a build profile", term()))),
        cut(expected("`>`", token(char('>')))),
    );
    let (rest, ((name, qualifier), version, architectures, profiles)) =
        (token((name, qualifier)), version, architectures, many0(profile)).parse(input)?;
    let relation = Relation {
        name: name.to_owned(),
        qualifier: qualifier.map(str::to_owned),
        version,
        architectures: architectures.unwrap_or_default(),
        profiles,
    };
    Ok((rest, relation))
}

fn op(input: &str) -> Parsed<'_, Op> {
    // `<` and `>` alone are what ancient packages have; dpkg reads them as `<=` and `>=`.
    let any = alt((
        value(Op::Earlier, tag("<<")),
        value(Op::EarlierOrEqual, tag("<=")),
        value(Op::LaterOrEqual, tag(">=")),
        value(Op::Later, tag(">>")),
        value(Op::Equal, tag("=")),
        value(Op::EarlierOrEqual, tag("<")),
        value(Op::LaterOrEqual, tag(">")),
    ));
    expected("one of << <= = >= >>", token(any))(input)
}

fn version(input: &str) -> Parsed<'_, Version> {
    let text = take_while1(|c: char| !c.is_whitespace() && c != ')');
    expected("a version", token(map_res(text, str::parse::<Version>)))(input)
}

#[cfg(test)]
mod tests {
    use super::super::version::tests::version;
    use super::*;
    use proptest::prelude::*;

    fn printed(text: &str) -> Result<String, String> {
        let read = parse("Depends", text).map_err(|e| e.to_string())?;
        Ok(read.iter().map(Dependency::to_string).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn real_fields() {
        for (text, expected) in [
            ("", ""),
            (" \n ", ""),
            ("libc6 (>= 2.36), a|b ,\n c:any,", "libc6 (>= 2.36), a | b, c:any"),
            (
                "x(>>1)[!i386 !arm64]<!nocheck><cross !stage1>",
                "x (>> 1) [!i386 !arm64] <!nocheck> <cross !stage1>",
            ),
            ("old (< 1), old2 (>1)", "old (<= 1), old2 (>= 1)"),
        ] {
            assert_eq!(printed(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn errors_point_into_the_field() {
        for (text, place) in [
            ("a, (>= 1)", "Depends:1:4: expected "),
            ("a (~ 1)", "Depends:1:4: expected one of << <= = >= >>"),
            ("a (>= 1_)", "Depends:1:7: expected a version"),
            ("a (>= 1", "Depends:1:8: expected `)`"),
            ("a | , b", "Depends:1:5: expected a package name"),
            ("a b", "Depends:1:3: expected `,` or `|`"),
            ("a []", "Depends:1:4: expected an architecture"),
        ] {
            let error = printed(text).unwrap_err();
            assert!(error.starts_with(place), "{text}: {error}");
        }
    }

    #[test]
    fn restrictions() {
        for (text, amd64) in [
            ("a", true),
            ("a [amd64]", true),
            ("a [arm64]", false),
            ("a [!arm64]", true),
            ("a [!amd64]", false),
            ("a [linux-any]", true),
            ("a <!nocheck>", true),
            ("a <cross>", false),
            ("a <cross> <!nocheck>", true),
        ] {
            assert_eq!(parse("f", text).unwrap()[0].alternatives[0].applies_to("amd64"), amd64, "{text}");
        }
    }

    fn relation() -> impl Strategy<Value = Relation> {
        let op = prop::sample::select(vec![
            Op::Earlier,
            Op::EarlierOrEqual,
            Op::Equal,
            Op::LaterOrEqual,
            Op::Later,
        ]);
        let term =
            || (any::<bool>(), "[a-z][a-z0-9-]{0,5}").prop_map(|(negated, word)| Term { negated, word });
        let terms = |n| prop::collection::vec(term(), n);
        let constraint = prop::option::of((op, version().prop_map(|v| v.parse().unwrap())));
        let profiles = prop::collection::vec(terms(1..3), 0..3);
        ("[a-z0-9][a-z0-9+.-]{1,6}", prop::option::of("any|amd64|native"), constraint, terms(0..3), profiles)
            .prop_map(|(name, qualifier, version, architectures, profiles)| Relation {
                name,
                qualifier,
                version,
                architectures,
                profiles,
            })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(
            lists in prop::collection::vec(prop::collection::vec(relation(), 1..4), 0..4),
        ) {
            let all: Vec<_> = lists.into_iter().map(|alternatives| Dependency { alternatives }).collect();
            let text = all.iter().map(Dependency::to_string).collect::<Vec<_>>().join(", ");
            let read = parse("f", &text).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{all:?}"));
        }

        #[test]
        fn never_panics(text in "[a-b0-1|,:()<>=!\\[\\] \n\u{e4}]{0,24}") {
            let _either = parse("f", &text);
        }
    }
}
