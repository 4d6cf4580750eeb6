//! Python objects as JSON, byte for byte as orjson writes them without options. Objects that
//! orjson refuses are written as a string, the text of their `str()`, and their kind is noted.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use phanos_core::json::write_string;
use phanos_core::number;
use phanos_core::value::Value;

use crate::convert::imported;
use crate::convert::json_dataclass;
use crate::convert::json_datetime;
use crate::convert::json_uuid;
use crate::convert::scalar::{integer_of, scalar_of};
use crate::convert::text::{full_class_name, placeholder, string_of, text_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::once::intern;

/// The number of nested containers up to which orjson writes.
const MAX_DEPTH: usize = 254;

/// Nesting depth of the value of an operation or label: inside the batch, the record, and the
/// `(operation, value)` pair or the dict of labels.
pub(crate) const VALUE_DEPTH: usize = 3;

/// Nesting depth of a field of a record: inside the batch and the record.
pub(crate) const FIELD_DEPTH: usize = 2;

/// Nesting depth of a record: inside the batch.
pub(crate) const RECORD_DEPTH: usize = 1;

/// The largest cost of writing one value: 1 for each byte of JSON, and where `str()` would walk a
/// container that JSON refuses, [`MEMBER_COST`] for each member and [`LEVEL_COST`] for each level.
/// A container beyond the budget is written as a placeholder: a few lists, each of which is twice
/// in the next, would be exponentially long. No broker takes a message of this many bytes.
const BUDGET: usize = 128 << 20;

/// One million members of refused containers use up the budget.
const MEMBER_COST: usize = BUDGET / 1_000_000;

/// One thousand levels use up the budget; CPython gives up at its limit of recursion.
const LEVEL_COST: usize = BUDGET / 1_000;

const SURROGATES: &str = "str with lone surrogates";

/// The value of `object` for JSON, at a nesting depth of `depth`; kinds of objects that JSON
/// cannot hold are added to `unserializable`.
pub(crate) fn value_of(
    object: &Bound<'_, PyAny>,
    depth: usize,
    unserializable: &mut UnserializableKinds,
) -> Value {
    scalar_of(object).unwrap_or_else(|| {
        let mut writer = Writer::new(depth, unserializable);
        writer.write(object);
        // Valid UTF-8 already: the writer appends strings and punctuation.
        Value::Json(String::from_utf8_lossy(&writer.out).into())
    })
}

/// The text of a dict key: of one that is no `str`, that of its `str()`.
pub(crate) fn key_of(key: &Bound<'_, PyAny>, unserializable: &mut UnserializableKinds) -> Box<str> {
    if let Ok(text) = key.cast_exact::<PyString>() {
        if let Ok(text) = text.to_str() {
            return text.into();
        }
        unserializable.note(SURROGATES.into());
    } else {
        unserializable.note(format!("dict keys of type {}", full_class_name(key)));
    }
    text_of(key).into()
}

/// Appends the JSON of Python objects to `out`.
pub(crate) struct Writer<'a, 'py> {
    pub(crate) out: Vec<u8>,
    /// Nesting depth at which the objects will stand.
    depth: usize,
    /// Containers being written, outermost first.
    open: Vec<Bound<'py, PyAny>>,
    /// Index in `out` at which the current value begins.
    start: usize,
    /// Part of the budget that walking refused containers of the current value has cost.
    spent: usize,
    unserializable: &'a mut UnserializableKinds,
}

impl<'a, 'py> Writer<'a, 'py> {
    /// A writer of values that will stand at a nesting depth of `depth`.
    pub(crate) fn new(depth: usize, unserializable: &'a mut UnserializableKinds) -> Self {
        Self { out: Vec::new(), depth, open: Vec::new(), start: 0, spent: 0, unserializable }
    }

    /// Appends any object.
    pub(crate) fn write(&mut self, object: &Bound<'py, PyAny>) {
        if self.open.is_empty() {
            self.start = self.out.len();
            self.spent = 0;
        }
        if self.write_builtin(object)
            || json_datetime::write(object, &mut self.out)
            || json_uuid::write(object, &mut self.out)
        {
            return;
        }
        let Some(value) = enum_value(object) else {
            return self.write_as_text(object, || kind_of(object));
        };
        // `enum_value` returns no member that would come here again: this recurses once at most.
        if value.is(object) {
            if !json_dataclass::write(self, object) {
                self.write_as_text(object, || kind_of(object));
            }
        } else {
            self.write(&value);
        }
    }

    /// Appends `object` if it is a builtin scalar or container; else false. Instances of
    /// subclasses are taken for those types for which orjson takes them.
    fn write_builtin(&mut self, object: &Bound<'py, PyAny>) -> bool {
        if let Ok(text) = object.cast::<PyString>() {
            self.write_str(text);
        } else if object.is_none() {
            Value::None.write_json(&mut self.out);
        } else if let Ok(flag) = object.cast_exact::<PyBool>() {
            Value::Bool(flag.is_true()).write_json(&mut self.out);
        } else if let Ok(integer) = object.cast::<PyInt>() {
            self.write_integer(integer);
        } else if let Ok(float) = object.cast_exact::<PyFloat>() {
            number::write_json(float.value(), &mut self.out);
        } else if let Ok(list) = object.cast::<PyList>() {
            self.write_array(object, list.iter());
        } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            self.write_array(object, tuple.iter());
        } else if let Ok(dict) = object.cast::<PyDict>() {
            self.write_dict(dict);
        } else {
            return false;
        }
        true
    }

    fn write_str(&mut self, text: &Bound<'py, PyString>) {
        if let Ok(text) = text.to_str() {
            write_string(text, &mut self.out);
        } else {
            self.unserializable.note(SURROGATES.into());
            write_string(&string_of(text), &mut self.out);
        }
    }

    fn write_integer(&mut self, integer: &Bound<'py, PyInt>) {
        match integer_of(integer) {
            Some(number) => number.write_json(&mut self.out),
            None => self.write_as_text(integer, || "int of more than 64 bits".into()),
        }
    }

    fn write_array(
        &mut self,
        container: &Bound<'py, PyAny>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) {
        if !self.enter(container) {
            return;
        }
        let mut separator = b'[';
        for item in items {
            self.out.push(separator);
            self.write(&item);
            separator = b',';
        }
        self.leave(separator, *b"[]");
    }

    fn write_dict(&mut self, dict: &Bound<'py, PyDict>) {
        if !self.enter(dict) {
            return;
        }
        let mut separator = b'{';
        for (key, value) in entries(dict) {
            self.out.push(separator);
            self.write_key(&key);
            self.out.push(b':');
            self.write(&value);
            separator = b',';
        }
        self.leave(separator, *b"{}");
    }

    pub(crate) fn write_key(&mut self, key: &Bound<'py, PyAny>) {
        write_string(&key_of(key, self.unserializable), &mut self.out);
    }

    /// Begins a container. False if it is inside itself, too deep or too large: it has been
    /// written as a string then.
    pub(crate) fn enter(&mut self, container: &Bound<'py, PyAny>) -> bool {
        if self.out.len() - self.start > BUDGET {
            self.unserializable.note("values that are too large".into());
            write_string(&placeholder(container), &mut self.out);
            return false;
        }
        let is_too_deep = self.depth + self.open.len() >= MAX_DEPTH;
        if is_too_deep || self.open.iter().any(|open| open.is(container)) {
            self.unserializable
                .note(format!("containers within themselves or more than {MAX_DEPTH} levels deep"));
            self.write_text_of(container);
            return false;
        }
        self.open.push(container.clone());
        true
    }

    /// Ends a container. `separator` is what would precede the next member: the opening bracket
    /// if the container is empty.
    pub(crate) fn leave(&mut self, separator: u8, brackets: [u8; 2]) {
        self.open.pop();
        if separator == brackets[0] {
            self.out.push(separator);
        }
        self.out.push(brackets[1]);
    }

    /// Appends the text of an object that JSON cannot hold, and notes its kind.
    fn write_as_text(&mut self, object: &Bound<'py, PyAny>, kind: impl FnOnce() -> String) {
        self.unserializable.note(kind());
        self.write_text_of(object);
    }

    /// Appends `str()` of an object, or a placeholder for a container beyond the budget.
    fn write_text_of(&mut self, object: &Bound<'py, PyAny>) {
        let text = if str_is_within_budget(object, &mut Vec::new(), &mut self.spent) {
            text_of(object)
        } else {
            placeholder(object)
        };
        write_string(&text, &mut self.out);
    }
}

fn kind_of(object: &Bound<'_, PyAny>) -> String {
    format!("values of type {}", full_class_name(object))
}

/// The entries as a copy: code that runs between two of them can change the dict.
pub(crate) fn entries<'py>(
    dict: &Bound<'py, PyDict>,
) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    dict.iter().collect()
}

/// The value of an enum member; any other object itself. `None` if the value cannot be read, or
/// the chain of members whose values are members is too long.
fn enum_value<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = object.py();
    let Some(base) = imported::attribute(py, "enum", "Enum") else {
        return Some(object.clone());
    };
    // `isinstance` would run the code of a class that overrides `__class__`.
    let is_member =
        |object: &Bound<'py, PyAny>| object.get_type().mro().iter().any(|class| class.is(&base));
    let mut value = object.clone();
    // The value of a member may be a member again.
    for _ in 0..BUDGET / LEVEL_COST {
        // A member that is also a string, number, list or dict is written as that.
        if !is_member(&value) || is_builtin(&value) {
            return Some(value);
        }
        value = value.getattr(intern!(py, "value")).ok()?;
    }
    None
}

fn is_builtin(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyInt>()
        || object.is_instance_of::<PyList>()
        || object.is_instance_of::<PyDict>()
}

/// Walks a container as `str()` would, which does not descend into a container that it is inside
/// of, and adds the cost to `spent`. False if that exceeds the budget.
fn str_is_within_budget<'py>(
    object: &Bound<'py, PyAny>,
    open: &mut Vec<Bound<'py, PyAny>>,
    spent: &mut usize,
) -> bool {
    let count = if let Ok(list) = object.cast::<PyList>() {
        list.len()
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        tuple.len()
    } else if let Ok(dict) = object.cast::<PyDict>() {
        dict.len()
    } else {
        return true;
    };
    if open.iter().any(|outer| outer.is(object)) {
        return true;
    }
    *spent = spent.saturating_add(count.saturating_mul(MEMBER_COST));
    if open.len() * LEVEL_COST + *spent > BUDGET {
        return false;
    }
    open.push(object.clone());
    let mut is_within = |member: Bound<'py, PyAny>| str_is_within_budget(&member, open, spent);
    let all_within = if let Ok(list) = object.cast::<PyList>() {
        list.iter().all(is_within)
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        tuple.iter().all(is_within)
    } else if let Ok(dict) = object.cast::<PyDict>() {
        dict.iter().all(|(_, value)| is_within(value))
    } else {
        true
    };
    open.pop();
    all_within
}
