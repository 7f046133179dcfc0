//! Aligned columns of plain text, for `ls` and its like. Knows nothing of what the cells mean.

use std::io::{self, Write};

/// On which side a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells; columns are as wide as their widest cell and two spaces apart.
#[derive(Debug, Clone)]
pub struct Table<const N: usize> {
    aligns: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub fn new(aligns: [Align; N]) -> Table<N> {
        Table { aligns, rows: Vec::new() }
    }

    /// Adds a row below the others.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Writes all rows, a line each. No line ends with spaces.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths();
        for row in &self.rows {
            let cells = row.iter().zip(self.aligns).zip(widths);
            let padded: Vec<String> = cells.map(|((cell, align), width)| pad(cell, align, width)).collect();
            writeln!(to, "{}", padded.join("  ").trim_end_matches(' '))?;
        }
        Ok(())
    }

    fn widths(&self) -> [usize; N] {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        std::array::from_fn(|column| width(column).unwrap_or(0))
    }
}

fn pad(cell: &str, align: Align, width: usize) -> String {
    match align {
        Align::Left => format!("{cell:<width$}"),
        Align::Right => format!("{cell:>width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        table.row(["-rw-r--r--".into(), "7".into(), "/a".into()]);
        table.row(["d".into(), "1000".into(), "/größer".into()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        -rw-r--r--     7  /a
        d           1000  /größer
        ");
    }
}
