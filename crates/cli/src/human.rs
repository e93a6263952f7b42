//! Text for people on standard output.
use crate::{Paint, Table};

/// Text for people, collected and then printed at once.
#[derive(Debug)]
pub struct Human {
    pub(crate) text: String,
    paint: Paint,
    columns: usize,
}

impl Human {
    pub(crate) fn new(paint: Paint, columns: usize) -> Self {
        Self { text: String::new(), paint, columns }
    }

    /// One line, or several.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// A table.
    pub fn table(&mut self, table: &Table) {
        self.text.push_str(&table.render(self.paint));
    }

    /// Colours for this stream.
    #[must_use]
    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// Columns of the terminal, or 80.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }
}
