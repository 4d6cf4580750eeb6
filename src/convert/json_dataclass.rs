//! Dataclass instances as JSON objects: the entries of their `__dict__`, or their fields if the
//! class has slots. Names that begin with `_` are left out, as orjson does.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::imported;
use crate::convert::json_value::{Writer, entries};
use crate::interp::once::intern;

/// Appends `object` if its class is itself a dataclass (being derived from one is not enough);
/// else false.
pub(crate) fn write<'py>(writer: &mut Writer<'_, 'py>, object: &Bound<'py, PyAny>) -> bool {
    let py = object.py();
    let class = object.get_type();
    let Ok(namespace) = class.getattr(intern!(py, "__dict__")) else {
        return false;
    };
    if !namespace.contains(intern!(py, "__dataclass_fields__")).unwrap_or(false) {
        return false;
    }
    let has_slots = namespace.contains(intern!(py, "__slots__")).unwrap_or(false);
    let attributes = object.getattr(intern!(py, "__dict__"));
    let members = match attributes.map(Bound::cast_into::<PyDict>) {
        Ok(Ok(attributes)) if !has_slots => Some(entries(&attributes)),
        Ok(Err(_)) if !has_slots => None,
        _ => fields(object),
    };
    let Some(members) = members else {
        return false;
    };
    if !writer.enter(object) {
        return true;
    }
    let mut separator = b'{';
    for (name, value) in members {
        if is_private(&name) {
            continue;
        }
        writer.out.push(separator);
        writer.write_key(&name);
        writer.out.push(b':');
        writer.write(&value);
        separator = b',';
    }
    writer.leave(separator, *b"{}");
    true
}

fn is_private(name: &Bound<'_, PyAny>) -> bool {
    let name = name.cast_exact::<PyString>().ok();
    name.is_some_and(|name| name.to_str().is_ok_and(|name| name.starts_with('_')))
}

/// Names and values of the fields; one that was deleted or cannot be read is left out.
fn fields<'py>(object: &Bound<'py, PyAny>) -> Option<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    let py = object.py();
    let fields = object.getattr(intern!(py, "__dataclass_fields__")).ok()?;
    // The mark of a field that is neither a `ClassVar` nor an `InitVar`.
    let regular = imported::attribute(py, "dataclasses", "_FIELD")?;
    let mut members = Vec::new();
    for (name, field) in entries(fields.cast::<PyDict>().ok()?) {
        let kind = field.getattr(intern!(py, "_field_type"));
        if !kind.is_ok_and(|kind| kind.is(&regular)) || is_private(&name) {
            continue;
        }
        let Ok(attribute) = name.cast::<PyString>() else {
            continue;
        };
        if let Ok(value) = object.getattr(attribute) {
            members.push((name, value));
        }
    }
    Some(members)
}
