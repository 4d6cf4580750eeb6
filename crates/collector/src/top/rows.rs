//! An answer as rows: sorted, searched, as a list or as a tree.

use std::collections::HashMap;

use serde::Deserialize;

use crate::aggregate::paths::{caller_of, root_of};

/// What rows can be sorted by, largest first; by path from A to Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Total,
    Own,
    Calls,
    PerRoot,
    Mean,
    P50,
    P95,
    P99,
    Errors,
    Path,
}

impl Sort {
    pub(crate) const ALL: [(&'static str, Self); 10] = [
        ("total", Self::Total),
        ("self", Self::Own),
        ("calls", Self::Calls),
        ("per-root", Self::PerRoot),
        ("mean", Self::Mean),
        ("p50", Self::P50),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("errors", Self::Errors),
        ("path", Self::Path),
    ];

    /// # Errors
    /// What was given and what was expected.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, sort)| *sort).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("{text:?} is none of {names}")
        })
    }

    /// The one after it.
    pub(crate) fn next(self) -> Self {
        let place = Self::ALL.iter().position(|(_, sort)| *sort == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()].1
    }
}

/// One path, with times in seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) calls: f64,
    pub(crate) errors: f64,
    pub(crate) total: f64,
    pub(crate) largest: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) own: f64,
    pub(crate) per_root: f64,
    /// Callers above it.
    pub(crate) depth: usize,
}

impl Row {
    pub(crate) fn mean(&self) -> f64 {
        if self.calls > 0.0 { self.total / self.calls } else { 0.0 }
    }

    pub(crate) fn error_share(&self) -> f64 {
        if self.calls > 0.0 { self.errors / self.calls } else { 0.0 }
    }

    fn key(&self, sort: Sort) -> f64 {
        match sort {
            Sort::Total => self.total,
            Sort::Own => self.own,
            Sort::Calls => self.calls,
            Sort::PerRoot => self.per_root,
            Sort::Mean => self.mean(),
            Sort::P50 => self.p50,
            Sort::P95 => self.p95,
            Sort::P99 => self.p99,
            Sort::Errors => self.error_share(),
            Sort::Path => 0.0,
        }
    }
}

/// All of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) job: String,
    pub(crate) jobs: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) workers: u64,
    pub(crate) unready: Option<String>,
    pub(crate) overflowed: u64,
    pub(crate) rows: Vec<Row>,
}

/// A path, and its numbers, as `tree/answer.rs` writes them.
type Numbers = (u32, f64, f64, f64, f64, f64, f64, f64);

#[derive(Deserialize)]
struct Answer {
    job: String,
    jobs: Vec<(String, usize)>,
    window: Span,
    status: Status,
    paths: Vec<(u32, String)>,
    rows: Vec<Numbers>,
}

#[derive(Deserialize)]
struct Span {
    from: f64,
    to: f64,
}

#[derive(Deserialize)]
struct Status {
    workers: u64,
    unready: Option<String>,
    overflowed: u64,
}

impl Table {
    /// # Errors
    /// One line: why it is no answer.
    pub(crate) fn read(json: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(json)
            .map_err(|error| format!("the collector's answer cannot be read: {error}"))?;
        let names: HashMap<u32, String> = answer.paths.into_iter().collect();
        let mut rows: Vec<Row> = Vec::with_capacity(answer.rows.len());
        for (id, calls, errors, total, largest, p50, p95, p99) in answer.rows {
            if let Some(path) = names.get(&id).filter(|_| calls > 0.0) {
                let path = path.clone();
                rows.push(Row {
                    path,
                    calls,
                    errors,
                    total,
                    largest,
                    p50,
                    p95,
                    p99,
                    ..Row::default()
                });
            }
        }
        let counted: HashMap<String, f64> =
            rows.iter().map(|row| (row.path.clone(), row.calls)).collect();
        let mut inside: HashMap<String, f64> = HashMap::new();
        for row in &rows {
            if let Some((caller, _)) = caller_of(&row.path) {
                *inside.entry(caller.to_owned()).or_default() += row.total;
            }
        }
        for row in &mut rows {
            row.own = (row.total - inside.get(&row.path).copied().unwrap_or(0.0)).max(0.0);
            let roots = counted.get(root_of(&row.path)).copied().unwrap_or(0.0);
            row.per_root = if roots > 0.0 { row.calls / roots } else { 0.0 };
        }
        Ok(Self {
            job: answer.job,
            jobs: answer.jobs.into_iter().map(|(job, _)| job).collect(),
            seconds: ((answer.window.to - answer.window.from) / 1000.0).max(0.001),
            workers: answer.status.workers,
            unready: answer.status.unready,
            overflowed: answer.status.overflowed,
            rows,
        })
    }

    /// Leaves out rows whose path does not have `text` in it, whatever the case.
    pub(crate) fn search(&mut self, text: &str) {
        let text = text.to_lowercase();
        self.rows.retain(|row| row.path.to_lowercase().contains(&text));
    }

    pub(crate) fn sort(&mut self, sort: Sort) {
        self.rows.sort_by(|one, other| {
            let keys = other.key(sort).total_cmp(&one.key(sort));
            keys.then_with(|| one.path.cmp(&other.path))
        });
    }

    /// Puts what a path calls below it, and keeps the order of siblings.
    pub(crate) fn as_tree(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let places: HashMap<String, usize> =
            rows.iter().enumerate().map(|(place, row)| (row.path.clone(), place)).collect();
        let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            // The nearest caller that there is a row of.
            let mut path = &*row.path;
            let mut caller = None;
            while caller.is_none()
                && let Some((before, _)) = caller_of(path)
            {
                path = before;
                caller = places.get(path).copied();
            }
            children.entry(caller).or_default().push(place);
        }
        let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
        let below = |place: Option<usize>, depth: usize| {
            let found = children.get(&place).into_iter().flatten().rev();
            found.map(move |place| (*place, depth)).collect::<Vec<_>>()
        };
        let mut waiting = below(None, 0);
        while let Some((place, depth)) = waiting.pop() {
            if let Some(mut row) = rows[place].take() {
                row.depth = depth;
                self.rows.push(row);
            }
            waiting.extend(below(Some(place), depth + 1));
        }
    }
}
