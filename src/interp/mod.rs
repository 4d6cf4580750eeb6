//! The interpreter: what running inside CPython takes, whatever is profiled.
//!
//! | module         | concept |
//! |----------------|---------|
//! | `garbage`      | how native objects show the garbage collector what they hold |
//! | `once`         | values and strings that are made once |
//! | `gil_cell`     | cells whose content is guarded by the interpreter lock |
//! | `interpreter`  | the check that this is the main interpreter |
//! | `monotonic`    | the monotonic clock for Python code |
//! | `stack`        | whether the C stack of a thread is nearly used up |
//! | `execution_id` | identity of the running thread or greenlet |
//! | `collector`    | whether the garbage collector runs on this thread |
//! | `entry`        | entry points of Rust functions that CPython calls by pointer |
//! | `panics`       | panics, contained where Python calls |
//! | `pool`         | objects of ended calls, used again |
//! | `thread_end`   | threads that the end of the interpreter would unwind |
//! | `user_code`    | calls of users' code with borrowed arguments |
//! | `exceptions`   | pending and handled exceptions, set aside and restored |

pub(crate) mod collector;
pub(crate) mod entry;
pub(crate) mod exceptions;
pub(crate) mod execution_id;
pub(crate) mod garbage;
pub(crate) mod gil_cell;
pub(crate) mod interpreter;
pub(crate) mod monotonic;
pub(crate) mod once;
pub(crate) mod panics;
pub(crate) mod pool;
pub(crate) mod stack;
pub(crate) mod thread_end;
pub(crate) mod user_code;
