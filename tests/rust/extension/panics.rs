//! Each boundary to Python panics once, and the profiled program does not notice. A test of the
//! extension: it is part of its crate, where alone panics can be made.

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::interp::panics::for_tests::{arm, is_armed};

/// Points that calls go through, with the kind of call in `panics.py` that must then have done as
/// always: nothing of a call is lost but its own record.
const POINTS: [(&str, &str); 24] = [
    ("choose", "plain"),
    ("begin", "plain"),
    ("begun", "plain"),
    ("record", "plain"),
    ("recorded", "plain"),
    ("leave", "plain"),
    ("left", "plain"),
    ("take", "plain"),
    ("give", "plain"),
    ("record", "failing"),
    ("leave", "failing"),
    ("wrap", "coroutine"),
    ("begin deferred", "coroutine"),
    ("begun", "coroutine"),
    ("end deferred", "coroutine"),
    ("left", "coroutine"),
    ("wrap", "generator"),
    ("begin deferred", "generator"),
    ("suspend", "generator"),
    ("resume", "generator"),
    ("end deferred", "generator"),
    ("operation", "operation"),
    ("queue", "queueing"),
    ("command", "command"),
];

/// Points of the network side; its methods then say that nothing was delivered.
const NETWORK_POINTS: [(&str, &str); 11] = [
    ("start", "record"),
    ("start", "flush"),
    ("flush", "flush"),
    ("wait", "flush"),
    ("flush", "aflush"),
    ("await", "aflush"),
    ("poll", "without_loop"),
    ("stop", "close"),
    ("push", "push"),
    ("publish", "publish"),
    ("probe", "probe"),
];

fn prepared(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let sys = py.import("sys")?;
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    sys.getattr("path")?.call_method1("insert", (0, package))?;
    let module = pyo3::wrap_pymodule!(crate::module)(py);
    sys.getattr("modules")?.set_item("phanos._phanos", module)?;
    let names = PyDict::new(py);
    names.set_item("__name__", "program")?;
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rust/extension/panics.py");
    let program = std::ffi::CString::new(std::fs::read_to_string(program)?)?;
    py.run(&program, Some(&names), Some(&names))?;
    Ok(names)
}

fn check(names: &Bound<'_, PyDict>, function: &str, point: &'static str, kind: &str) {
    let py = names.py();
    let arm = move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| arm(point);
    let armed = PyCFunction::new_closure(py, None, None, arm).expect("a function");
    let check = names.get_item(function).expect("a name").expect("defined");
    if let Err(error) = check.call1((kind, armed)) {
        panic!("{point} in {kind}: {error}");
    }
    assert!(!is_armed(), "{kind} comes to {point:?}");
}

#[test]
fn no_boundary_lets_a_panic_through() {
    Python::initialize();
    Python::attach(|py| {
        let names = prepared(py).expect("the program");
        for (point, kind) in POINTS {
            check(&names, "check", point, kind);
        }
        for (point, kind) in NETWORK_POINTS {
            check(&names, "check_network", point, kind);
        }
        let told: Vec<String> = names.get_item("told").unwrap().unwrap().extract().expect("lines");
        assert!(told.iter().all(|line| line.starts_with("phanos itself failed")), "{told:?}");
        // One line a minute of each kind.
        assert!(told.len() >= 8 && told.len() < POINTS.len(), "{told:?}");
        let panic = py.get_type::<pyo3::panic::PanicException>();
        assert!(panic.is_subclass_of::<pyo3::exceptions::PyRuntimeError>().expect("a class"));
    });
}
