//! Objects that profilers made plans for: attributes set on them may change the plans.
//!
//! Handlers and metrics set attributes of their own in every batch or operation, where a
//! `__setattr__` written in Python costs 120 ns each time. So what they have is native, but as
//! methods of classes written in Python: beneath a native class with a `__setattr__` of its own
//! `object.__setattr__` refuses to work, which frozen dataclasses and others call.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::entry::{Definition, attached};
use super::user_code;

type Object = *mut ffi::PyObject;

/// A method that sets or deletes attributes.
struct Method {
    definition: Definition,
    /// How many arguments come after the object.
    arguments: ffi::Py_ssize_t,
    /// Whether plans depend on an attribute, by its name and value (null when it is deleted).
    is_watched: unsafe extern "C" fn(Object, Object) -> bool,
    /// Its name, and itself as classes have it.
    made: PyOnceLock<(Py<PyString>, Py<PyAny>)>,
}

static HANDLER_SETATTR: Method =
    Method::new(c"__setattr__", 2, set_on_handler, is_watched_on_handlers);
static HANDLER_DELATTR: Method =
    Method::new(c"__delattr__", 1, delete_on_handler, is_watched_on_handlers);
static METRIC_SETATTR: Method =
    Method::new(c"__setattr__", 2, set_on_metric, is_watched_on_metrics);
static METRIC_DELATTR: Method =
    Method::new(c"__delattr__", 1, delete_on_metric, is_watched_on_metrics);

/// Gives `module` the methods, for classes to have.
pub(super) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("handler_setattr", HANDLER_SETATTR.object(module.py())?)?;
    module.add("handler_delattr", HANDLER_DELATTR.object(module.py())?)?;
    module.add("metric_setattr", METRIC_SETATTR.object(module.py())?)?;
    module.add("metric_delattr", METRIC_DELATTR.object(module.py())?)
}

unsafe extern "C" fn set_on_handler(
    object: Object,
    arguments: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: as the interpreter passes them.
    unsafe { change(&HANDLER_SETATTR, object, arguments, count) }
}

unsafe extern "C" fn delete_on_handler(
    object: Object,
    arguments: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: as above.
    unsafe { change(&HANDLER_DELATTR, object, arguments, count) }
}

unsafe extern "C" fn set_on_metric(
    object: Object,
    arguments: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: as above.
    unsafe { change(&METRIC_SETATTR, object, arguments, count) }
}

unsafe extern "C" fn delete_on_metric(
    object: Object,
    arguments: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: as above.
    unsafe { change(&METRIC_DELATTR, object, arguments, count) }
}

/// What plans depend on of a handler.
unsafe extern "C" fn is_watched_on_handlers(name: Object, _value: Object) -> bool {
    // SAFETY: a valid object, seen to be a string before it is looked at.
    unsafe {
        if ffi::PyUnicode_Check(name) == 0 {
            return false;
        }
        // By its length first, which tells most names apart.
        let known = match ffi::PyUnicode_GetLength(name) {
            6 => [c"handle"; 2],
            9 => [c"formatter", c"publisher"],
            11 => [c"synchronous"; 2],
            _ => return false,
        };
        known.iter().any(|known| ffi::PyUnicode_CompareWithASCIIString(name, known.as_ptr()) == 0)
    }
}

/// A method of the metric's own changes plans; which one is deleted is not looked at.
unsafe extern "C" fn is_watched_on_metrics(_name: Object, value: Object) -> bool {
    // SAFETY: a valid object or null.
    unsafe { value.is_null() || ffi::PyCallable_Check(value) != 0 }
}

/// Sets or deletes an attribute of `object`, and tells profilers if plans depend on it.
///
/// Setters of users may run in here: as in `native_call`, nothing with a destructor is on the
/// stack meanwhile.
///
/// # Safety
/// Valid objects, `count` of them in `arguments`; the interpreter lock is held.
#[allow(clippy::inline_always)] // As in `native_call`.
#[inline(always)]
unsafe fn change(
    method: &Method,
    object: Object,
    arguments: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: as promised; the second argument is looked at if there are two.
    unsafe {
        if count != method.arguments {
            let text = c"expected the name of an attribute, and its value to set it";
            ffi::PyErr_SetString(ffi::PyExc_TypeError, text.as_ptr());
            return ptr::null_mut();
        }
        let name = *arguments;
        let value = if count == 2 { *arguments.add(1) } else { ptr::null_mut() };
        let changed = match next(method, object) {
            Next::Object => ffi::PyObject_GenericSetAttr(object, name, value) == 0,
            Next::After(class) => {
                let result = call_after(method, class, object, arguments);
                ffi::Py_XDECREF(result);
                !result.is_null()
            }
            Next::Unknown => {
                let text = c"expected an object of a class that has this method";
                ffi::PyErr_SetString(ffi::PyExc_TypeError, text.as_ptr());
                false
            }
        };
        if !changed {
            return ptr::null_mut();
        }
        if (method.is_watched)(name, value) { tell(object) } else { ffi::Py_NewRef(ffi::Py_None()) }
    }
}

/// Who is to set the attribute: what `super()` would find.
#[repr(C)]
enum Next {
    /// `object`, as for most.
    Object,
    /// Whatever comes after this class.
    After(Object),
    /// The class of the object does not have the method.
    Unknown,
}

/// Looks for the class that has `method`, from the far end of the order of inheritance.
unsafe extern "C" fn next(method: &Method, object: Object) -> Next {
    // SAFETY: the interpreter lock is held. The order of inheritance is kept for the walk, since
    // looking into a dict may run code of users, which may change it.
    unsafe {
        let Some((name, method)) = method.made.get(Python::assume_attached()) else {
            return Next::Unknown;
        };
        let generic = ffi::PyBaseObject_Type.tp_setattro.map(|setter| setter as usize);
        let order = ffi::Py_NewRef((*ffi::Py_TYPE(object)).tp_mro);
        let mut next = Next::Object;
        let mut found = false;
        for index in (0..ffi::PyTuple_GET_SIZE(order)).rev() {
            let class = ffi::PyTuple_GET_ITEM(order, index);
            let kind = &*class.cast::<ffi::PyTypeObject>();
            if kind.tp_setattro.map(|setter| setter as usize) == generic {
                continue;
            }
            // Classes of the interpreter itself show no dict from 3.12 on.
            let own = if kind.tp_dict.is_null() {
                ptr::null_mut()
            } else {
                ffi::PyDict_GetItem(kind.tp_dict, name.as_ptr())
            };
            if own == method.as_ptr() {
                found = true;
                if matches!(next, Next::Unknown) {
                    next = Next::After(class);
                }
                break;
            }
            next = Next::Unknown;
        }
        // Its classes keep the class alive: `object` is of the last one of them.
        ffi::Py_DECREF(order);
        if found { next } else { Next::Unknown }
    }
}

/// `super(class, object).method(*arguments)`
unsafe fn call_after(
    method: &Method,
    class: Object,
    object: Object,
    arguments: *mut Object,
) -> Object {
    // SAFETY: valid objects, with the interpreter lock held; results are owned or null.
    unsafe {
        let Some((name, _)) = method.made.get(Python::assume_attached()) else {
            return ptr::null_mut();
        };
        let kind = (&raw mut ffi::PySuper_Type).cast::<ffi::PyObject>();
        let end: Object = ptr::null_mut();
        let above = ffi::PyObject_CallFunctionObjArgs(kind, class, object, end);
        if above.is_null() {
            return ptr::null_mut();
        }
        let inherited = ffi::PyObject_GetAttr(above, name.as_ptr());
        ffi::Py_DECREF(above);
        if inherited.is_null() {
            return ptr::null_mut();
        }
        let count = usize::try_from(method.arguments).unwrap_or(0);
        let result = ffi::PyObject_Vectorcall(inherited, arguments, count, ptr::null_mut());
        ffi::Py_DECREF(inherited);
        result
    }
}

/// Tells all profilers that `object` has a new method or part; None, or null and an exception.
#[cold]
#[inline(never)]
extern "C" fn tell(object: Object) -> Object {
    attached(|py| {
        // SAFETY: a valid object.
        let object = unsafe { Bound::from_borrowed_ptr(py, object) };
        match tell_profilers(&object) {
            Ok(()) => py.None().into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
}

fn tell_profilers(object: &Bound<'_, PyAny>) -> PyResult<()> {
    static CHANGED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    let changed = CHANGED.get_or_try_init(py, || {
        let registry = py.import(intern!(py, "phanos._registry"))?;
        registry.getattr(intern!(py, "changed")).map(Bound::unbind)
    })?;
    user_code::call(changed.bind(py), &[object]).map(drop)
}

type Function = unsafe extern "C" fn(Object, *mut Object, ffi::Py_ssize_t) -> Object;

impl Method {
    const fn new(
        name: &'static CStr,
        arguments: ffi::Py_ssize_t,
        function: Function,
        is_watched: unsafe extern "C" fn(Object, Object) -> bool,
    ) -> Self {
        let definition = Definition::fast(name, function);
        Self { definition, arguments, is_watched, made: PyOnceLock::new() }
    }

    /// The method as a class has it: bound to objects as functions are.
    fn object<'py>(&'static self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (_, made) = self.made.get_or_try_init(py, || {
            let class = &raw mut ffi::PyBaseObject_Type;
            // SAFETY: both live for ever; the result is owned or null.
            let made = unsafe {
                let made = ffi::PyDescr_NewMethod(class, self.definition.as_ptr());
                Bound::from_owned_ptr_or_err(py, made)?
            };
            let name = made.getattr(intern!(py, "__name__"))?.cast_into::<PyString>()?;
            PyResult::Ok((name.unbind(), made.unbind()))
        })?;
        Ok(made.bind(py).clone())
    }
}
