//! The depth of profiled calls within profiled calls, which the C stack of a thread limits.

#![allow(unsafe_code)]

use pyo3::ffi;

/// Counts a level of recursion, up to CPython 3.11. Each nested call of a profiled function takes
/// C stack, which a limit that counts only Python frames would let run out. In 3.12 and 3.13 the
/// interpreter itself counts nested C calls, in a budget that counting here would halve. From 3.14
/// on it counts none, and this asks how much C stack is left: it asks by itself only where a Python
/// function is called, and profiled functions can be profiled again.
///
/// False, with a `RecursionError` raised, if no level is left.
pub(crate) fn enter() -> bool {
    #[cfg(any(not(Py_3_12), Py_3_14))]
    // SAFETY: called by the interpreter, which holds its lock.
    return unsafe { ffi::Py_EnterRecursiveCall(c" while calling a profiled function".as_ptr()) }
        == 0;
    #[cfg(all(Py_3_12, not(Py_3_14)))]
    true
}

/// Raises a `RecursionError`: a thread's stack can be too small for the levels that are allowed.
/// Returns false.
#[cold]
pub(crate) fn raise_stack_used_up() -> bool {
    // SAFETY: called by the interpreter, which holds its lock.
    unsafe {
        ffi::PyErr_SetString(
            ffi::PyExc_RecursionError,
            c"stack of the thread nearly used up while calling a profiled function".as_ptr(),
        );
    }
    false
}

/// Leaves the level of recursion that [`enter`] entered.
#[allow(clippy::inline_always)] // It has to be part of `native_call::vectorcall`, which says why.
#[inline(always)]
pub(crate) fn leave() {
    #[cfg(not(Py_3_12))]
    // SAFETY: matches `enter`.
    unsafe {
        ffi::Py_LeaveRecursiveCall();
    }
}
