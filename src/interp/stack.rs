//! How much of its C stack a thread has left.
//!
//! Each nested profiled call takes about 600 bytes of it, and the limit of recursion knows
//! nothing of threads with a small stack (`threading.stack_size`).

#![allow(unsafe_code)]

use std::cell::Cell;

/// What handlers and hooks of the deepest call may need.
const RESERVE_MAX: usize = 64 * 1024;

/// The end of a thread's stack that is not to be used.
#[derive(Clone, Copy)]
struct Reserve {
    /// Lowest address of the stack.
    low: usize,
    /// Bytes from there.
    length: usize,
}

/// Before it is known: everything is in reserve, so that the first call asks.
const UNKNOWN: Reserve = Reserve { low: 0, length: usize::MAX };
const NONE: Reserve = Reserve { low: 0, length: 0 };

thread_local! {
    static RESERVE: Cell<Reserve> = const { Cell::new(UNKNOWN) };
}

impl Reserve {
    /// False on a stack that is none of the thread's own: such as switch stacks know best.
    fn holds(self, address: usize) -> bool {
        address.wrapping_sub(self.low) < self.length
    }
}

/// True if a call should not nest any deeper.
#[inline]
pub(crate) fn is_nearly_used_up() -> bool {
    let here = 0u8;
    let here = std::ptr::from_ref(&here).addr();
    RESERVE.get().holds(here) && is_in_reserve(here)
}

/// Asks once more: the stack of the main thread grows when its limit is raised.
#[cold]
fn is_in_reserve(address: usize) -> bool {
    let reserve = measured().unwrap_or(NONE);
    RESERVE.set(reserve);
    reserve.holds(address)
}

#[cfg(target_os = "linux")]
fn measured() -> Option<Reserve> {
    use std::mem::MaybeUninit;
    use std::ptr;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut low, mut size) = (ptr::null_mut(), 0);
    // SAFETY: `attributes` is filled in before it is read, and destroyed once.
    let known = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let attributes = attributes.as_mut_ptr();
        let known = libc::pthread_attr_getstack(attributes, &raw mut low, &raw mut size) == 0;
        libc::pthread_attr_destroy(attributes);
        known
    };
    known.then(|| Reserve { low: low.addr(), length: (size / 4).min(RESERVE_MAX) })
}

#[cfg(not(target_os = "linux"))]
fn measured() -> Option<Reserve> {
    None
}
