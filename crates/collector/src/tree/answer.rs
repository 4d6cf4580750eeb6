//! The answer as JSON: all of it to a client that was told nothing yet, else what has changed.
//!
//! A row is `[path, calls, errors, total, largest, p50, p95, p99]` (seconds), with a second window
//! followed by the last seven of that. Paths are told once, by name.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};

use crate::aggregate::frame::Calls;
use crate::tree::look::{Look, Part};
use crate::tree::quantile::quantile;

/// What a client was told.
#[derive(Debug, Default)]
pub struct Told {
    generation: u64,
    job: String,
    paths: u32,
    /// Hashes of the rows.
    rows: HashMap<u32, u64>,
    hasher: RandomState,
    any: bool,
}

impl Told {
    pub(crate) fn known(&self) -> Option<(u64, &str, u32)> {
        self.any.then_some((self.generation, &self.job, self.paths))
    }

    /// The answer; `status` is JSON for the member of that name.
    pub(crate) fn tell(&mut self, mut look: Look, status: &str) -> String {
        let is_new = self
            .known()
            .is_none_or(|(generation, job, _)| generation != look.generation || *job != *look.job);
        if is_new {
            self.rows.clear();
        }
        let calls = look.calls();
        let has_two = look.compare.is_some();
        let mut out = String::with_capacity(128 * calls.len() + 1024);
        let _ =
            write!(out, "{{\"whole\":{is_new},\"status\":{status},\"job\":{}", quoted(&look.job));
        let jobs: Vec<String> =
            look.jobs.iter().map(|(job, series)| format!("[{},{series}]", quoted(job))).collect();
        let _ = write!(out, ",\"jobs\":[{}]", jobs.join(","));
        let _ = write!(out, ",\"now\":{},\"begin\":{}", look.now_ms, look.begin_ms);
        let _ = write!(out, ",\"window\":{}", part(&look.window));
        let compare = look.compare.as_ref().map_or("null".to_owned(), part);
        let _ = write!(out, ",\"compare\":{compare},\"paths\":[");
        for (position, (path, name)) in look.new_paths.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let _ = write!(out, "{comma}[{path},{}]", quoted(name));
        }
        out.push_str("],\"rows\":[");
        let mut rows = HashMap::with_capacity(calls.len());
        let mut first = true;
        let mut row = String::new();
        for (path, (one, other)) in &calls {
            row.clear();
            let _ = write!(row, "[{path}");
            numbers(one, &mut row);
            if has_two {
                numbers(other, &mut row);
            }
            row.push(']');
            let hash = self.hasher.hash_one(&row);
            rows.insert(*path, hash);
            if self.rows.remove(path) != Some(hash) {
                add(&mut out, &mut first, &row);
            }
        }
        // What is left had calls before.
        for path in self.rows.keys() {
            let nothing =
                if has_two { ",0,0,0,0,0,0,0".repeat(2) } else { ",0,0,0,0,0,0,0".into() };
            add(&mut out, &mut first, &format!("[{path}{nothing}]"));
        }
        out.push_str("]}");
        (self.generation, self.paths, self.any) = (look.generation, look.paths, true);
        self.job = look.job;
        self.rows = rows;
        out
    }
}

fn add(out: &mut String, first: &mut bool, row: &str) {
    if !std::mem::take(first) {
        out.push(',');
    }
    out.push_str(row);
}

fn part(part: &Part) -> String {
    let Part { asked, from_ms, to_ms, .. } = part;
    format!("{{\"asked\":\"{asked}\",\"from\":{from_ms},\"to\":{to_ms}}}")
}

fn numbers(calls: &Calls, out: &mut String) {
    let _ = write!(out, ",{},{},{},{}", calls.calls, calls.errors, calls.total, calls.largest);
    for share in [0.5, 0.95, 0.99] {
        // Buckets are 9 % wide: more digits would tell nothing.
        let _ = write!(out, ",{:.3e}", quantile(calls, share));
    }
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
