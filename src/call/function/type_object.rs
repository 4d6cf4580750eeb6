//! The type of decorated functions: its slots, and the short functions among them.
//!
//! PyO3 cannot make it: a `#[pyclass]` has no place for a vectorcall function.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::special_attributes::{ALL, Special};
use super::{Layout, attributes, free};
use crate::convert::text::text_of;
use crate::interp::entry::enter;
use crate::interp::once::intern;

unsafe extern "C" {
    // Public C API that pyo3-ffi does not declare.
    fn PyMethod_New(
        function: *mut ffi::PyObject,
        instance: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// Makes the type.
pub(super) fn make(py: Python<'_>) -> PyResult<Py<PyType>> {
    // The interpreter reads the offsets, small constants, while it makes the type.
    let member = |name: &'static CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: ffi::Py_ssize_t::try_from(offset).unwrap_or(0),
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    };
    let members = Box::leak(Box::new([
        member(c"__vectorcalloffset__", offset_of!(Layout, vectorcall)),
        member(c"__dictoffset__", offset_of!(Layout, dict)),
        member(c"__weaklistoffset__", offset_of!(Layout, weak_references)),
        // SAFETY: an all-zero entry ends the list.
        unsafe { std::mem::zeroed() },
    ]));
    let property =
        |name: &'static CStr, get: ffi::getter, set: Option<ffi::setter>| ffi::PyGetSetDef {
            name: name.as_ptr(),
            get: Some(get),
            set,
            doc: ptr::null(),
            closure: ptr::null_mut(),
        };
    let mut properties = vec![
        property(c"__class__", attributes::get_class, None),
        property(c"__dict__", ffi::PyObject_GenericGetDict, Some(ffi::PyObject_GenericSetDict)),
    ];
    properties.extend(ALL.iter().map(Special::property));
    // SAFETY: an all-zero entry ends the list.
    properties.push(unsafe { std::mem::zeroed() });
    let properties = properties.leak();
    let methods = Box::leak(Box::new([
        ffi::PyMethodDef {
            ml_name: c"__reduce__".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: reduce },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: ptr::null(),
        },
        ffi::PyMethodDef::zeroed(),
    ]));
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_tp_dealloc, free::deallocate as *mut c_void),
        slot(ffi::Py_tp_traverse, free::traverse as *mut c_void),
        slot(ffi::Py_tp_clear, free::clear as *mut c_void),
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_new, refuse_new as *mut c_void),
        slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        slot(ffi::Py_tp_getattro, attributes::get as *mut c_void),
        slot(ffi::Py_tp_repr, represent as *mut c_void),
        slot(ffi::Py_tp_members, ptr::from_mut(members).cast()),
        slot(ffi::Py_tp_getset, properties.as_mut_ptr().cast()),
        slot(ffi::Py_tp_methods, ptr::from_mut(methods).cast()),
        slot(0, ptr::null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_HAVE_GC
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
        | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    let mut spec = ffi::PyType_Spec {
        name: c"phanos.ProfiledFunction".as_ptr(),
        basicsize: c_int::try_from(size_of::<Layout>()).unwrap_or(0),
        itemsize: 0,
        flags: u32::try_from(flags).unwrap_or(0),
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec and all that it points to are valid. The tables that the type goes on to use
    // are leaked above.
    unsafe {
        let class = Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))?;
        let class = class.cast_into_unchecked::<PyType>();
        #[cfg(not(Py_3_12))]
        restore_module_property(&class, properties)?;
        Ok(class.unbind())
    }
}

/// Puts the descriptor of `__module__` back, which `PyType_FromSpec` replaces by the name of the
/// class's own module up to CPython 3.11.
#[cfg(not(Py_3_12))]
fn restore_module_property(
    class: &Bound<'_, PyType>,
    properties: &'static [ffi::PyGetSetDef],
) -> PyResult<()> {
    let is_module = |property: &&ffi::PyGetSetDef| {
        // SAFETY: names are C strings; the entry that ends the list has none.
        !property.name.is_null() && unsafe { CStr::from_ptr(property.name) } == c"__module__"
    };
    let Some(property) = properties.iter().find(is_module) else { return Ok(()) };
    let py = class.py();
    // SAFETY: the definition is static and only read. The class is immutable, so its dict is
    // changed directly; it has no subclass and no object yet, and what was cached is forgotten.
    unsafe {
        let definition = ptr::from_ref(property).cast_mut();
        let made = ffi::PyDescr_NewGetSet(class.as_type_ptr(), definition);
        let made = Bound::from_owned_ptr_or_err(py, made)?;
        let namespace = (*class.as_type_ptr()).tp_dict;
        if ffi::PyDict_SetItemString(namespace, property.name, made.as_ptr()) < 0 {
            return Err(PyErr::fetch(py));
        }
        ffi::PyType_Modified(class.as_type_ptr());
    }
    Ok(())
}

/// What a class statement calls whose base class was decorated.
unsafe extern "C" fn refuse_new(
    _class: *mut ffi::PyTypeObject,
    _args: *mut ffi::PyObject,
    _kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter(|py| {
        let text = "a decorated class is a function and has no subclasses: put @profile above the \
                    methods of the class";
        PyTypeError::new_err(text).restore(py);
        ptr::null_mut()
    })
}

unsafe extern "C" fn bind(
    object: *mut ffi::PyObject,
    instance: *mut ffi::PyObject,
    _class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the descriptor protocol.
    unsafe {
        if instance.is_null() || instance == ffi::Py_None() {
            return ffi::Py_NewRef(object);
        }
        PyMethod_New(object, instance)
    }
}

unsafe extern "C" fn represent(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    enter(|py| {
        // SAFETY: a valid object.
        let object = unsafe { Bound::from_borrowed_ptr(py, object) };
        let name = object
            .getattr(intern!(py, "__qualname__"))
            .map_or_else(|_| "?".into(), |name| text_of(&name));
        PyString::new(py, &format!("<function {name} at {:p}>", object.as_ptr())).into_ptr()
    })
}

/// Pickles and copies by name, as functions are pickled and copied.
unsafe extern "C" fn reduce(
    object: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    const QUALNAME: *const c_char = c"__qualname__".as_ptr();
    // SAFETY: a valid object and a C string.
    unsafe { ffi::PyObject_GetAttrString(object, QUALNAME) }
}
