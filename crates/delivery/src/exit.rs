//! The end of a process whose interpreter is not ended. A server written in C calls `exit`,
//! and uWSGI then leaves Python's exit functions out for a worker that is at work: what that
//! worker has handed over within the last tick waits still.
//!
//! `exit` may be called by a signal handler, in the middle of anything. So nothing is done
//! here but to give the network side, which works in a thread of its own, some time: no lock
//! is taken, no memory allocated.
//!
//! It is done when libraries are taken down and not by `atexit`: that comes after whatever the
//! program itself has for its end, when no thread of Python's hands anything over any more.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the broker may take to confirm what waits.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How many places of this process have records in them.
static OCCUPIED: AtomicUsize = AtomicUsize::new(0);
/// Set once the interpreter's own end has seen to all that waits.
static SEEN_TO: AtomicBool = AtomicBool::new(false);

/// Whether there are records in one place.
#[derive(Default)]
pub(super) struct Occupied(bool);

impl Occupied {
    pub(super) fn set(&mut self, occupied: bool) {
        if occupied == self.0 {
            return;
        }
        self.0 = occupied;
        if occupied {
            OCCUPIED.fetch_add(1, Ordering::AcqRel);
        } else {
            OCCUPIED.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// A forked child has none of its parent's places.
pub(super) fn forget_inherited() {
    OCCUPIED.store(0, Ordering::Release);
}

/// The interpreter's end has delivered what could be delivered.
pub fn seen_to() {
    SEEN_TO.store(true, Ordering::Release);
}

// SAFETY: the section holds pointers to functions of this type, which the C library calls.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = wait_for_the_rest;

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
extern "C" fn wait_for_the_rest() {
    let end = Instant::now() + PATIENCE;
    while OCCUPIED.load(Ordering::Acquire) > 0
        && !SEEN_TO.load(Ordering::Acquire)
        && Instant::now() < end
    {
        sleep(LOOK_EVERY);
    }
}
