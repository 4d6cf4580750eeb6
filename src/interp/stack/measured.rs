//! The end of the running thread's stack, asked of the system.

#![allow(unsafe_code)]

use std::cell::Cell;

/// The largest reserve: what handlers and hooks of the deepest call may need.
const MAX_RESERVE_BYTES: usize = 64 * 1024;

/// The last part of a thread's stack, in which no profiled call begins.
#[derive(Clone, Copy)]
struct Reserve {
    /// Lowest address of the stack.
    low: usize,
    /// Number of bytes from there.
    length_bytes: usize,
}

/// The reserve before the stack is measured: every address is in it, so the first call measures.
const UNKNOWN: Reserve = Reserve { low: 0, length_bytes: usize::MAX };
/// The reserve where the stack cannot be measured: no address is in it.
const NONE: Reserve = Reserve { low: 0, length_bytes: 0 };

thread_local! {
    static RESERVE: Cell<Reserve> = const { Cell::new(UNKNOWN) };
}

impl Reserve {
    /// False for an address outside the thread's own stack, on a stack that a library of
    /// coroutines has switched to: its end is not known here.
    fn contains(self, address: usize) -> bool {
        address.wrapping_sub(self.low) < self.length_bytes
    }
}

/// True if no further call should be nested.
#[inline]
pub(crate) fn is_nearly_used_up() -> bool {
    let here = 0u8;
    let here = std::ptr::from_ref(&here).addr();
    RESERVE.get().contains(here) && is_in_reserve(here)
}

/// Measures the stack again: that of the main thread grows when its limit is raised.
#[cold]
fn is_in_reserve(address: usize) -> bool {
    let reserve = measure().unwrap_or(NONE);
    RESERVE.set(reserve);
    reserve.contains(address)
}

/// The reserve of the running thread; `None` if the system does not tell its stack.
#[cfg(target_os = "linux")]
fn measure() -> Option<Reserve> {
    use std::mem::MaybeUninit;
    use std::ptr;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut low, mut size_bytes) = (ptr::null_mut(), 0);
    // SAFETY: `attributes` is filled in before it is read, and destroyed once.
    let is_known = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let attributes = attributes.as_mut_ptr();
        let is_known =
            libc::pthread_attr_getstack(attributes, &raw mut low, &raw mut size_bytes) == 0;
        libc::pthread_attr_destroy(attributes);
        is_known
    };
    is_known
        .then(|| Reserve { low: low.addr(), length_bytes: (size_bytes / 4).min(MAX_RESERVE_BYTES) })
}

/// The same. `pthread_get_stackaddr_np` tells the highest address of a stack, which grows
/// downward, and `pthread_get_stacksize_np` its size: Apple's libpthread, `src/pthread.c`.
#[cfg(target_os = "macos")]
fn measure() -> Option<Reserve> {
    // SAFETY: both only read what the running thread was made with.
    let (high, size_bytes) = unsafe {
        let thread = libc::pthread_self();
        (libc::pthread_get_stackaddr_np(thread).addr(), libc::pthread_get_stacksize_np(thread))
    };
    Some(Reserve {
        low: high.checked_sub(size_bytes)?,
        length_bytes: (size_bytes / 4).min(MAX_RESERVE_BYTES),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn measure() -> Option<Reserve> {
    None
}
