//! Names that nothing else has.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// Different at every call, in processes with the same id too: containers may share a directory.
pub(crate) fn unique_name() -> Box<str> {
    let process = std::process::id();
    // A forked child has its parent's random state, hence process and time.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let random = RandomState::new().hash_one((process, now.as_nanos()));
    format!("{process:x}-{:x}-{random:016x}", now.as_micros()).into()
}
