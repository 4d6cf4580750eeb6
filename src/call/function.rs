//! The decorated function: a native callable that is a function to everybody who asks.
//!
//! A Python closure around one Rust call costs 70 to 80 ns when nothing is recorded and
//! 55 ns more when something is (a frame, an argument tuple, a dict). This type is called
//! through the vectorcall protocol instead, hands its arguments on as they came, binds
//! like a method (`METHOD_DESCRIPTOR`), says `__class__` is `function`, and looks up
//! what it lacks on the function it wraps.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::ptr;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use phanos_core::path::hash_name;

use crate::call::native_call::vectorcall;
use crate::interp::entry::enter;
use crate::interp::gil_cell::GilCell;
use crate::profiler::core::ProfilerCore;
use crate::profiler::function_info::FunctionInfo;
use crate::tree::decorated_class::{self, is_decorated};
use crate::tree::owner::RootPath;

unsafe extern "C" {
    // Public C API that pyo3-ffi does not declare.
    fn PyMethod_New(
        function: *mut ffi::PyObject,
        instance: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// What kind of function is wrapped: decides how its body is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Runs within the call itself.
    Plain,
    /// A Python wrapper of the same kind runs it.
    Coroutine,
    /// The same; asynchronous generators included.
    Generator,
}

/// The object as the interpreter sees it.
#[repr(C)]
pub(crate) struct Layout {
    base: ffi::PyObject,
    vectorcall: Option<ffi::vectorcallfunc>,
    dict: *mut ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    /// The Python wrapper that runs it, or null for [`Kind::Plain`].
    pub(crate) wrapper: *mut ffi::PyObject,
    /// From `Box::into_raw`. Never null.
    pub(crate) info: *const FunctionInfo,
    pub(crate) kind: Kind,
}

/// Namespace for working with decorated functions.
pub(crate) struct ProfiledFunction;

impl ProfiledFunction {
    pub(crate) fn is(object: &Bound<'_, PyAny>) -> bool {
        is_decorated(object)
    }

    /// The info of an object known to be a decorated function.
    pub(crate) fn info_of<'a>(object: &'a Bound<'_, PyAny>) -> &'a FunctionInfo {
        debug_assert!(Self::is(object), "not a decorated function");
        // SAFETY: our layout; the info lives as long as the object.
        unsafe { &*(*object.as_ptr().cast::<Layout>()).info }
    }

    /// The info of a decorated function; `None` for anything else.
    pub(crate) fn info<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a FunctionInfo> {
        Self::is(object).then(|| Self::info_of(object))
    }
}

/// Decorates `function`.
///
/// `make_wrapper`, given for coroutine functions (`is_coroutine`) and generators, is called
/// with the function and returns the function that runs it. `template` is a plain
/// function whose attributes stand in where `function` has none of a function's.
#[pyfunction]
#[pyo3(signature = (core, function, name, make_wrapper, is_coroutine, template))]
pub(crate) fn decorate<'py>(
    core: &Bound<'py, ProfilerCore>,
    function: &Bound<'py, PyAny>,
    name: &str,
    make_wrapper: Option<&Bound<'py, PyAny>>,
    is_coroutine: bool,
    template: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = core.py();
    if !function.is_callable() {
        return Err(PyTypeError::new_err(format!("expected a callable, got {}", function.repr()?)));
    }
    let info = Box::new(FunctionInfo {
        function: function.clone().unbind(),
        core: core.clone().unbind(),
        name: name.into(),
        hash: hash_name(name),
        root: GilCell::new(RootPath::Unknown),
        recent: GilCell::new(None),
    });
    let wrapper = match make_wrapper {
        Some(make) => Some(make.call1((function,))?),
        None => None,
    };
    let attributes = PyDict::new(py);
    if let Some(own) = function.getattr_opt(intern!(py, "__dict__"))?
        && let Ok(own) = own.cast::<PyDict>()
    {
        attributes.update(own.as_mapping())?;
    }
    attributes.set_item(intern!(py, "__wrapped__"), function)?;
    TEMPLATE.get_or_init(py, || template.clone().unbind());
    let class = decorated_class::get_or_make(py, || make_type(py))?;
    // SAFETY: the type has our layout; all fields are set before the object is tracked.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let layout = object.as_ptr().cast::<Layout>();
        (*layout).kind = match (wrapper.is_some(), is_coroutine) {
            (false, _) => Kind::Plain,
            (true, true) => Kind::Coroutine,
            (true, false) => Kind::Generator,
        };
        (*layout).wrapper = wrapper.map_or(ptr::null_mut(), Bound::into_ptr);
        (*layout).dict = attributes.into_ptr();
        (*layout).info = Box::into_raw(info);
        (*layout).vectorcall = Some(vectorcall);
        Ok(object)
    }
}

/// Stands in for attributes of functions that a wrapped builtin, class or object lacks.
static TEMPLATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn make_type(py: Python<'_>) -> PyResult<Py<PyType>> {
    // Member offsets are small constants; the interpreter reads them while the type is made.
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
    let properties = Box::leak(Box::new([
        property(c"__class__", get_class, None),
        property(c"__dict__", ffi::PyObject_GenericGetDict, Some(ffi::PyObject_GenericSetDict)),
        // SAFETY: an all-zero entry ends the list.
        unsafe { std::mem::zeroed() },
    ]));
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
        slot(ffi::Py_tp_dealloc, deallocate as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        slot(ffi::Py_tp_getattro, get_attribute as *mut c_void),
        slot(ffi::Py_tp_setattro, set_attribute as *mut c_void),
        slot(ffi::Py_tp_repr, represent as *mut c_void),
        slot(ffi::Py_tp_members, ptr::from_mut(members).cast()),
        slot(ffi::Py_tp_getset, ptr::from_mut(properties).cast()),
        slot(ffi::Py_tp_methods, ptr::from_mut(methods).cast()),
        slot(0, ptr::null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_HAVE_GC
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
        | ffi::Py_TPFLAGS_IMMUTABLETYPE
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let mut spec = ffi::PyType_Spec {
        name: c"phanos.ProfiledFunction".as_ptr(),
        basicsize: c_int::try_from(size_of::<Layout>()).unwrap_or(0),
        itemsize: 0,
        flags: u32::try_from(flags).unwrap_or(0),
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec and all it points to are valid; what must outlive the call leaks.
    unsafe {
        let class = Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))?;
        Ok(class.cast_into_unchecked::<PyType>().unbind())
    }
}

unsafe extern "C" fn deallocate(object: *mut ffi::PyObject) {
    // SAFETY: called once, with the interpreter lock held and no reference left.
    unsafe {
        let class = ffi::Py_TYPE(object);
        ffi::PyObject_GC_UnTrack(object.cast());
        let layout = object.cast::<Layout>();
        if !(*layout).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let held = Held { dict: (*layout).dict, wrapper: (*layout).wrapper, info: (*layout).info };
        ffi::PyObject_GC_Del(object.cast());
        ffi::Py_DECREF(class.cast());
        // Dropping Python references needs PyO3 to know that we are attached.
        Python::attach_unchecked(|py| held.release(py));
    }
}

/// What a decorated function that is gone still holds: owned references, or null.
struct Held {
    dict: *mut ffi::PyObject,
    wrapper: *mut ffi::PyObject,
    info: *const FunctionInfo,
}

/// Functions decorated over and over are freed inside one another, this deep and no deeper:
/// stacks are finite.
const FREED_AT_ONCE: usize = 32;

/// What is left for the outermost of them to free.
static FREED_LATER: GilCell<Vec<Held>> = GilCell::new(Vec::new());

thread_local! {
    static FREEING: Cell<usize> = const { Cell::new(0) };
}

impl Held {
    fn release(self, py: Python<'_>) {
        let depth = FREEING.get();
        if depth == FREED_AT_ONCE {
            FREED_LATER.with(py, |later| later.push(self));
            return;
        }
        FREEING.set(depth + 1);
        self.drop_now();
        while depth == 0
            && let Some(held) = FREED_LATER.with(py, Vec::pop)
        {
            held.drop_now();
        }
        // Not back to `depth`: finalizers may switch greenlets, which end in any order.
        FREEING.set(FREEING.get() - 1);
    }

    fn drop_now(self) {
        // SAFETY: each reference is owned and dropped once, with the interpreter lock held;
        // the info is from `Box::into_raw`.
        unsafe {
            ffi::Py_XDECREF(self.dict);
            ffi::Py_XDECREF(self.wrapper);
            if !self.info.is_null() {
                drop(Box::from_raw(self.info.cast_mut()));
            }
        }
    }
}

unsafe extern "C" fn traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the collector's protocol; fields are null or valid.
    unsafe {
        let layout = object.cast::<Layout>();
        let mut referents = [
            ffi::Py_TYPE(object).cast(),
            (*layout).dict,
            (*layout).wrapper,
            ptr::null_mut(),
            ptr::null_mut(),
        ];
        if let Some(info) = (*layout).info.as_ref() {
            referents[3] = info.function.as_ptr();
            referents[4] = info.core.as_ptr();
        }
        for referent in referents {
            if !referent.is_null() {
                let result = visit(referent, argument);
                if result != 0 {
                    return result;
                }
            }
        }
        0
    }
}

unsafe extern "C" fn clear(object: *mut ffi::PyObject) -> c_int {
    // SAFETY: the collector's protocol. The info stays: the object can still be called.
    unsafe {
        let layout = object.cast::<Layout>();
        ffi::Py_CLEAR(&raw mut (*layout).dict);
        ffi::Py_CLEAR(&raw mut (*layout).wrapper);
        0
    }
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

unsafe extern "C" fn get_class(_: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: a static type.
    unsafe { ffi::Py_NewRef((&raw mut ffi::PyFunction_Type).cast()) }
}

/// Looked up on the type first by the interpreter's rules, and every type has one, or gets
/// one when somebody asks for it (`__annotations__`).
const OF_THE_FUNCTION: [&str; 5] =
    ["__doc__", "__module__", "__annotations__", "__annotate__", "__type_params__"];
/// What a plain function has none of, whatever is wrapped has it.
const NOT_FALLEN_THROUGH: [&str; 2] = ["__self__", "__func__"];

unsafe extern "C" fn get_attribute(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter(|py| {
        // SAFETY: both are valid objects, the first of our type.
        let (object, name) =
            unsafe { (Bound::from_borrowed_ptr(py, object), Bound::from_borrowed_ptr(py, name)) };
        match attribute(&object, &name) {
            Ok(value) => value.into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
}

/// As for any object, but for `__code__`, which is that of the wrapped function.
///
/// `types.coroutine` assigns it to a generator function to make what that returns awaitable:
/// what the wrapper returns must be so as well.
unsafe extern "C" fn set_attribute(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    let mut result = -1;
    enter(|py| {
        // SAFETY: valid objects, the first of our type, the last null to delete.
        let (name_text, value_given, function, wrapper) = unsafe {
            let layout = &*object.cast::<Layout>();
            (
                Bound::from_borrowed_ptr(py, name),
                Bound::from_borrowed_ptr_or_opt(py, value),
                (*layout.info).function.bind(py),
                Bound::from_borrowed_ptr_or_opt(py, layout.wrapper),
            )
        };
        let is_code = name_text.cast::<PyString>().is_ok_and(|name| name == "__code__");
        let set = match value_given {
            Some(code) if is_code && function.hasattr(intern!(py, "__code__")).unwrap_or(false) => {
                set_code(function, wrapper.as_ref(), &code)
            }
            // SAFETY: as above.
            _ => match unsafe { ffi::PyObject_GenericSetAttr(object, name, value) } {
                0 => Ok(()),
                _ => Err(PyErr::fetch(py)),
            },
        };
        match set {
            Ok(()) => result = 0,
            Err(error) => error.restore(py),
        }
        ptr::null_mut()
    });
    result
}

fn set_code(
    function: &Bound<'_, PyAny>,
    wrapper: Option<&Bound<'_, PyAny>>,
    code: &Bound<'_, PyAny>,
) -> PyResult<()> {
    const CO_ITERABLE_COROUTINE: u32 = 0x100;
    let py = function.py();
    function.setattr(intern!(py, "__code__"), code)?;
    let flags = |code: &Bound<'_, PyAny>| code.getattr(intern!(py, "co_flags"))?.extract::<u32>();
    if let Some(wrapper) = wrapper
        && flags(code)? & CO_ITERABLE_COROUTINE != 0
    {
        let own = wrapper.getattr(intern!(py, "__code__"))?;
        let changed = PyDict::new(py);
        changed.set_item(intern!(py, "co_flags"), flags(&own)? | CO_ITERABLE_COROUTINE)?;
        let own = own.call_method(intern!(py, "replace"), (), Some(&changed))?;
        wrapper.setattr(intern!(py, "__code__"), own)?;
    }
    Ok(())
}

fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let text = name.cast::<PyString>()?.to_string_lossy();
    let mut missing = None;
    if OF_THE_FUNCTION.contains(&&*text) {
        if let Some(value) = own_item(object, name)? {
            return Ok(value);
        }
    } else {
        // SAFETY: both are valid objects.
        let own = unsafe {
            let own = ffi::PyObject_GenericGetAttr(object.as_ptr(), name.as_ptr());
            Bound::from_owned_ptr_or_err(py, own)
        };
        match own {
            Err(error) if error.is_instance_of::<PyAttributeError>(py) => missing = Some(error),
            found => return found,
        }
    }
    if NOT_FALLEN_THROUGH.contains(&&*text)
        && let Some(missing) = missing
    {
        return Err(missing);
    }
    // Layer by layer and not by recursion: nothing bounds how often a function is decorated.
    let mut layer = object.clone();
    let function = loop {
        let inside = ProfiledFunction::info_of(&layer).function.bind(py).clone();
        if !ProfiledFunction::is(&inside) {
            break inside;
        }
        layer = inside;
        if let Some(value) = own_item(&layer, name)? {
            return Ok(value);
        }
    };
    if let Some(value) = function.getattr_opt(name.cast::<PyString>()?)? {
        return Ok(value);
    }
    // `inspect` reads `__code__` and its like of whatever says it is a function: those of
    // the wrapper, which is of the right kind, or of some function.
    if text == "__name__" || text == "__qualname__" {
        return Ok(PyString::new(py, &ProfiledFunction::info_of(&layer).name).into_any());
    }
    // SAFETY: our layout; the wrapper is null or a valid object.
    let wrapper =
        unsafe { Bound::from_borrowed_ptr_or_opt(py, (*layer.as_ptr().cast::<Layout>()).wrapper) };
    let stand_in = wrapper.or_else(|| TEMPLATE.get(py).map(|template| template.bind(py).clone()));
    let found = match stand_in.filter(|_| text.starts_with("__")) {
        Some(stand_in) => stand_in.getattr_opt(name.cast::<PyString>()?)?,
        None => None,
    };
    found.ok_or_else(|| missing.unwrap_or_else(|| PyAttributeError::new_err(text.into_owned())))
}

/// What the dict of a decorated function holds under `name`.
fn own_item<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: our layout; the dict is null or a valid object.
    let dict = unsafe {
        Bound::from_borrowed_ptr_or_opt(object.py(), (*object.as_ptr().cast::<Layout>()).dict)
    };
    match dict {
        Some(dict) => dict.cast::<PyDict>()?.get_item(name),
        None => Ok(None),
    }
}

unsafe extern "C" fn represent(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    enter(|py| {
        // SAFETY: a valid object.
        let object = unsafe { Bound::from_borrowed_ptr(py, object) };
        let name = object
            .getattr(intern!(py, "__qualname__"))
            .map_or_else(|_| "?".into(), |name| crate::convert::text::text_of(&name));
        PyString::new(py, &format!("<function {name} at {:p}>", object.as_ptr())).into_ptr()
    })
}

/// Pickled and copied by name, as functions are.
unsafe extern "C" fn reduce(
    object: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    const QUALNAME: *const c_char = c"__qualname__".as_ptr();
    // SAFETY: a valid object and a C string.
    unsafe { ffi::PyObject_GetAttrString(object, QUALNAME) }
}
