//! Rows as lines of text, as wide as they may be.

use crate::aggregate::paths::caller_of;
use crate::top::rows::{Row, Sort, Table};

/// Titles of the columns, their widths, and what sorts by them.
const COLUMNS: [(&str, usize, Sort); 9] = [
    ("calls/s", 9, Sort::Calls),
    ("per root", 11, Sort::PerRoot),
    ("mean", 9, Sort::Mean),
    ("p50", 9, Sort::P50),
    ("p95", 9, Sort::P95),
    ("p99", 9, Sort::P99),
    ("errors", 8, Sort::Errors),
    ("self", 9, Sort::Own),
    ("total", 9, Sort::Total),
];
/// The path has what the other columns leave, and so much at least: then columns are left out.
const NARROWEST_PATH: usize = 24;
/// Those that are left out first.
const DISPENSABLE: [&str; 6] = ["p50", "p99", "self", "errors", "mean", "per root"];

/// How lines are laid out on a width.
#[derive(Debug)]
pub(crate) struct Layout {
    path: usize,
    columns: Vec<(&'static str, usize, Sort)>,
}

impl Layout {
    pub(crate) fn new(width: usize) -> Self {
        let mut columns: Vec<_> = COLUMNS.into();
        let taken = |columns: &[(&str, usize, Sort)]| -> usize {
            columns.iter().map(|(_, width, _)| width + 1).sum()
        };
        for name in DISPENSABLE {
            if taken(&columns) + NARROWEST_PATH > width {
                columns.retain(|(own, ..)| *own != name);
            }
        }
        let path = width.saturating_sub(taken(&columns)).max(8);
        Self { path, columns }
    }

    /// Titles; the column that rows are sorted by has an arrow.
    pub(crate) fn head(&self, sort: Sort) -> String {
        let title = if sort == Sort::Path { "path ^" } else { "path" };
        let mut line = left(title, self.path);
        for (title, width, own) in &self.columns {
            let title = if *own == sort { format!("{title} v") } else { (*title).to_owned() };
            line.push(' ');
            line.push_str(&right(&title, *width));
        }
        line
    }

    pub(crate) fn row(&self, row: &Row, table: &Table, is_tree: bool) -> String {
        let name = if is_tree && row.depth > 0 {
            let name = caller_of(&row.path).map_or(&*row.path, |(_, name)| name);
            format!("{}{name}", "  ".repeat(row.depth.min(20)))
        } else {
            row.path.clone()
        };
        let mut line = left(&visible(&name), self.path);
        for (_, width, column) in &self.columns {
            line.push(' ');
            line.push_str(&right(&cell(*column, row, table), *width));
        }
        line
    }
}

fn cell(column: Sort, row: &Row, table: &Table) -> String {
    match column {
        Sort::Calls => number(row.calls / table.seconds),
        Sort::PerRoot => {
            let mean = if row.per_root >= 9.95 {
                format!("{:.0}", row.per_root)
            } else {
                format!("{:.1}", row.per_root).trim_end_matches(".0").to_owned()
            };
            let is_more = row.largest > row.per_root.ceil();
            if is_more { format!("{mean} ({:.0})", row.largest) } else { mean }
        }
        Sort::Mean => time(row.mean()),
        Sort::P50 => time(row.p50),
        Sort::P95 => time(row.p95),
        Sort::P99 => time(row.p99),
        Sort::Errors => match row.error_share() * 100.0 {
            0.0 => "0".into(),
            share if share < 0.1 => "<0.1 %".into(),
            share if share < 9.95 => format!("{share:.1} %"),
            share => format!("{share:.0} %"),
        },
        Sort::Own => time(row.own),
        Sort::Total => time(row.total),
        Sort::Path => row.path.clone(),
    }
}

/// About three digits that tell.
fn number(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if value >= 99.5 => format!("{value:.0}"),
        value if value >= 0.995 => format!("{value:.1}"),
        value if value >= 0.0095 => format!("{value:.2}"),
        value => format!("{value:.0e}"),
    }
}

/// Seconds with the unit that fits.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds <= 0.0 => "0 ms".into(),
        seconds if seconds < 99.5e-6 => format!("{} us", number(seconds * 1e6)),
        seconds if seconds < 0.9995 => format!("{} ms", number(seconds * 1e3)),
        seconds if seconds < 600.0 => format!("{} s", number(seconds)),
        seconds if seconds < 36e3 => format!("{} min", number(seconds / 60.0)),
        seconds => format!("{} h", number(seconds / 3600.0)),
    }
}

/// Names are users': none of them moves the cursor.
fn visible(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

/// The end of a text that is too long tells more than its beginning.
fn left(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return format!("{text}{}", " ".repeat(width - length));
    }
    let end: String = text.chars().skip(length + 1 - width).collect();
    format!("…{end}")
}

fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.chars().count())))
}
