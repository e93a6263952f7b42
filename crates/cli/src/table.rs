//! Tables for people.
use crate::{Paint, clean};
use unicode_width::UnicodeWidthStr;

/// Columns under headings, two spaces apart, numbers to the right. Not a contract: programs read
/// `--json`.
///
/// ```
/// use esos_cli::{Paint, Table};
///
/// let mut table = Table::new(["NAME", "SIZE"]).right(1);
/// table.row(["sda", "1.8 TiB"]);
/// table.row(["nvme0n1", "512 GiB"]);
/// assert_eq!(table.render(Paint::default()), "NAME        SIZE\nsda      1.8 TiB\nnvme0n1  512 GiB\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new<H: Into<String>>(head: impl IntoIterator<Item = H>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Puts a column (from 0) to the right.
    #[must_use]
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Adds a row. Missing cells are empty; an empty cell prints as `-`.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text; headings bold where there is colour.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        let columns = self.head.len();
        let cell = |row: &[String], i: usize| {
            let text = row.get(i).map_or("", String::as_str);
            if text.is_empty() { "-".to_owned() } else { clean(text).replace(['\n', '\t'], " ") }
        };
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| (0..columns).map(|i| cell(row, i)).collect()).collect();
        let width = |i: usize| {
            let cells = rows.iter().chain([&self.head]).filter_map(|row| row.get(i));
            cells.map(|c| c.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (n, row) in std::iter::once(&self.head).chain(&rows).enumerate() {
            let mut line = String::new();
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width.saturating_sub(cell.width()));
                let gap = if i == 0 { "" } else { "  " };
                if self.right.contains(&i) {
                    line.push_str(&format!("{gap}{pad}{cell}"));
                } else {
                    line.push_str(&format!("{gap}{cell}{pad}"));
                }
            }
            let line = line.trim_end();
            text.push_str(&if n == 0 { paint.bold(line) } else { line.to_owned() });
            text.push('\n');
        }
        text
    }
}
