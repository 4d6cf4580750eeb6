//! State that the interpreter lock guards.

#![allow(unsafe_code)]

#[cfg(Py_GIL_DISABLED)]
compile_error!("phanos needs an interpreter with its global lock: see README, \"Platforms\"");

use std::cell::{Cell, RefCell};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::{Bound, Python};

use crate::interp::garbage::Traverse;

/// A cell that only a thread attached to the interpreter can open.
///
/// A mutex in its place costs 6 to 8 ns per access, three times per profiled call. The
/// closure must not call into Python (an allocation can run the garbage collector, which
/// comes back in) nor drop Python objects: take them out and drop them outside. Whoever
/// breaks that rule gets a panic, not aliasing: the `RefCell` inside still counts.
#[derive(Default)]
pub(crate) struct GilCell<T>(RefCell<T>);

// SAFETY: `with` demands `Python<'_>`, which exists only while the calling thread holds the
// interpreter lock, and the closure cannot give it up: it gets no token. What cannot be sent
// to other threads (`Rc`) may be inside, since only the holder of the lock ever sees it;
// cells are part of Python objects, which are also freed with the lock held, or statics.
unsafe impl<T> Sync for GilCell<T> {}
// SAFETY: as above.
unsafe impl<T> Send for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Opens the cell.
    pub(crate) fn with<R>(&self, _py: Python<'_>, body: impl FnOnce(&mut T) -> R) -> R {
        body(&mut self.0.borrow_mut())
    }

    /// Looks at the value for the garbage collector, unless the cell is open.
    pub(crate) fn visited<R>(&self, _: &PyVisit<'_>, body: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_borrow().ok().map(|value| body(&value))
    }
}

impl<T: Clone> GilCell<T> {
    pub(crate) fn get(&self, py: Python<'_>) -> T {
        self.with(py, |value| value.clone())
    }
}

impl<T> GilCell<T> {
    /// Puts `value` in; the old value is dropped after the cell is closed.
    pub(crate) fn set(&self, py: Python<'_>, value: T) {
        drop(self.replace(py, value));
    }

    pub(crate) fn replace(&self, py: Python<'_>, value: T) -> T {
        self.with(py, |held| std::mem::replace(held, value))
    }
}

impl<T> GilCell<Option<pyo3::Py<T>>> {
    /// A new reference to the object inside.
    pub(crate) fn object(&self, py: Python<'_>) -> Option<pyo3::Py<T>> {
        self.with(py, |held| held.as_ref().map(|object| object.clone_ref(py)))
    }

    /// The same, bound.
    pub(crate) fn bound<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        self.with(py, |held| held.as_ref().map(|object| object.bind(py).clone()))
    }
}

/// The same for what is only put in and taken out as a whole, and so never open.
#[derive(Default)]
pub(crate) struct GilValue<T>(Cell<T>);

// SAFETY: as for `GilCell`: whoever has a token holds the interpreter lock.
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
        // SAFETY: the lock is held, and nothing is put in meanwhile.
        unsafe { (*self.0.as_ptr()).is_some() }
    }
}

impl<T> GilValue<Option<pyo3::Py<T>>> {
    /// A new reference to the object inside.
    #[inline]
    pub(crate) fn bound<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).as_ref().map(|object| object.bind(py).clone()) }
    }
}

impl<T: Traverse> Traverse for GilCell<T> {
    /// Shows nothing while the cell is open: what is inside then is in use.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.try_borrow().map_or(Ok(()), |value| value.traverse(visit))
    }
}

impl<T: Traverse> Traverse for GilValue<T> {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector holds the lock, and changes nothing while it visits.
        unsafe { (*self.0.as_ptr()).traverse(visit) }
    }
}
