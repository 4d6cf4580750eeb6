//! Values of labels and of `Info` as they are when the call is made.
//!
//! A record is handed over later, in another context, perhaps in another thread: there a lazy
//! proxy, such as Flask's `request`, stands for something else or for nothing. So what is no plain
//! value becomes its text at the call.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

use crate::convert::imported;
use crate::convert::json_value::entries;
use crate::convert::text::{full_class_name, text_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::gil_cell::GilCell;
use crate::interp::once::intern;

/// Kinds of objects that became text since JSON was last written.
static KINDS: GilCell<Option<UnserializableKinds>> = GilCell::new(None);

/// Nesting depth up to which containers are looked through.
const MAX_DEPTH: usize = 32;

/// The largest number of members that are looked at; what is beyond stays as it is.
const MAX_MEMBERS: usize = 10_000;

/// Adds the kinds of objects that became text, and JSON cannot hold, to `unserializable`.
pub(crate) fn take_kinds(py: Python<'_>, unserializable: &mut UnserializableKinds) {
    if let Some(kinds) = KINDS.replace(py, None) {
        unserializable.append(kinds);
    }
}

/// True for values that are plain at first sight.
pub(crate) fn is_scalar(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}

/// Settles the values of a dict that only the caller has, in place.
///
/// Errors: `MemoryError`.
pub(crate) fn settle_values(dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let mut members = 0;
    for (key, value) in entries(dict) {
        let settled = settle(&value, &mut members, 0)?;
        if !settled.is(&value) {
            dict.set_item(key, settled)?;
        }
    }
    Ok(())
}

/// A value as it is now: plain ones as they are, containers with members that are.
///
/// Errors: `MemoryError`.
pub(crate) fn settled<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    settle(value, &mut 0, 0)
}

/// Settles the values of `dict`; returns it changed, or `None` if nothing in it changes.
fn settle_entries<'py>(
    dict: &Bound<'py, PyDict>,
    members: &mut usize,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let mut changed: Option<Bound<'py, PyDict>> = None;
    for (key, value) in entries(dict) {
        let settled = settle(&value, members, depth)?;
        if !settled.is(&value) {
            let target = match &changed {
                Some(copy) => copy.clone(),
                None => changed.insert(dict.copy()?).clone(),
            };
            target.set_item(key, settled)?;
        }
    }
    Ok(changed)
}

/// The value itself unless it changes, or a member of it does.
fn settle<'py>(
    value: &Bound<'py, PyAny>,
    members: &mut usize,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    *members += 1;
    if is_scalar(value) || depth > MAX_DEPTH || *members > MAX_MEMBERS {
        return Ok(value.clone());
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let changed = settle_entries(dict, members, depth + 1)?;
        return Ok(changed.map_or_else(|| value.clone(), Bound::into_any));
    }
    let items = if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter().collect::<Vec<_>>()
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple.iter().collect()
    } else if is_plain(value) {
        return Ok(value.clone());
    } else {
        note(value);
        return Ok(PyString::new(py, &text_of(value)).into_any());
    };
    let mut settled = Vec::with_capacity(items.len());
    let mut is_changed = false;
    for item in items {
        let now = settle(&item, members, depth + 1)?;
        is_changed = is_changed || !now.is(&item);
        settled.push(now);
    }
    if !is_changed {
        Ok(value.clone())
    } else if value.is_instance_of::<PyList>() {
        Ok(PyList::new(py, settled)?.into_any())
    } else {
        Ok(PyTuple::new(py, settled)?.into_any())
    }
}

/// True for objects that hold what they are: builtin values and those of the standard library,
/// members of enumerations and dataclasses, which JSON can hold.
fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    let py = value.py();
    // By the real class: a proxy says that it is of another.
    if value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PyDict>()
    {
        return true;
    }
    let class = value.get_type();
    let is = |module: &str, name: &str| {
        imported::attribute(py, module, name).is_some_and(|other| class.is(&other))
    };
    if is("weakref", "ProxyType") || is("weakref", "CallableProxyType") {
        return false;
    }
    is_of_standard_library(&class).unwrap_or(false)
        || has_dataclass_fields(&class)
        || imported::attribute(py, "enum", "Enum")
            .is_some_and(|base| class.mro().iter().any(|class| class.is(&base)))
}

fn is_of_standard_library(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let module = class.module()?;
    let module = module.to_str()?;
    let root = module.split('.').next().unwrap_or_default();
    if root == "builtins" {
        return Ok(true);
    }
    let names = py.import(intern!(py, "sys"))?.getattr(intern!(py, "stdlib_module_names"))?;
    names.contains(root)
}

fn has_dataclass_fields(class: &Bound<'_, PyType>) -> bool {
    class.hasattr(intern!(class.py(), "__dataclass_fields__")).unwrap_or(false)
}

fn note(value: &Bound<'_, PyAny>) {
    let kind = format!("values of type {}", full_class_name(value));
    KINDS.with(value.py(), |kinds| kinds.get_or_insert_default().note(kind));
}
