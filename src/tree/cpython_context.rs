//! The mapping that holds the variables of the running context, as CPython keeps it.
//!
//! A context points to an immutable mapping. `ContextVar.set` makes a new one, and so does
//! `ContextVar.reset`, although the one before is what the context has to have again: 20 ns of
//! a profiled call in a context with few variables, 40 with twenty, 150 with a thousand. CPython
//! has no call that puts a mapping back, so this does, by the layout of its objects. That has been
//! the same from 3.10 to 3.13; the place in the state of a thread differs. Both are checked on
//! the running interpreter before anything relies on them; where they are other, `reset` it is.
//!
//! While a call runs, the mapping before it is kept. A value that the user replaces meanwhile is
//! freed when the call ends at the latest.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};

use pyo3::ffi;
use pyo3::prelude::*;

/// Versions and machines whose layout is written down here.
const WRITTEN_DOWN: bool = cfg!(all(target_pointer_width = "64", not(Py_3_14)));

/// Where [`ThreadPart`] begins in the state of a thread.
const THREAD_PART: usize = if cfg!(Py_3_12) {
    208
} else if cfg!(Py_3_11) {
    224
} else {
    240
};

/// Of `PyThreadState`.
#[repr(C)]
struct ThreadPart {
    /// Null until a thread sets its first variable.
    context: *mut ContextObject,
    context_version: u64,
    id: u64,
}

/// `contextvars.Context`.
#[repr(C)]
struct ContextObject {
    head: ffi::PyObject,
    previous: *mut ContextObject,
    mapping: *mut ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    entered: c_int,
}

/// `contextvars.ContextVar`.
#[repr(C)]
struct VariableObject {
    head: ffi::PyObject,
    name: *mut ffi::PyObject,
    default: *mut ffi::PyObject,
    /// What the context of `cached_version` on the thread `cached_id` has: a borrowed reference.
    cached: *mut ffi::PyObject,
    cached_id: u64,
    cached_version: u64,
    hash: ffi::Py_hash_t,
}

/// The layout is that of the running interpreter: only [`Layout::checked`] makes one.
#[derive(Clone, Copy)]
pub(crate) struct Layout(());

impl Layout {
    /// Sets `variable` in a context of its own and compares what is seen with what must be.
    pub(crate) fn checked(variable: &Bound<'_, PyAny>) -> Option<Self> {
        if !WRITTEN_DOWN || !sizes_match() {
            return None;
        }
        let py = variable.py();
        // SAFETY: public functions with valid objects; the new context is entered and left
        // in here.
        unsafe {
            let context = Bound::from_owned_ptr_or_opt(py, ffi::PyContext_New());
            let Some(context) = context.filter(|it| ffi::PyContext_Enter(it.as_ptr()) == 0) else {
                ffi::PyErr_Clear();
                return None;
            };
            let same = is_as_written_down(&context, variable);
            // Fails for no context that was just entered.
            if ffi::PyContext_Exit(context.as_ptr()) < 0 {
                ffi::PyErr_Clear();
            }
            same.then_some(Self(()))
        }
    }
}

/// What the running thread has as its context; good for as long as it runs.
#[derive(Clone, Copy)]
pub(crate) struct Thread<'py> {
    part: *const ThreadPart,
    py: Python<'py>,
}

impl<'py> Thread<'py> {
    /// The one that runs.
    #[inline]
    pub(crate) fn running(_: Layout, py: Python<'py>) -> Self {
        Self { part: part_of_thread(py), py }
    }

    /// What `variable` is in the running context, if that is known without looking it up.
    #[inline]
    pub(crate) fn cached(self, variable: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        // SAFETY: the layout is right; what is cached is alive in the mapping.
        unsafe {
            if (*self.part).context.is_null() {
                return None;
            }
            Bound::from_borrowed_ptr_or_opt(self.py, self.cached_ptr(variable))
        }
    }

    /// A borrowed reference to the same, or null.
    #[inline]
    fn cached_ptr(self, variable: &Bound<'py, PyAny>) -> *mut ffi::PyObject {
        let variable = variable.as_ptr().cast::<VariableObject>();
        // SAFETY: the layout is right.
        unsafe { if is_cached(variable, self.part) { (*variable).cached } else { ptr::null_mut() } }
    }

    /// The variables of the running context; `None` where none was ever set.
    #[inline]
    pub(crate) fn seen(self, variable: &Bound<'py, PyAny>) -> Option<Seen<'py>> {
        // SAFETY: the layout is right; a context always has a mapping.
        unsafe {
            let context = (*self.part).context;
            (!context.is_null()).then(|| Seen {
                mapping: Bound::from_borrowed_ptr(self.py, (*context).mapping),
                value: NonNull::new(self.cached_ptr(variable)),
            })
        }
    }

    /// Gives the running context the variables `before`, if it has `after` now. The two differ
    /// in `variable` alone.
    ///
    /// Returns what is to be dropped, or `before` if the context has others.
    #[inline]
    pub(crate) fn put_back(
        self,
        variable: &Bound<'py, PyAny>,
        before: Seen<'py>,
        after: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>, Seen<'py>> {
        // SAFETY: the layout is right. A context owns one reference to its mapping, which
        // changes hands; nothing else runs meanwhile.
        unsafe {
            let context = (*self.part).context;
            if context.is_null() || (*context).mapping != after.as_ptr() {
                return Err(before);
            }
            let variable = variable.as_ptr().cast::<VariableObject>();
            if is_cached(variable, self.part) {
                (*variable).cached = before.value.map_or(ptr::null_mut(), NonNull::as_ptr);
            }
            (*context).mapping = before.mapping.into_ptr();
            Ok(Bound::from_owned_ptr(self.py, after.as_ptr()))
        }
    }
}

/// True if what `variable` keeps is what it is in the running context.
///
/// # Safety
/// The layout is right.
unsafe fn is_cached(variable: *const VariableObject, thread: *const ThreadPart) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        (*variable).cached_id == (*thread).id
            && (*variable).cached_version == (*thread).context_version
    }
}

/// The variables of a context at one moment.
pub(crate) struct Seen<'py> {
    pub(crate) mapping: Bound<'py, PyAny>,
    /// What the variable that was asked about is in there, which keeps it alive; `None` if that
    /// was not known.
    pub(crate) value: Option<NonNull<ffi::PyObject>>,
}

fn part_of_thread(_py: Python<'_>) -> *const ThreadPart {
    // SAFETY: this thread holds the interpreter lock, so it has a state, which is longer.
    unsafe { ffi::PyThreadState_Get().byte_add(THREAD_PART).cast_const().cast() }
}

fn sizes_match() -> bool {
    // SAFETY: static types, which nobody changes.
    let size = |class: *const ffi::PyTypeObject| unsafe { (*class).tp_basicsize.unsigned_abs() };
    size(&raw const ffi::PyContext_Type) == size_of::<ContextObject>()
        && size(&raw const ffi::PyContextVar_Type) == size_of::<VariableObject>()
}

/// # Safety
/// `context` is a context that was made and entered just now, `variable` a `ContextVar`, and
/// the sizes of both are right.
unsafe fn is_as_written_down(context: &Bound<'_, PyAny>, variable: &Bound<'_, PyAny>) -> bool {
    let py = context.py();
    // SAFETY: what is followed here is a pointer to the context itself, or what stands at a
    // place within it that every object of its size has; a mapping is looked at through its
    // type, once the place of the running context is known to be right.
    unsafe {
        let state = ffi::PyThreadState_Get();
        let thread = part_of_thread(py);
        if !ptr::eq((*thread).context.cast(), context.as_ptr())
            || i64::try_from((*thread).id) != Ok(ffi::PyThreadState_GetID(state))
        {
            return false;
        }
        let before = (*(*thread).context).mapping;
        if !is_mapping(before) {
            return false;
        }
        let before = Bound::from_borrowed_ptr(py, before);
        let value = py.NotImplemented();
        let token = ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr());
        if token.is_null() {
            ffi::PyErr_Clear();
            return false;
        }
        let _token = Bound::from_owned_ptr(py, token);
        let after = (*(*thread).context).mapping;
        let variable = variable.as_ptr().cast::<VariableObject>();
        is_mapping(after)
            && !ptr::eq(after, before.as_ptr())
            && ptr::eq((*variable).cached, value.as_ptr())
            && is_cached(variable, thread)
    }
}

unsafe fn is_mapping(object: *mut ffi::PyObject) -> bool {
    if object.is_null() || !object.is_aligned() {
        return false;
    }
    // SAFETY: an object, as the caller says; its type has a name.
    unsafe {
        let name: *const c_char = (*ffi::Py_TYPE(object)).tp_name;
        CStr::from_ptr(name) == c"hamt"
    }
}
