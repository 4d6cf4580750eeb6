//! The labels of a record.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use phanos_core::record::{ERROR_RAISED, Labels};

use crate::convert::json_value::{self, FIELD_DEPTH, VALUE_DEPTH, entries};
use crate::convert::text::{text_of, text_value_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::garbage::Traverse;
use crate::interp::once::intern;

pub(crate) enum RecordLabels {
    None,
    /// The label `error_raised` alone.
    ErrorRaised(bool),
    /// A dict of labels, or any other object that a user put into `label_values`.
    Object(Py<PyAny>),
}

impl RecordLabels {
    pub(crate) fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Self::None => Self::None,
            Self::ErrorRaised(raised) => Self::ErrorRaised(*raised),
            Self::Object(object) => Self::Object(object.clone_ref(py)),
        }
    }

    /// The labels as users see them in `label_values` and in dicts of records: a dict.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let labels = PyDict::new(py);
        match self {
            Self::None => {}
            Self::ErrorRaised(raised) => {
                labels.set_item(intern!(py, ERROR_RAISED), PyBool::new(py, *raised))?;
            }
            Self::Object(object) => return Ok(object.bind(py).clone()),
        }
        Ok(labels.into_any())
    }

    /// The labels for the text form.
    pub(crate) fn for_text(&self, py: Python<'_>) -> Labels {
        match self {
            Self::None => Labels::None,
            Self::ErrorRaised(raised) => Labels::ErrorRaised(*raised),
            Self::Object(object) => labels_for_text(object.bind(py)),
        }
    }

    /// The labels for JSON; kinds of objects that JSON cannot hold are added to
    /// `unserializable`.
    pub(crate) fn for_json(
        &self,
        py: Python<'_>,
        unserializable: &mut UnserializableKinds,
    ) -> Labels {
        match self {
            Self::None => Labels::None,
            Self::ErrorRaised(raised) => Labels::ErrorRaised(*raised),
            Self::Object(object) => labels_for_json(object.bind(py), unserializable),
        }
    }
}

impl Traverse for RecordLabels {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::Object(object) = self { visit.call(object) } else { Ok(()) }
    }
}

/// The labels in a dict; none if `object` is not one.
pub(crate) fn labels_for_text(object: &Bound<'_, PyAny>) -> Labels {
    let Ok(labels) = object.cast::<PyDict>() else {
        return Labels::None;
    };
    let listed: Box<[_]> = entries(labels)
        .into_iter()
        .map(|(name, value)| (text_of(&name).into(), text_value_of(&value)))
        .collect();
    if listed.is_empty() { Labels::None } else { Labels::Listed(listed) }
}

/// The labels in a dict; any other object becomes the JSON value in place of the labels.
fn labels_for_json(object: &Bound<'_, PyAny>, unserializable: &mut UnserializableKinds) -> Labels {
    let Ok(labels) = object.cast::<PyDict>() else {
        return Labels::Other(json_value::value_of(object, FIELD_DEPTH, unserializable));
    };
    let mut listed = Vec::with_capacity(labels.len());
    for (name, value) in entries(labels) {
        let name = json_value::key_of(&name, unserializable);
        listed.push((name, json_value::value_of(&value, VALUE_DEPTH, unserializable)));
    }
    Labels::Listed(listed.into())
}
