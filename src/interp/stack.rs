//! Whether the C stack of a thread is nearly used up.
//!
//! Each nested profiled call takes about 600 bytes of it, and up to CPython 3.13 the limit of
//! recursion does not consider threads with a small stack (`threading.stack_size`). From 3.14 on the
//! interpreter compares the stack pointer with the thread's limit, and keeps a reserve itself: see
//! `call/recursion.rs`.

#[cfg(Py_3_14)]
pub(crate) const fn is_nearly_used_up() -> bool {
    false
}

#[cfg(not(Py_3_14))]
pub(crate) use measured::is_nearly_used_up;

#[cfg(not(Py_3_14))]
mod measured;
