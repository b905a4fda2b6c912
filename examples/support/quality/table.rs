//! A table, for people at a terminal, in Markdown and on a page.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table as Drawn, presets};

use crate::words::escape;

/// How tables are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    Lines,
    Markdown,
}

/// The first column names what the numbers are of.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<H: Into<String>>(header: impl IntoIterator<Item = H>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn text(&self, style: Style) -> String {
        let mut drawn = Drawn::new();
        drawn.load_preset(match style {
            Style::Lines => presets::UTF8_FULL_CONDENSED,
            Style::Markdown => presets::ASCII_MARKDOWN,
        });
        drawn.set_header(&self.header);
        drawn.add_rows(&self.rows);
        if style == Style::Lines {
            for column in drawn.column_iter_mut().skip(1) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        drawn.to_string()
    }

    /// With an empty first column, which the style of pages has for marks; nothing without a row.
    pub(crate) fn html(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut html = String::from("<table>\n<thead><tr><th></th>");
        let cells = |html: &mut String, kind: &str, cells: &[String]| {
            for cell in cells {
                // Writing into a string does not fail.
                let _ = write!(html, "<{kind}>{}</{kind}>", escape(cell));
            }
            html.push_str("</tr>");
        };
        cells(&mut html, "th", &self.header);
        html.push_str("</thead>\n");
        for row in &self.rows {
            html.push_str("<tr><td></td>");
            cells(&mut html, "td", row);
            html.push('\n');
        }
        html.push_str("</table>\n");
        html
    }
}

/// `99.5 %`
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

/// With three decimals, or nothing.
pub(crate) fn three(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { String::new() }
}

/// With two decimals, or nothing.
pub(crate) fn two(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| format!("{value:.2}"))
}
