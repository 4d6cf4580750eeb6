//! What belongs to one process: nothing here knows what the program delivers.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `exit`        | the end of a process whose interpreter is not ended |
//! | `user`        | whose process this is |
//! | `locked_file` | a file that one process holds locked |
//! | `fork`        | values that a forked child must not touch |
//! | `runtime`     | the Tokio runtimes |

pub mod exit;
pub mod fork;
pub(crate) mod locked_file;
pub mod runtime;
pub(crate) mod user;
