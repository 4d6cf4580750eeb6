//! The arguments of a call: as the interpreter passes them, and kept for a call that runs later.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilValue;
use crate::interp::user_code;

/// A tuple and a dict, as `*args, **kwargs` would hold them: what hooks get.
pub(crate) type PackedArgs<'py> = (Bound<'py, PyTuple>, Bound<'py, PyDict>);

/// The same with `None` for no named arguments.
type SplitArgs<'py> = (Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>);

/// In the form of the vectorcall protocol, borrowed from the caller.
pub(crate) struct VectorcallArgs {
    pub(crate) first: *const *mut ffi::PyObject,
    pub(crate) count: usize,
    pub(crate) keyword_names: *mut ffi::PyObject,
}

impl VectorcallArgs {
    /// Calls `callable` with them, as they came.
    #[allow(clippy::inline_always)] // Part of `vectorcall`, as that one says.
    #[inline(always)]
    pub(crate) fn forward(&self, callable: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: the pointers are the interpreter's, valid until our caller returns.
        unsafe { ffi::PyObject_Vectorcall(callable, self.first, self.count, self.keyword_names) }
    }

    pub(crate) fn pack<'py>(&self, py: Python<'py>) -> PyResult<PackedArgs<'py>> {
        Ok((self.positional(py)?, self.named(py)?.unwrap_or_else(|| PyDict::new(py))))
    }

    fn positional_count(&self) -> isize {
        // SAFETY: no more than arithmetic; it strips the flag from the count.
        unsafe { ffi::PyVectorcall_NARGS(self.count) }
    }

    fn positional<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        // SAFETY: as many valid pointers as there are arguments.
        unsafe { tuple_of(py, self.positional_count(), |index| *self.first.offset(index)) }
    }

    /// `None` if there are none.
    fn named<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.keyword_names.is_null() {
            return Ok(None);
        }
        let packed = PyDict::new(py);
        // SAFETY: a tuple, and as many pointers after those of the positional arguments.
        unsafe {
            let names = Bound::from_borrowed_ptr(py, self.keyword_names);
            let mut next = self.first.offset(self.positional_count());
            for name in names.cast::<PyTuple>()?.iter() {
                packed.set_item(name, Bound::from_borrowed_ptr(py, *next))?;
                next = next.add(1);
            }
        }
        Ok(Some(packed))
    }

    /// Packs what `StoredArgs` has no other place for; `None` for a few positional arguments.
    pub(crate) fn packed_unless_few<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<SplitArgs<'py>>> {
        let few = self.keyword_names.is_null() && self.positional_count().unsigned_abs() <= FEW;
        if few { Ok(None) } else { Ok(Some((self.positional(py)?, self.named(py)?))) }
    }
}

/// A tuple of new references to the objects that `item` gives.
///
/// # Safety
/// `item` gives a valid object for each index.
unsafe fn tuple_of(
    py: Python<'_>,
    count: isize,
    item: impl Fn(isize) -> *mut ffi::PyObject,
) -> PyResult<Bound<'_, PyTuple>> {
    // SAFETY: each item is set once, before anybody sees the tuple.
    unsafe {
        let tuple = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(count))?;
        for index in 0..count {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index, ffi::Py_NewRef(item(index)));
        }
        Ok(tuple.cast_into_unchecked())
    }
}

/// So many positional arguments are kept without a tuple.
pub(crate) const FEW: usize = 4;

/// StoredArgs by a deferred call, which runs after it was made.
///
/// A tuple for each call would cost 190 instructions more.
#[derive(Default)]
pub(crate) struct StoredArgs {
    /// Positional ones, unless all are packed; the first free place ends them.
    few: [GilValue<Option<Py<PyAny>>>; FEW],
    positional: GilValue<Option<Py<PyTuple>>>,
    named: GilValue<Option<Py<PyDict>>>,
    /// Also where there are no arguments at all.
    given: GilValue<bool>,
}

impl_traverse!(StoredArgs { few, positional, named });

impl StoredArgs {
    /// Keeps `passed`; `packed` is what `packed_unless_few` gave. Nothing is kept yet.
    pub(crate) fn keep(
        &self,
        py: Python<'_>,
        passed: &VectorcallArgs,
        packed: Option<SplitArgs<'_>>,
    ) {
        self.given.set(py, true);
        if let Some((positional, named)) = packed {
            self.positional.set(py, Some(positional.unbind()));
            self.named.set(py, named.map(Bound::unbind));
            return;
        }
        let count = passed.positional_count().unsigned_abs();
        for (index, place) in self.few.iter().enumerate().take(count) {
            // SAFETY: as many valid pointers as there are arguments.
            let argument = unsafe { Bound::from_borrowed_ptr(py, *passed.first.add(index)) };
            place.set(py, Some(argument.unbind()));
        }
    }

    /// True from the call on until they are let go of.
    pub(crate) fn is_kept(&self, py: Python<'_>) -> bool {
        self.given.get(py)
    }

    /// Lets go of them. Runs code of users.
    pub(crate) fn release(&self, py: Python<'_>) {
        self.given.set(py, false);
        for argument in &self.few {
            let Some(argument) = argument.take(py) else { break };
            user_code::release(argument.into_bound(py));
        }
        if let Some(positional) = self.positional.take(py) {
            user_code::release(positional.into_bound(py));
        }
        if let Some(named) = self.named.take(py) {
            user_code::release(named.into_bound(py));
        }
    }

    /// Puts new references to all of them into `lent`, which is empty.
    pub(crate) fn lend(&self, py: Python<'_>, lent: &mut Lent) {
        if let Some(positional) = self.positional.bound(py) {
            lent.positional = positional.into_ptr();
            lent.named = self.named.bound(py).map_or(ptr::null_mut(), Bound::into_ptr);
            return;
        }
        let kept = self.few.iter().map_while(|argument| argument.bound(py));
        for (place, argument) in lent.few.iter_mut().zip(kept) {
            place.write(argument.into_ptr());
            lent.count += 1;
        }
    }
}

/// Owned references without a destructor, for calls that may be unwound.
pub(crate) struct Lent {
    few: [MaybeUninit<*mut ffi::PyObject>; FEW],
    /// So many are there.
    count: usize,
    /// A tuple, or null if the few are all.
    positional: *mut ffi::PyObject,
    /// A dict, or null.
    named: *mut ffi::PyObject,
}

impl Default for Lent {
    fn default() -> Self {
        Self {
            few: [const { MaybeUninit::uninit() }; FEW],
            count: 0,
            positional: ptr::null_mut(),
            named: ptr::null_mut(),
        }
    }
}

impl Lent {
    /// Calls `callable` with them, and lets go of them.
    #[allow(clippy::inline_always)] // As `VectorcallArgs::forward`.
    #[inline(always)]
    pub(crate) fn forward(&self, callable: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: owned references, given back once.
        unsafe {
            if self.positional.is_null() {
                let result = ffi::PyObject_Vectorcall(
                    callable,
                    self.few.as_ptr().cast(),
                    self.count,
                    ptr::null_mut(),
                );
                for argument in self.few.iter().take(self.count) {
                    ffi::Py_DECREF(argument.assume_init());
                }
                return result;
            }
            let result = ffi::PyObject_Call(callable, self.positional, self.named);
            ffi::Py_DECREF(self.positional);
            ffi::Py_XDECREF(self.named);
            result
        }
    }

    /// As hooks get them.
    pub(crate) fn pack(self, py: Python<'_>) -> PyResult<PackedArgs<'_>> {
        let Self { few, count, positional, named } = self;
        // SAFETY: owned references, each taken over once.
        unsafe {
            let named = Bound::from_owned_ptr_or_opt(py, named);
            let named = named.map_or_else(|| PyDict::new(py), |named| named.cast_into_unchecked());
            if let Some(positional) = Bound::from_owned_ptr_or_opt(py, positional) {
                return Ok((positional.cast_into_unchecked(), named));
            }
            let few = few.into_iter().take(count);
            let few = few.map(|argument| Bound::from_owned_ptr(py, argument.assume_init()));
            Ok((PyTuple::new(py, few.collect::<Vec<_>>())?, named))
        }
    }
}
