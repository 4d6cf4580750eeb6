//! The method of a record: the dotted context of the call that it was made in.

use std::rc::Rc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use phanos_core::path::Path;

use crate::convert::text::text_of;
use crate::interp::garbage::Traverse;

pub(crate) enum RecordMethod {
    Path(Rc<Path>),
    /// Any object that a user put into `method`.
    Object(Py<PyAny>),
}

impl RecordMethod {
    pub(crate) fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Self::Path(path) => Self::Path(Rc::clone(path)),
            Self::Object(object) => Self::Object(object.clone_ref(py)),
        }
    }

    /// The method as users see it in `method`: a `str`.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match self {
            Self::Path(path) => PyString::new(py, &path.text()).into_any(),
            Self::Object(object) => object.bind(py).clone(),
        }
    }

    /// The path for the text form.
    pub(crate) fn for_text(&self, py: Python<'_>) -> Rc<Path> {
        match self {
            Self::Path(path) => Rc::clone(path),
            Self::Object(object) => Path::literal(&text_of(object.bind(py))),
        }
    }
}

impl Traverse for RecordMethod {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::Object(object) = self { visit.call(object) } else { Ok(()) }
    }
}
