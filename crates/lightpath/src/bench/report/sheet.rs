//! A table, as text, as Markdown and as HTML.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

/// Rows of cells under a header. The first columns are words, the others numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Sheet {
    header: Vec<&'static str>,
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// An empty one, of whose columns so many are words.
    pub(in crate::bench) fn new(words: usize, header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), words, rows: Vec::new() }
    }

    /// Adds a row of as many cells as the header has.
    pub(in crate::bench) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(&self.header);
        table.add_rows(&self.rows);
        for column in table.column_iter_mut().skip(self.words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }

    /// For a page of the documentation.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            cells.fold("|".to_owned(), |line, cell| line + " " + cell + " |") + "\n"
        };
        text.push_str(&line(&mut self.header.iter().copied()));
        let rule = |place| if place < self.words { "---" } else { "---:" };
        text.push_str(&line(&mut (0..self.header.len()).map(rule)));
        for row in &self.rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text
    }

    /// For a browser.
    pub(super) fn html(&self) -> String {
        let mut text = "<table>\n<tr>".to_owned();
        // Writing to a string cannot fail.
        for title in &self.header {
            let _ = write!(text, "<th>{}</th>", escape(title));
        }
        text.push_str("</tr>\n");
        for row in &self.rows {
            text.push_str("<tr>");
            for (place, cell) in row.iter().enumerate() {
                let class = if place < self.words { "" } else { " class=\"number\"" };
                let _ = write!(text, "<td{class}>{}</td>", escape(cell));
            }
            text.push_str("</tr>\n");
        }
        text + "</table>\n"
    }
}

/// Text as it stands in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number with a comma between thousands.
pub(in crate::bench) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that is not negative, without its fraction and with a comma between thousands.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates of packets are far below 2^64"
)]
pub(in crate::bench) fn whole(number: f64) -> String {
    if number.is_finite() { grouped(number.round() as u64) } else { "–".to_owned() }
}

/// Bytes, in mebibytes.
#[expect(clippy::cast_precision_loss, reason = "a size is shown with one digit of its fraction")]
pub(in crate::bench) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new(1, &["packets", "ns"]);
        sheet.row(["a < b".to_owned(), "63".to_owned()]);
        sheet.row(["c".to_owned(), "1,204".to_owned()]);
        sheet
    }

    #[test]
    fn numbers_are_aligned_on_the_right() {
        assert_eq!(sheet().text(), " packets     ns\n a < b       63\n c        1,204\n");
    }

    #[test]
    fn markdown_says_which_columns_are_numbers() {
        assert_eq!(sheet().markdown(), "| packets | ns |\n| --- | ---: |\n| a < b | 63 |\n| c | 1,204 |\n");
    }

    #[test]
    fn html_is_escaped() {
        assert!(sheet().html().contains("<tr><td>a &lt; b</td><td class=\"number\">63</td></tr>"));
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (65_536, "65,536"), (1_048_576, "1,048,576")]
        {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!(whole(f64::NAN), "–");
        assert_eq!(whole(1_729_999.6), "1,730,000");
    }
}
