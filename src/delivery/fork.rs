//! Which generation of forked processes this is.
//!
//! A forked child inherits memory without the threads that worked on it, and locks that
//! nobody will open. So whatever belongs to threads of ours remembers the generation it was
//! made in, and a child leaves it alone. `os.register_at_fork` would not do: servers that
//! fork by themselves, as uWSGI does, do not run its hooks; the C library does run these.

#![allow(unsafe_code)]

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exit::forget_inherited;
use super::locked_file::let_go_in_child;

static GENERATION: AtomicU64 = AtomicU64::new(0);
static REGISTERED: Once = Once::new();

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    forget_inherited();
    let_go_in_child();
}

/// Differs between a process and those it is forked from, ever since it was first asked for.
pub fn generation() -> u64 {
    REGISTERED.call_once(|| {
        // SAFETY: the handler changes atomics and makes system calls, which is all that may be
        // done between fork and exec. Its module is never unloaded: Python does not do that.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    GENERATION.load(Ordering::Relaxed)
}
