//! Which generation of forked processes this is.
//!
//! A forked child inherits memory without the threads that worked on it, and locks that
//! nobody will open. So whatever belongs to threads of ours remembers the generation it was
//! made in, and a child leaves it alone. `os.register_at_fork` would not do: servers that
//! fork by themselves, as uWSGI does, do not run its hooks; the C library does run these.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
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

/// Something that threads of the process work on which made it. A forked child does not get
/// at it and never drops it: its locks may be held, and by threads that do not exist.
pub struct Ours<T> {
    value: ManuallyDrop<T>,
    generation: u64,
}

impl<T> Ours<T> {
    pub fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), generation: generation() }
    }

    /// `None` in a process forked off since.
    pub fn get(&self) -> Option<&T> {
        self.is_ours().then_some(&*self.value)
    }

    /// As `get`.
    pub fn into_inner(self) -> Option<T> {
        let mut kept = ManuallyDrop::new(self);
        // SAFETY: taken once, here; what it is taken from is not dropped.
        kept.is_ours().then(|| unsafe { ManuallyDrop::take(&mut kept.value) })
    }

    fn is_ours(&self) -> bool {
        self.generation == generation()
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
