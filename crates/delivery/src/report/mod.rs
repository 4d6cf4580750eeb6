//! What becomes of the records of one handler, for callers to see.
//!
//! | module      | concept |
//! |-------------|---------|
//! | `one_line`  | texts of others, fit for a log |
//! | `stats`     | counts |
//! | `log_queue` | log lines of the network side, until a Python thread logs them |

pub(crate) mod log_queue;
pub(crate) mod one_line;
pub(crate) mod stats;
