//! How long calls took, as buckets: quantiles of several paths together cannot be worked out from
//! those of each.
//!
//! A row is `[path, zero, index, count, index, count, ...]`; see `Exponential` for the indices.

use std::fmt::Write as _;

use crate::tree::look::Look;

/// The buckets of all paths that have `text` in their name, as JSON, for the first window.
pub(crate) fn spread(mut look: Look, text: &str) -> String {
    let paths = std::mem::take(&mut look.new_paths);
    let calls = look.calls();
    let mut out = String::from("{\"rows\":[");
    let mut comma = "";
    for (path, _) in paths.iter().filter(|(_, name)| name.contains(text)) {
        let Some((calls, _)) = calls.get(path) else { continue };
        let _ = write!(out, "{comma}[{path},{}", calls.zero);
        for (index, count) in calls.buckets.iter() {
            let _ = write!(out, ",{index},{count}");
        }
        out.push(']');
        comma = ",";
    }
    out.push_str("]}");
    out
}
