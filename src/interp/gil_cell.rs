//! Cells whose content is guarded by the interpreter lock (GIL).

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::{Bound, Python};

use crate::interp::garbage::Traverse;

/// A cell that only a thread attached to the interpreter can open.
///
/// A mutex in its place would cost 6 to 8 ns per access.
///
/// The closure given to [`Self::with`] must neither call into Python, since any allocation can
/// run the garbage collector and that can run code that opens the same cell, nor drop Python
/// objects: take them out and drop them outside. A closure that breaks this rule panics at the
/// second borrow; the `RefCell` inside prevents aliasing.
#[derive(Default)]
pub(crate) struct GilCell<T>(RefCell<T>);

// SAFETY: `with` demands `Python<'_>`, which exists only while the calling thread holds the
// interpreter lock, and the closure cannot release the lock, since it gets no token. A type that
// is not `Send`, such as `Rc`, may be inside: only the holder of the lock ever accesses it.
// Cells are statics or parts of Python objects, which are also freed with the lock held.
unsafe impl<T> Sync for GilCell<T> {}
// SAFETY: as above.
unsafe impl<T> Send for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Opens the cell for `body`.
    pub(crate) fn with<R>(&self, _py: Python<'_>, body: impl FnOnce(&mut T) -> R) -> R {
        body(&mut self.0.borrow_mut())
    }

    /// Reads the value for the garbage collector; `None` if the cell is open.
    pub(crate) fn read_for_gc<R>(&self, _: &PyVisit<'_>, body: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_borrow().ok().map(|value| body(&value))
    }

    /// [`Self::with`] that changes nothing; `None` if the cell is open.
    pub(crate) fn try_read<R>(&self, _py: Python<'_>, body: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_borrow().ok().map(|value| body(&value))
    }

    /// Stores `value`; the old value is dropped after the cell is closed.
    pub(crate) fn set(&self, py: Python<'_>, value: T) {
        drop(self.replace(py, value));
    }

    /// Stores `value` and returns the old one.
    pub(crate) fn replace(&self, py: Python<'_>, value: T) -> T {
        self.with(py, |current| std::mem::replace(current, value))
    }
}

impl<T> GilCell<Option<pyo3::Py<T>>> {
    /// A new reference to the object inside.
    pub(crate) fn object(&self, py: Python<'_>) -> Option<pyo3::Py<T>> {
        self.with(py, |content| content.as_ref().map(|object| object.clone_ref(py)))
    }

    /// A new bound reference to the object inside.
    pub(crate) fn bound<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        self.with(py, |content| content.as_ref().map(|object| object.bind(py).clone()))
    }
}

/// A cell whose content is only copied, stored and taken as a whole, so it is never open and
/// needs no borrow flag.
#[derive(Default)]
pub(crate) struct GilValue<T>(Cell<T>);

// SAFETY: as for `GilCell`: every access demands a token, which proves that the lock is held.
unsafe impl<T> Sync for GilValue<T> {}
// SAFETY: as above.
unsafe impl<T> Send for GilValue<T> {}

impl<T> GilValue<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Cell::new(value))
    }

    #[inline]
    pub(crate) fn set(&self, _py: Python<'_>, value: T) {
        drop(self.0.replace(value));
    }
}

impl<T: Copy> GilValue<T> {
    #[inline]
    pub(crate) fn get(&self, _py: Python<'_>) -> T {
        self.0.get()
    }
}

impl<T> GilValue<Option<T>> {
    #[inline]
    pub(crate) fn take(&self, _py: Python<'_>) -> Option<T> {
        self.0.take()
    }

    #[inline]
    pub(crate) fn is_some(&self, _py: Python<'_>) -> bool {
        // SAFETY: the lock is held, and nothing is stored meanwhile.
        unsafe { (*self.0.as_ptr()).is_some() }
    }
}

impl<T> GilValue<Option<pyo3::Py<T>>> {
    /// A new bound reference to the object inside.
    #[inline]
    pub(crate) fn bound<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).as_ref().map(|object| object.bind(py).clone()) }
    }
}

impl<T: Traverse> Traverse for GilCell<T> {
    /// Visits nothing while the cell is open: its content is being changed then.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.try_borrow().map_or(Ok(()), |value| value.traverse(visit))
    }
}

impl<T: Traverse> Traverse for GilValue<T> {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs with the lock held, and changes nothing while it visits.
        unsafe { (*self.0.as_ptr()).traverse(visit) }
    }
}
