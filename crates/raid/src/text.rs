//! Reading lines, pairs and tables.
use std::borrow::Cow;

/// Lines with their number from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    split(text).enumerate().map(|(i, line)| (i.saturating_add(1), line))
}

/// Lines as `str::lines` gives them, found at memory speed.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain(
        // The last line may have no end.
        (!text.is_empty() && !text.ends_with('\n')).then_some(text.len()),
    );
    ends.map(move |end| {
        let line = text.get(start..end).unwrap_or_default();
        start = end.saturating_add(1);
        if end == text.len() { line } else { line.strip_suffix('\r').unwrap_or(line) }
    })
}

/// How far a line is indented; a tab counts as much as it jumps to.
pub(crate) fn indent(line: &str) -> usize {
    let mut columns = 0usize;
    for c in line.chars() {
        match c {
            ' ' => columns = columns.saturating_add(1),
            '\t' => columns = (columns / 8).saturating_add(1).saturating_mul(8),
            _ => break,
        }
    }
    columns
}

/// `key : value` split at the first mark, both trimmed.
pub(crate) fn pair<'a>(line: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let (key, value) = line.split_once(mark)?;
    let key = key.trim();
    (!key.is_empty()).then(|| (key, value.trim()))
}

/// The number at the start of a text.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// Yes, no or neither.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// The text if there is any.
pub(crate) fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// With single blanks between the words.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let mut blank = true;
    let single = text.bytes().all(|b| {
        let twice = blank && b == b' ';
        blank = b == b' ';
        !twice && (blank || b.is_ascii_graphic())
    });
    if single && !blank {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a line is a rule: three or more of `-` or `=` and nothing else.
pub(crate) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && (line.bytes().all(|b| b == b'-') || line.bytes().all(|b| b == b'='))
}

/// One row of a table whose columns are told apart by blanks. At most one column, `free`, may hold
/// blanks itself: columns before it are counted from the left, those after it from the right, so that
/// neither padding nor a shifted column matters. A size (`278.464 GB`) counts as one cell.
///
/// What it holds is given back to the next row.
#[derive(Default)]
pub(crate) struct Row<'a> {
    words: Vec<&'a str>,
    named: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Row<'a> {
    /// Takes a line apart: its cells with the names of their columns.
    pub(crate) fn read(
        &mut self,
        header: &[&'a str],
        free: &str,
        line: &'a str,
    ) -> Option<&[(&'a str, Cow<'a, str>)]> {
        cells(line, &mut self.words);
        self.named.clear();
        name(header, free, line, &self.words, &mut self.named)?;
        Some(&self.named)
    }
}

fn name<'a>(
    header: &[&'a str],
    free: &str,
    line: &'a str,
    cells: &[&'a str],
    row: &mut Vec<(&'a str, Cow<'a, str>)>,
) -> Option<()> {
    let at = header.iter().position(|name| *name == free).unwrap_or(header.len());
    let after = header.len().saturating_sub(at).saturating_sub(1);
    let after = if at == header.len() { 0 } else { after };
    if cells.len() < at.saturating_add(after) || (at == header.len() && cells.len() > at) {
        return None;
    }
    let tail = cells.len().saturating_sub(after);
    for (i, name) in header.iter().enumerate() {
        let value = if i < at {
            Cow::Borrowed(*cells.get(i)?)
        } else if i == at {
            joined(cells.get(at..tail)?, line)
        } else {
            Cow::Borrowed(*cells.get(tail.saturating_add(i.saturating_sub(at)).saturating_sub(1))?)
        };
        row.push((*name, value));
    }
    Some(())
}

/// Several cells as one text with single blanks.
fn joined<'a>(cells: &[&'a str], line: &'a str) -> Cow<'a, str> {
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return Cow::Borrowed("") };
    let start = offset(line, first);
    let end = offset(line, last).saturating_add(last.len());
    match line.get(start..end) {
        Some(text) if !text.contains("  ") && !text.contains('\t') => Cow::Borrowed(text),
        _ => Cow::Owned(cells.join(" ")),
    }
}

/// Where a part of a line begins.
fn offset(line: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(line.as_ptr().addr())
}

fn cells<'a>(line: &'a str, cells: &mut Vec<&'a str>) {
    cells.clear();
    for word in line.split_ascii_whitespace() {
        let unit = matches!(word, "KB" | "MB" | "GB" | "TB" | "PB" | "KiB" | "MiB" | "GiB" | "TiB" | "PiB");
        match cells.last_mut() {
            Some(last) if unit && is_number(last) => {
                let start = offset(line, last);
                let end = offset(line, word).saturating_add(word.len());
                // With one blank between number and unit, as they are printed.
                match line
                    .get(start..end)
                    .filter(|text| text.len() == last.len().saturating_add(word.len()).saturating_add(1))
                {
                    Some(both) => *last = both,
                    None => cells.push(word),
                }
            }
            _ => cells.push(word),
        }
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The cell of a column.
pub(crate) fn cell<'a>(row: &'a [(&str, Cow<'_, str>)], names: &[&str]) -> Option<&'a str> {
    row.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| value.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in ["", "\n", "a", "a\n", "a\r\nb", "\n\n a\r\r\n", "ä\n\u{fffd}\n\r"] {
            assert_eq!(split(text).collect::<Vec<_>>(), text.lines().collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn a_model_with_blanks_is_one_cell() {
        let header = ["EID:Slt", "Size", "Model", "Sp", "Type"];
        let mut row = Row::default();
        let row = row.read(&header, "Model", "8:0 953.343 GB Samsung SSD 850 PRO 1TB U -").unwrap();
        assert_eq!(cell(row, &["Model"]), Some("Samsung SSD 850 PRO 1TB"));
        assert_eq!(cell(row, &["Size"]), Some("953.343 GB"));
        assert_eq!(cell(row, &["Sp"]), Some("U"));
    }
}
