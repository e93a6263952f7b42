//! Control paragraphs: `Packages`, `Release`, `.sources`, a package's `control`.
//!
//! Syntax: deb822(5). A paragraph ends at a line of nothing but blanks; a line that begins with a
//! blank continues the field above; a line that begins with `#` is a comment where the caller says so
//! (apt's source files), and is an error elsewhere unless it lies between paragraphs.
use esos_diag::ParseError;
use memchr::memchr;

/// One field of a paragraph, borrowed from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'t> {
    /// Its name as written.
    pub name: &'t str,
    /// Its value without the blanks around it. Further lines keep their line ends and leading blanks, and
    /// comment lines in between are still in it: [`Field::lines`] leaves them out.
    pub value: &'t str,
}

impl<'t> Field<'t> {
    /// The lines of the value, each without the blanks around it. An empty first line (`SHA256:` with the
    /// list below) is left out, and so are comments.
    pub fn lines(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        let lines = self.value.lines().enumerate();
        lines
            .filter(|(n, line)| !(*n > 0 && line.starts_with('#')))
            .map(|(_, l)| l.trim())
            .filter(|l| !l.is_empty())
    }

    /// The words of the value.
    pub fn words(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.lines().flat_map(str::split_ascii_whitespace)
    }
}

/// Fields that belong together, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paragraph<'t> {
    /// The paragraph's own text, from its first field to the end of its last line.
    pub text: &'t str,
    /// The byte of the whole text that it begins at.
    pub offset: usize,
    fields: Vec<Field<'t>>,
}

impl<'t> Paragraph<'t> {
    /// A field by its name; case does not count.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field<'t>> {
        self.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)).copied()
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'t str> {
        self.field(name).map(|f| f.value)
    }

    /// All fields in their order.
    #[must_use]
    pub fn fields(&self) -> &[Field<'t>] {
        &self.fields
    }
}

/// What is allowed beside fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// `#` at the start of a line is a comment, anywhere.
    Allowed,
    /// There are none.
    Refused,
}

/// The paragraphs of a text, one after the other; ends after the first error.
///
/// ```
/// use esos_bootimg::archive::deb822::{Comments, paragraphs};
///
/// let text = "Package: bash\nVersion: 5.2-1\n\nPackage: dash\n";
/// let names: Result<Vec<_>, _> =
///     paragraphs("Packages", text, Comments::Refused).map(|p| p.map(|p| p.get("package"))).collect();
/// assert_eq!(names?, [Some("bash"), Some("dash")]);
/// # Ok::<(), esos_diag::ParseError>(())
/// ```
pub fn paragraphs<'t>(origin: &'t str, text: &'t str, comments: Comments) -> Paragraphs<'t> {
    Paragraphs { origin, text, at: 0, comments }
}

/// See [`paragraphs`].
#[derive(Debug, Clone)]
pub struct Paragraphs<'t> {
    origin: &'t str,
    text: &'t str,
    at: usize,
    comments: Comments,
}

impl<'t> Paragraphs<'t> {
    /// The next line and the byte it begins at, without its line end.
    fn line(&mut self) -> Option<(usize, &'t str)> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|r| !r.is_empty())?;
        let len = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        self.at = start.saturating_add(len).saturating_add(1).min(self.text.len());
        Some((start, rest.get(..len)?))
    }

    fn fail(&mut self, offset: usize, expected: &str) -> Option<Result<Paragraph<'t>, ParseError>> {
        self.at = self.text.len();
        Some(Err(ParseError::at(self.origin, self.text, offset, expected)))
    }
}

impl<'t> Iterator for Paragraphs<'t> {
    type Item = Result<Paragraph<'t>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Name, start of the value, end of the value so far.
        let mut open: Option<(&'t str, usize, usize)> = None;
        let mut fields = Vec::with_capacity(24);
        let mut begin = None;
        let mut end = 0;
        let text = self.text;
        let value = |from: usize, to: usize| text.get(from..to).unwrap_or_default().trim();
        while let Some((start, line)) = self.line() {
            let line_end = start.saturating_add(line.len());
            match line.as_bytes().first() {
                Some(b' ' | b'\t') if !line.trim_ascii().is_empty() => {
                    let Some((_, _, to)) = &mut open else {
                        return self.fail(start, "a field (`Name: value`), not a continued line");
                    };
                    *to = line_end;
                }
                Some(b'#') if self.comments == Comments::Allowed || begin.is_none() => continue,
                Some(first) if !matches!(first, b' ' | b'\t' | b'\r') => {
                    let Some(colon) = memchr(b':', line.as_bytes()) else {
                        return self.fail(start, "a field (`Name: value`)");
                    };
                    let name = line.get(..colon).unwrap_or_default();
                    if !name.bytes().all(|b| b.is_ascii_graphic()) || name.is_empty() || *first == b'-' {
                        return self.fail(start, "a field name of printable ASCII");
                    }
                    if let Some((name, from, to)) = open {
                        fields.push(Field { name, value: value(from, to) });
                    }
                    open = Some((name, start.saturating_add(colon).saturating_add(1), line_end));
                    begin.get_or_insert(start);
                }
                _ if begin.is_none() => continue,
                _ => break,
            }
            end = line_end;
        }
        let offset = begin?;
        if let Some((name, from, to)) = open {
            fields.push(Field { name, value: value(from, to) });
        }
        if let Some(twice) = duplicate(&fields) {
            let at = (twice.name.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            return self.fail(at, "each field once");
        }
        Some(Ok(Paragraph { text: text.get(offset..end).unwrap_or_default(), offset, fields }))
    }
}

fn duplicate<'f, 't>(fields: &'f [Field<'t>]) -> Option<&'f Field<'t>> {
    let same = |a: &Field<'_>, b: &Field<'_>| a.name.eq_ignore_ascii_case(b.name);
    fields.iter().enumerate().find(|(n, f)| fields.iter().take(*n).any(|g| same(f, g))).map(|(_, f)| f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str, comments: Comments) -> Result<Vec<Vec<(String, String)>>, String> {
        let own = |f: &Field<'_>| (f.name.to_owned(), f.value.to_owned());
        let read: Result<Vec<_>, _> = paragraphs("f", text, comments).collect();
        let read = read.map_err(|e| e.to_string())?;
        Ok(read.iter().map(|p| p.fields().iter().map(own).collect()).collect())
    }

    fn check(text: &str, expected: &[&[(&str, &str)]]) {
        let own = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        let expected: Vec<Vec<_>> = expected.iter().map(|p| p.iter().map(own).collect()).collect();
        assert_eq!(all(text, Comments::Allowed), Ok(expected), "{text:?}");
    }

    #[test]
    fn paragraphs_and_continued_lines() {
        check("", &[]);
        check("\n \n# c\n\n", &[]);
        check("A: 1\nB:\n x\n  y\n\n\nC:3", &[&[("A", "1"), ("B", "x\n  y")], &[("C", "3")]]);
        check("# top\nA: 1\n# in\nB: 2\n \t\nA: 3\r\n", &[&[("A", "1"), ("B", "2")], &[("A", "3")]]);
        check("K:\n -----\n .\n x\n", &[&[("K", "-----\n .\n x")]]);
    }

    #[test]
    fn a_comment_inside_a_value_is_left_out() {
        let text = "Suites: a\n# b\n c\n";
        let paragraph = paragraphs("f", text, Comments::Allowed).next().unwrap().unwrap();
        let suites = paragraph.field("suites").unwrap();
        assert_eq!(suites.words().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn errors_name_the_line() {
        let wrong = |text: &str| all(text, Comments::Refused).unwrap_err();
        assert_eq!(
            wrong("A: 1\n\nBroken line\n"),
            "f:3:1: expected a field (`Name: value`), found `Broken line`\n  | Broken line"
        );
        assert!(
            wrong(" x: 1\n").starts_with("f:1:1: expected a field (`Name: value`), not a continued line")
        );
        assert!(wrong("A: 1\n# no\n").starts_with("f:2:1: "));
        assert!(wrong("A: 1\nB: 2\na: 3\n").starts_with("f:3:1: expected each field once"));
        assert!(wrong("A\u{e4}: 1\n").starts_with("f:1:1: "));
        assert!(wrong("-----BEGIN: x\n").starts_with("f:1:1: "));
    }

    proptest! {
        #[test]
        fn never_panics_and_ends(text in "[A-C:# \n\t\r\u{e4}-]{0,60}") {
            prop_assert!(paragraphs("f", &text, Comments::Allowed).count() <= text.len());
            prop_assert!(paragraphs("f", &text, Comments::Refused).count() <= text.len());
        }

        #[test]
        fn what_is_written_is_read(
            values in prop::collection::vec(
                prop::collection::btree_map("[A-Z][a-z]{0,3}", "[!-~]([ !-~]{0,9}[!-~])?(\n [!-~][a-z]{0,4}){0,3}", 1..5), 0..5),
        ) {
            let print = |p: &std::collections::BTreeMap<String, String>| {
                p.iter().map(|(n, v)| format!("{n}: {v}\n")).collect::<String>()
            };
            let text = values.iter().map(print).collect::<Vec<_>>().join("\n");
            // Names that differ in nothing but case would be one field.
            let expected: Vec<Vec<(String, String)>> =
                values.iter().map(|p| p.iter().map(|(n, v)| (n.clone(), v.clone())).collect()).collect();
            prop_assert_eq!(all(&text, Comments::Refused), Ok(expected));
        }
    }
}
