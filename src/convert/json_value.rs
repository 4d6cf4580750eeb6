//! Python objects as JSON, byte for byte as orjson writes them without options. What orjson
//! refuses becomes the text that `str()` gives, and is noted.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use phanos_core::json::write_string;
use phanos_core::number;
use phanos_core::value::Value;

use crate::convert::json_dataclass;
use crate::convert::json_moment::{self, loaded};
use crate::convert::scalar::{integer_of, scalar_of};
use crate::convert::text::{full_class_name, placeholder, string_of, text_of};
use crate::convert::unserializable::UnserializableKinds;

/// Containers within one another that orjson writes.
const DEEPEST: usize = 254;

/// Containers around the value of an operation or label: the batch, its record, and the
/// pair or the dict.
pub(crate) const IN_PAIR: usize = 3;

/// Containers around a member of a record.
pub(crate) const IN_RECORD: usize = 2;

/// Containers around a record.
pub(crate) const IN_BATCH: usize = 1;

/// What writing one value may take: a unit for each byte, [`MEMBER`] for each member and
/// [`LEVEL`] for each level of what JSON refuses and `str()` would go through. Beyond it
/// containers become placeholders. A few lists, each twice in the next, are exponentially long;
/// more than this no broker takes.
const BUDGET: usize = 128 << 20;

/// One million members of refused containers take the whole budget.
const MEMBER: usize = BUDGET / 1_000_000;

/// One thousand levels take the whole budget; CPython gives up at its limit of recursion.
const LEVEL: usize = BUDGET / 1_000;

const SURROGATES: &str = "str with lone surrogates";

/// `object` with its JSON form, inside of `around` containers.
pub(crate) fn value_of(
    object: &Bound<'_, PyAny>,
    around: usize,
    unserializable: &mut UnserializableKinds,
) -> Value {
    scalar_of(object).unwrap_or_else(|| {
        let mut writer = Writer::new(around, unserializable);
        writer.write(object);
        // Made of strings and of punctuation.
        Value::Json(String::from_utf8_lossy(&writer.out).into())
    })
}

/// The text of a key; of one that is no `str`, what `str()` gives.
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

/// Writes Python objects one behind the other.
pub(crate) struct Writer<'a, 'py> {
    pub(crate) out: Vec<u8>,
    around: usize,
    /// Containers being written, outermost first.
    open: Vec<Bound<'py, PyAny>>,
    /// Where in `out` the value being written begins.
    start: usize,
    /// What looking through its refused containers took of the budget.
    spent: usize,
    unserializable: &'a mut UnserializableKinds,
}

impl<'a, 'py> Writer<'a, 'py> {
    /// For values inside of `around` containers.
    pub(crate) fn new(around: usize, unserializable: &'a mut UnserializableKinds) -> Self {
        Self { out: Vec::new(), around, open: Vec::new(), start: 0, spent: 0, unserializable }
    }

    /// Appends `object`, whatever it is.
    pub(crate) fn write(&mut self, object: &Bound<'py, PyAny>) {
        if self.open.is_empty() {
            self.start = self.out.len();
            self.spent = 0;
        }
        if self.write_builtin(object) || json_moment::write(object, &mut self.out) {
            return;
        }
        let Some(value) = value_of_enum(object) else {
            return self.refuse(object, || kind_of(object));
        };
        // The value of a member is no member itself here, so this goes one level deep.
        if value.is(object) {
            if !json_dataclass::write(self, object) {
                self.refuse(object, || kind_of(object));
            }
        } else {
            self.write(&value);
        }
    }

    /// Scalars and containers of the language; a subclass counts where orjson looks at the
    /// object's layout instead of its class.
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
            None => self.refuse(integer, || "int of more than 64 bits".into()),
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

    /// Begins a container; false if it was written as text, being within itself, too deep
    /// or too large.
    pub(crate) fn enter(&mut self, container: &Bound<'py, PyAny>) -> bool {
        if self.out.len() - self.start > BUDGET {
            self.unserializable.note("values that are too large".into());
            write_string(&placeholder(container), &mut self.out);
            return false;
        }
        let deep = self.around + self.open.len() >= DEEPEST;
        if deep || self.open.iter().any(|open| open.is(container)) {
            self.unserializable
                .note(format!("containers within themselves or more than {DEEPEST} levels deep"));
            self.write_text_of(container);
            return false;
        }
        self.open.push(container.clone());
        true
    }

    /// Ends a container; `separator` is the first of `brackets` if nothing is in it.
    pub(crate) fn leave(&mut self, separator: u8, brackets: [u8; 2]) {
        self.open.pop();
        if separator == brackets[0] {
            self.out.push(separator);
        }
        self.out.push(brackets[1]);
    }

    fn refuse(&mut self, object: &Bound<'py, PyAny>, kind: impl FnOnce() -> String) {
        self.unserializable.note(kind());
        self.write_text_of(object);
    }

    /// Appends `str()` of an object, unless it is a container that would take for ever.
    fn write_text_of(&mut self, object: &Bound<'py, PyAny>) {
        let text = if is_short(object, &mut Vec::new(), &mut self.spent) {
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

/// The entries, apart from the dict: code that runs between two of them can change it.
pub(crate) fn entries<'py>(
    dict: &Bound<'py, PyDict>,
) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    dict.iter().collect()
}

/// What an enum member stands for, else the object itself. `None` if that cannot be told.
fn value_of_enum<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = object.py();
    let Some(base) = loaded(py, "enum", "Enum") else {
        return Some(object.clone());
    };
    // Not `isinstance`, which asks the class.
    let is_member =
        |object: &Bound<'py, PyAny>| object.get_type().mro().iter().any(|class| class.is(&base));
    let mut value = object.clone();
    // A member whose value is a member, and so on.
    for _ in 0..BUDGET / LEVEL {
        // Members that are strings, numbers and so on are written as such.
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

/// Walks a container as `str()` does, which stops at what it is inside of, and adds what that
/// takes to `spent`. False if it takes more than the budget.
fn is_short<'py>(
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
    *spent = spent.saturating_add(count.saturating_mul(MEMBER));
    if open.len() * LEVEL + *spent > BUDGET {
        return false;
    }
    open.push(object.clone());
    let mut short = |member: Bound<'py, PyAny>| is_short(&member, open, spent);
    let all_short = if let Ok(list) = object.cast::<PyList>() {
        list.iter().all(short)
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        tuple.iter().all(short)
    } else if let Ok(dict) = object.cast::<PyDict>() {
        dict.iter().all(|(_, value)| short(value))
    } else {
        true
    };
    open.pop();
    all_short
}
