//! Values that a forked child must not touch.
//!
//! A forked child inherits memory without the threads that worked on it, and locks that no
//! thread will ever release. So a value that background threads work on remembers the process
//! that made it, and a child leaves it alone. `os.register_at_fork` would not do: servers that
//! fork by themselves, as uWSGI does, do not run its hooks; the C library does run these.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::exit;
use crate::process::leader;
use crate::process::unshared;

/// How many forks lie between this process and the first one.
static GENERATION: AtomicU64 = AtomicU64::new(0);
static REGISTERED: Once = Once::new();

unsafe extern "C" fn before_fork() {
    leader::before_fork();
    unshared::before_fork();
}

unsafe extern "C" fn in_parent() {
    unshared::in_parent();
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    leader::note_in_child();
    exit::reset_in_child();
    unshared::in_child();
}

/// Differs between a process and its children, provided that it was called before the fork.
fn generation() -> u64 {
    REGISTERED.call_once(|| {
        // SAFETY: the handler changes atomics and makes system calls, which is all that may be
        // done between fork and exec. Its module is never unloaded: Python does not do that.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) };
    });
    GENERATION.load(Ordering::Relaxed)
}

/// A value that threads of the process that made it work on. A forked child gets no access to
/// it and never drops it: its locks may be held by threads that do not exist in the child.
pub struct ProcessLocal<T> {
    value: ManuallyDrop<T>,
    generation: u64,
}

impl<T> ProcessLocal<T> {
    pub fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), generation: generation() }
    }

    /// The value; `None` in a process that was forked since it was made.
    pub fn get(&self) -> Option<&T> {
        self.is_of_this_process().then_some(&*self.value)
    }

    /// The value, taken out; `None` in a process that was forked since it was made.
    pub fn into_inner(self) -> Option<T> {
        let mut kept = ManuallyDrop::new(self);
        // SAFETY: taken once, here; what it is taken from is not dropped.
        kept.is_of_this_process().then(|| unsafe { ManuallyDrop::take(&mut kept.value) })
    }

    fn is_of_this_process(&self) -> bool {
        self.generation == generation()
    }
}

impl<T> Drop for ProcessLocal<T> {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
