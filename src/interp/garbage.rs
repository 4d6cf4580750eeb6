//! Support for the garbage collector: how native objects show it the Python objects they hold.

use pyo3::Py;
use pyo3::gc::{PyTraverseError, PyVisit};

/// A value that can show the Python objects inside it to the garbage collector.
///
/// A [`PyVisit`] exists only while the collector runs, with the interpreter lock held: a
/// reference to one proves that state guarded by the lock may be read.
pub(crate) trait Traverse {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

impl<T> Traverse for Py<T> {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self)
    }
}

impl<T: Traverse> Traverse for Option<T> {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.as_ref().map_or(Ok(()), |value| value.traverse(visit))
    }
}

impl<T: Traverse> Traverse for [T] {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.iter().try_for_each(|value| value.traverse(visit))
    }
}

impl<T: Traverse> Traverse for Vec<T> {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.as_slice().traverse(visit)
    }
}

impl<T: Traverse, const N: usize> Traverse for [T; N] {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.as_slice().traverse(visit)
    }
}

/// Implements [`Traverse`] for a struct by visiting the named fields.
macro_rules! impl_traverse {
    ($name:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::interp::garbage::Traverse for $name {
            fn traverse(
                &self,
                visit: &pyo3::gc::PyVisit<'_>,
            ) -> Result<(), pyo3::gc::PyTraverseError> {
                $( $crate::interp::garbage::Traverse::traverse(&self.$field, visit)?; )+
                Ok(())
            }
        }
    };
}
pub(crate) use impl_traverse;
