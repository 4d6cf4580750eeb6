//! The two functions of a gate that every call of a coroutine function calls.
//!
//! Methods made by PyO3 cost 20 ns more each: they tell PyO3 that the thread holds the
//! interpreter lock, and take their arguments apart.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

use super::arguments::Lent;
use super::entry::{Definition, held, known};
use super::gate::CallGate;
use super::node::Node;

pub(super) enum GateFunction {
    Start,
    Finish,
}

static START: Definition = Definition::one(c"start", start);

static FINISH: Definition = Definition::fast(c"finish", finish);

/// A function that keeps `gate` alive.
pub(super) fn bound<'py>(
    gate: &Bound<'py, CallGate>,
    function: GateFunction,
) -> PyResult<Bound<'py, PyAny>> {
    let definition = match function {
        GateFunction::Start => START.as_ptr(),
        GateFunction::Finish => FINISH.as_ptr(),
    };
    // SAFETY: the definition is static and is only read; the result is owned or null.
    unsafe {
        let made = ffi::PyCFunction_NewEx(definition, gate.as_ptr(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(gate.py(), made)
    }
}

/// What `start` calls once the call has begun.
#[derive(Default)]
struct Target {
    /// Kept alive by the gate; `None` if the call has not begun.
    function: Option<NonNull<ffi::PyObject>>,
    arguments: Lent,
}

/// `start(node)`.
///
/// The function makes a coroutine, and where it is no plain function may run code of users
/// first: as in `native_call`, nothing with a destructor is on the stack meanwhile.
unsafe extern "C" fn start(
    gate: *mut ffi::PyObject,
    node: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let mut target = Target::default();
    begin(gate, node, &mut target);
    match target.function {
        Some(function) => target.arguments.forward(function.as_ptr()),
        None => ptr::null_mut(),
    }
}

/// Fills `target` in, or leaves it with an exception raised.
#[inline(never)]
extern "C" fn begin(gate: *mut ffi::PyObject, node: *mut ffi::PyObject, target: &mut Target) {
    held(|py| {
        // SAFETY: the gate is what `bound` was given; both live for the call.
        let (gate, node) = unsafe {
            let gate = Bound::ref_from_ptr(py, &gate).cast_unchecked::<CallGate>();
            (gate, Bound::ref_from_ptr(py, &node))
        };
        let begun = node.cast::<Node>().map_err(PyErr::from).and_then(|node| {
            gate.get().open(node)?;
            node.get().lend_arguments(py, &mut target.arguments);
            target.function = NonNull::new(gate.get().site.function.as_ptr());
            Ok(())
        });
        if let Err(error) = begun {
            known(py, || error.restore(py));
        }
        ptr::null_mut()
    });
}

/// `finish(node, result)`.
unsafe extern "C" fn finish(
    gate: *mut ffi::PyObject,
    arguments: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    held(|py| {
        if count != 2 {
            return known(py, || {
                let text = format!("finish expects a node and a result, got {count} arguments");
                PyTypeError::new_err(text).restore(py);
                ptr::null_mut()
            });
        }
        // SAFETY: the gate is what `bound` was given; all live for the call.
        let (gate, node, result) = unsafe {
            let gate = Bound::ref_from_ptr(py, &gate).cast_unchecked::<CallGate>();
            let node = Bound::ref_from_ptr(py, &*arguments);
            (gate, node, Bound::ref_from_ptr(py, &*arguments.add(1)))
        };
        let ended = match node.cast::<Node>() {
            Ok(node) => gate.get().conclude(node, Some(result), false),
            Err(error) => Err(error.into()),
        };
        match ended {
            // SAFETY: immortal or counted, these two are always there.
            Ok(left) => unsafe {
                ffi::Py_NewRef(if left { ffi::Py_True() } else { ffi::Py_False() })
            },
            Err(error) => known(py, || {
                error.restore(py);
                ptr::null_mut()
            }),
        }
    })
}
