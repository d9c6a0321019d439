//! Aligned columns for people; colored cells keep their width.

/// A table without lines: columns aligned, two spaces between them.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
    indent: usize,
}

impl Table {
    /// A table whose columns `right` (from 0) are aligned to the right.
    pub(super) fn new(right: &[usize]) -> Self {
        Self { right: right.to_vec(), ..Self::default() }
    }

    /// The same table, moved to the right.
    pub(super) fn indent(self, indent: usize) -> Self {
        Self { indent, ..self }
    }

    /// Adds a row.
    pub(super) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, without white space at their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let mut line = " ".repeat(self.indent);
            for (column, cell) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column] - width(cell));
                let gap = if column == 0 { "" } else { "  " };
                line += gap;
                if self.right.contains(&column) {
                    line += &padding;
                    line += cell;
                } else {
                    line += cell;
                    line += &padding;
                }
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// The columns that a text takes on a terminal: characters, color codes not counted.
pub(super) fn width(text: &str) -> usize {
    let mut count = 0;
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '\x1b' => in_code = true,
            'm' if in_code => in_code = false,
            _ if in_code => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_the_color() {
        let mut table = Table::new(&[1]).indent(1);
        table.row(["\x1b[1ma\x1b[0m", "1"]);
        table.row(["änne", "23"]);
        table.row(["b"]);
        assert_eq!(table.lines(), [" \x1b[1ma\x1b[0m      1", " änne  23", " b"]);
    }
}
