//! What belongs to one process: nothing here knows what the program delivers.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `exit`        | the end of a process whose interpreter is not ended |
//! | `leader`      | the end of a process whose first thread has ended |
//! | `user`        | whose process this is |
//! | `unique`      | names that nothing else has |
//! | `unshared`    | descriptors that a forked child must not keep |
//! | `locked_file` | a file that one process holds locked |
//! | `fork`        | values that a forked child must not touch |
//! | `thread`      | blocking work on a thread of its own |
//! | `waking`      | futures whose wakers do not panic |
//! | `background`  | a Tokio runtime with one thread |
//! | `runtime`     | the runtimes of this process |

pub(crate) mod background;
pub mod exit;
pub mod fork;
mod leader;
pub(crate) mod locked_file;
pub mod runtime;
pub(crate) mod thread;
pub(crate) mod unique;
pub(crate) mod unshared;
pub(crate) mod user;
pub mod waking;
