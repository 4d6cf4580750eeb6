//! The interpreter: everything that has to do with running inside CPython, and nothing with profiling.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `entry`       | ways into Rust for functions that the interpreter calls by pointer |
//! | `garbage`     | what native objects show to the garbage collector |
//! | `gil_cell`    | state guarded by the interpreter lock |
//! | `interpreter` | whether this is the main one |
//! | `monotonic`   | the monotonic clock, for Python code |
//! | `pool`        | objects of ended calls, to be used again |
//! | `exceptions`      | the exception in flight, set aside and put back |
//! | `stack`       | how much C stack a thread has left |
//! | `execution_id`      | who runs: a thread, or one of its greenlets |
//! | `user_code`   | calls of what users wrote, on threads that the end may take |

pub(crate) mod entry;
pub(crate) mod exceptions;
pub(crate) mod execution_id;
pub(crate) mod garbage;
pub(crate) mod gil_cell;
pub(crate) mod interpreter;
pub(crate) mod monotonic;
pub(crate) mod pool;
pub(crate) mod stack;
pub(crate) mod user_code;
