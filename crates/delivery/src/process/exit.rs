//! The end of a process whose interpreter is not ended. A server written in C calls `exit`,
//! and uWSGI then leaves Python's exit functions out for a worker that is busy: records that the
//! worker has handed over within the last tick still wait to be sent.
//!
//! `exit` may be called by a signal handler, in the middle of any other code. So all that happens
//! here is to give the network side, which has a thread of its own, some time: no lock is taken
//! and no memory is allocated.
//!
//! It happens when libraries are finalised and not by `atexit`: finalisation comes after all exit
//! functions of the program, when no Python thread hands anything over any more. macOS has no such
//! section that its linker still takes (LLVM lowers destructors to exit functions there since
//! macOS 10.15), so elsewhere it is an exit function, registered with the first record: those
//! registered before it, such as Python's own, run later.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the receiver may take to confirm the waiting records.
const TIMEOUT: Duration = Duration::from_secs(1);
const CHECK_INTERVAL: Duration = Duration::from_millis(2);

/// How many buffers and outboxes of this process hold records.
static HOLDERS: AtomicUsize = AtomicUsize::new(0);
/// Set once the interpreter's own end has delivered what could be delivered.
static DELIVERED: AtomicBool = AtomicBool::new(false);

/// Whether one buffer or outbox holds records.
#[derive(Default)]
pub(crate) struct HoldsRecords(bool);

impl HoldsRecords {
    pub(crate) fn set(&mut self, holds_records: bool) {
        if holds_records == self.0 {
            return;
        }
        self.0 = holds_records;
        if holds_records {
            #[cfg(not(target_os = "linux"))]
            register();
            HOLDERS.fetch_add(1, Ordering::AcqRel);
        } else {
            HOLDERS.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for HoldsRecords {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// In a forked child: the parent's buffers and outboxes do not count here.
pub(crate) fn reset_in_child() {
    HOLDERS.store(0, Ordering::Release);
}

/// Says that the interpreter's end has delivered what could be delivered: the end of the process
/// need not wait.
pub fn mark_delivered() {
    DELIVERED.store(true, Ordering::Release);
}

// SAFETY: the section holds pointers to functions of this type, which the C library calls.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = wait_for_delivery;

#[cfg(not(target_os = "linux"))]
fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: the function lives as long as the library, which is never unloaded.
    ONCE.call_once(|| unsafe {
        libc::atexit(wait_for_delivery);
    });
}

extern "C" fn wait_for_delivery() {
    let deadline = Instant::now() + TIMEOUT;
    while HOLDERS.load(Ordering::Acquire) > 0
        && !DELIVERED.load(Ordering::Acquire)
        && Instant::now() < deadline
    {
        sleep(CHECK_INTERVAL);
    }
}
