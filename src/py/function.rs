//! The decorated function: a native callable that is a function to everybody who asks.
//!
//! A Python closure around one Rust call costs 70 to 80 ns when nothing is recorded and
//! 55 ns more when something is (a frame, an argument tuple, a dict). This type is called
//! through the vectorcall protocol instead, hands its arguments on as they came, binds
//! like a method (`METHOD_DESCRIPTOR`), says `__class__` is `function`, and looks up
//! what it lacks on the function it wraps.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::clock::Start;
use crate::core::path::{Path, PathCache, hash_name};

use super::call::{self, Call, Ending, Packed};
use super::gate::CallGate;
use super::gil_cell::GilCell;
use super::handover::Outcome;
use super::node::Node;
use super::owner::{self, RootPath};
use super::plan::Plan;
use super::profiler::ProfilerCore;
use super::raised::Raised;

unsafe extern "C" {
    // Public C API that pyo3-ffi does not declare.
    fn PyMethod_New(
        function: *mut ffi::PyObject,
        instance: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// What kind of function is wrapped: decides how its body is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Runs within the call itself.
    Plain,
    /// A Python wrapper of the same kind runs it.
    Coroutine,
    /// The same; asynchronous generators included.
    Generator,
}

/// What is known of a decorated function.
pub(crate) struct Site {
    pub(crate) function: Py<PyAny>,
    pub(crate) core: Py<ProfilerCore>,
    pub(crate) name: Arc<str>,
    pub(crate) hash: u64,
    root: GilCell<RootPath>,
    /// The last path used under another call, and the identity of its parent.
    recent: GilCell<Option<(u64, Rc<Path>)>>,
}

impl Site {
    /// The path of a root call.
    pub(crate) fn root_path(&self, py: Python<'_>, paths: &GilCell<PathCache>) -> Rc<Path> {
        if let Some(path) = self.root.with(py, |root| root.certain()) {
            return path;
        }
        // Looking once more reads a module's dict: outside the cell.
        let root = self.root.replace(py, RootPath::Unknown);
        let (path, root) = match root.current(py) {
            Some(path) => (path, root),
            None => owner::resolve(self.function.bind(py), &self.name, paths),
        };
        self.root.set(py, root);
        path
    }

    /// The path of a call under `above`.
    pub(crate) fn path_under(
        &self,
        py: Python<'_>,
        above: &Rc<Path>,
        paths: &GilCell<PathCache>,
    ) -> Rc<Path> {
        let recent = self.recent.with(py, |recent| match recent {
            Some((parent, path)) if *parent == above.id() => Some(Rc::clone(path)),
            _ => None,
        });
        recent.unwrap_or_else(|| {
            let path = paths.with(py, |paths| paths.child(above, &self.name, self.hash));
            self.recent.set(py, Some((above.id(), Rc::clone(&path))));
            path
        })
    }
}

/// The object as the interpreter sees it.
#[repr(C)]
struct Layout {
    base: ffi::PyObject,
    vectorcall: Option<ffi::vectorcallfunc>,
    dict: *mut ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    /// The Python wrapper that runs it, or null for [`Kind::Plain`].
    wrapper: *mut ffi::PyObject,
    /// From `Arc::into_raw`; shared with the wrapper's [`CallGate`]. Never null.
    site: *const Site,
    kind: Kind,
}

/// Namespace for working with decorated functions.
pub(crate) struct ProfiledFunction;

static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

impl ProfiledFunction {
    pub(crate) fn is(object: &Bound<'_, PyAny>) -> bool {
        TYPE.get(object.py()).is_some_and(|class| object.get_type().is(class))
    }

    /// The site of a decorated function; `None` for anything else.
    pub(crate) fn site<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Site> {
        // SAFETY: the type was checked; the site lives as long as the object.
        Self::is(object).then(|| unsafe { &*(*object.as_ptr().cast::<Layout>()).site })
    }
}

/// Decorates `function`.
///
/// `make_wrapper`, given for coroutine functions (`is_coroutine`) and generators, is called
/// with the function and its gate and returns the function that runs it. `template` is a plain
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
    let site = Arc::new(Site {
        function: function.clone().unbind(),
        core: core.clone().unbind(),
        name: name.into(),
        hash: hash_name(name),
        root: GilCell::new(RootPath::Unknown),
        recent: GilCell::new(None),
    });
    let wrapper = match make_wrapper {
        Some(make) => {
            let gate = Bound::new(py, CallGate::new(Arc::clone(&site)))?;
            Some(make.call1((function, gate))?)
        }
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
    let class = TYPE.get_or_try_init(py, || make_type(py))?;
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
        (*layout).site = Arc::into_raw(site);
        (*layout).vectorcall = Some(vectorcall);
        Ok(object)
    }
}

/// Stands in for attributes of functions that a wrapped builtin, class or object lacks.
static TEMPLATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

unsafe extern "C" fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let Some(_level) = Level::enter() else { return ptr::null_mut() };
    let call = Arguments { first: arguments, count, keyword_names };
    attached(|py| {
        // SAFETY: the interpreter calls us with an object of our type, alive for the call.
        let layout = unsafe { &*callable.cast::<Layout>() };
        // SAFETY: never null, and shared ownership ends with the object.
        let site = unsafe { &*layout.site };
        if !site.core.get().enabled(py) {
            return call.forward(site.function.as_ptr());
        }
        let Some(plan) = site.core.get().plan(py) else {
            return call.forward(site.function.as_ptr());
        };
        let outcome = match layout.kind {
            Kind::Plain if plan.get().overridden => {
                run_overridden(py, plan.get(), site, &call, "sync_inner")
            }
            Kind::Coroutine if plan.get().overridden => {
                run_overridden(py, plan.get(), site, &call, "async_inner")
            }
            Kind::Plain => run(py, plan.get(), site, &call),
            Kind::Coroutine | Kind::Generator => return call.forward(layout.wrapper),
        };
        match outcome {
            Ok(Some(result)) => result.into_ptr(),
            Ok(None) => ptr::null_mut(), // Raised already.
            Err(error) => raise(py, *error),
        }
    })
}

#[cold]
#[inline(never)]
fn raise(py: Python<'_>, error: PyErr) -> *mut ffi::PyObject {
    error.restore(py);
    ptr::null_mut()
}

/// A level of recursion, up to CPython 3.11: each nested call of a profiled function takes
/// C stack, and a limit that only counts Python frames would let it run out. From 3.12 on
/// the interpreter counts nested C calls by itself, in a budget that this would halve.
struct Level;

impl Level {
    /// `None` with a `RecursionError` raised.
    fn enter() -> Option<Self> {
        #[cfg(not(Py_3_12))]
        // SAFETY: called by the interpreter, which holds its lock.
        if unsafe { ffi::Py_EnterRecursiveCall(c" while calling a profiled function".as_ptr()) }
            != 0
        {
            return None;
        }
        Some(Self)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        #[cfg(not(Py_3_12))]
        // SAFETY: matches `enter`.
        unsafe {
            ffi::Py_LeaveRecursiveCall();
        }
    }
}

/// Runs the body of a function that the interpreter calls; a panic in it becomes an
/// exception.
///
/// Not `Python::attach`: that one refuses while the interpreter is ending, when finalizers
/// still call decorated functions.
fn attached(body: impl FnOnce(Python<'_>) -> *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls us with its lock held.
    unsafe {
        Python::attach_unchecked(|py| {
            let body = AssertUnwindSafe(|| body(py));
            std::panic::catch_unwind(body).unwrap_or_else(|_| {
                PanicException::new_err("panic in phanos").restore(py);
                ptr::null_mut()
            })
        })
    }
}

/// Arguments in the form of the vectorcall protocol, borrowed from the caller.
struct Arguments {
    first: *const *mut ffi::PyObject,
    count: usize,
    keyword_names: *mut ffi::PyObject,
}

impl Arguments {
    /// Calls `callable` with them, as they came.
    fn forward(&self, callable: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: the pointers are the interpreter's, valid until our caller returns.
        unsafe { ffi::PyObject_Vectorcall(callable, self.first, self.count, self.keyword_names) }
    }

    /// A tuple and a dict, as `*args, **kwargs` would hold them.
    fn pack<'py>(&self, py: Python<'py>) -> PyResult<Packed<'py>> {
        // SAFETY: as above; `PyVectorcall_NARGS` strips the flag from the count.
        unsafe {
            let positional = usize::try_from(ffi::PyVectorcall_NARGS(self.count)).unwrap_or(0);
            let argument = |index: usize| Bound::from_borrowed_ptr(py, *self.first.add(index));
            let args = PyTuple::new(py, (0..positional).map(argument).collect::<Vec<_>>())?;
            let kwargs = PyDict::new(py);
            if !self.keyword_names.is_null() {
                let names = Bound::from_borrowed_ptr(py, self.keyword_names);
                for (index, name) in names.cast::<PyTuple>()?.iter().enumerate() {
                    kwargs.set_item(name, argument(positional + index))?;
                }
            }
            Ok((args, kwargs))
        }
    }
}

/// Runs a recorded call. `None`: the function raised, and what it raised is in flight again.
///
/// What is on the stack while the function runs is kept small (recursion multiplies it):
/// all work is done in functions of their own.
fn run<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    arguments: &Arguments,
) -> Result<Option<Bound<'py, PyAny>>, Box<PyErr>> {
    let call = call::begin(py, site.core.get(), plan, site, || arguments.pack(py))?;
    let started = Start::now();
    let result = arguments.forward(site.function.as_ptr());
    conclude(py, plan, site, arguments, call, started, result)
}

/// The end of [`run`]: `result` is an owned reference, or null with an exception raised.
#[inline(never)]
fn conclude<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    arguments: &Arguments,
    call: Call,
    started: Start,
    result: *mut ffi::PyObject,
) -> Result<Option<Bound<'py, PyAny>>, Box<PyErr>> {
    let elapsed = started.elapsed();
    // SAFETY: see above.
    let result = unsafe { Bound::from_owned_ptr_or_opt(py, result) };
    let ending = Ending { elapsed, failed: result.is_none(), result: result.as_ref() };
    let finish = || call::finish(py, &site.core, plan, &call, &ending, || arguments.pack(py));
    let raised = result.is_none().then(|| Raised::take(py));
    let outcome = match &raised {
        None => finish(),
        Some(raised) => raised.handled(py, finish),
    };
    let interrupted = outcome.and_then(|outcome| settle(py, plan, *outcome));
    call::close(py, site.core.get(), &call);
    Node::recycle(py, call.node);
    if let Some(error) = interrupted {
        if let Some(raised) = raised {
            raised.forget(py);
        }
        return Err(error);
    }
    if let Some(raised) = raised {
        raised.restore(py);
    }
    Ok(result)
}

/// Queues what asynchronous handlers have to deliver; returns what must be raised.
#[cold]
fn settle(py: Python<'_>, plan: &Plan, outcome: Outcome<'_>) -> Option<Box<PyErr>> {
    let mut interrupted = outcome.interrupted;
    if let Some(deliveries) = outcome.deliveries {
        let queued =
            plan.profiler.bind(py).call_method1(intern!(py, "_queue_deliveries"), (deliveries,));
        if let Err(error) = queued {
            let what = "queueing for asynchronous handlers";
            interrupted = interrupted.or_else(|| call::failure(py, plan, what, error));
        }
    }
    interrupted.map(Box::new)
}

/// The user overrode a step of the call: `runner` of `profile_ext` takes the steps.
#[inline(never)]
fn run_overridden<'py>(
    py: Python<'py>,
    plan: &Plan,
    site: &Site,
    arguments: &Arguments,
    runner: &str,
) -> Result<Option<Bound<'py, PyAny>>, Box<PyErr>> {
    let (args, kwargs) = arguments.pack(py)?;
    let mut all = Vec::with_capacity(args.len() + 1);
    all.push(site.function.bind(py).clone());
    all.extend(args.iter());
    let steps = plan.profiler.bind(py).getattr(intern!(py, "profile_ext"))?;
    let args = PyTuple::new(py, all)?;
    Ok(Some(steps.call_method(runner, args, Some(&kwargs))?))
}

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
        ffi::Py_CLEAR(&raw mut (*layout).dict);
        ffi::Py_CLEAR(&raw mut (*layout).wrapper);
        let site = std::mem::replace(&mut (*layout).site, ptr::null());
        if !site.is_null() {
            // Dropping Python references needs PyO3 to know that we are attached.
            Python::attach_unchecked(|_py| drop(Arc::from_raw(site)));
        }
        ffi::PyObject_GC_Del(object.cast());
        ffi::Py_DECREF(class.cast());
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
        if let Some(site) = (*layout).site.as_ref() {
            // The gate shares these and does not visit them while this lives: each counts
            // once.
            referents[3] = site.function.as_ptr();
            referents[4] = site.core.as_ptr();
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
    // SAFETY: the collector's protocol. The site stays: the object can still be called.
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
    attached(|py| {
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

fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let text = name.cast::<PyString>()?.to_string_lossy();
    let layout = object.as_ptr().cast::<Layout>();
    // SAFETY: our layout; the site outlives this borrow of the object.
    let (function, dict) = unsafe {
        let site = &*(*layout).site;
        (site.function.bind(py), Bound::from_borrowed_ptr_or_opt(py, (*layout).dict))
    };
    let mut missing = None;
    if OF_THE_FUNCTION.contains(&&*text) {
        if let Some(dict) = dict
            && let Ok(value) = dict.get_item(name)
        {
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
    let name = name.cast::<PyString>()?;
    if let Some(value) = function.getattr_opt(name)? {
        return Ok(value);
    }
    // `inspect` reads `__code__` and its like of whatever says it is a function.
    let template = TEMPLATE.get(py).filter(|_| text.starts_with("__"));
    match template.map(|template| template.bind(py).getattr_opt(name)).transpose()?.flatten() {
        Some(value) => Ok(value),
        None => Err(missing.unwrap_or_else(|| PyAttributeError::new_err(text.into_owned()))),
    }
}

unsafe extern "C" fn represent(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    attached(|py| {
        // SAFETY: a valid object.
        let object = unsafe { Bound::from_borrowed_ptr(py, object) };
        let name = object
            .getattr(intern!(py, "__qualname__"))
            .map_or_else(|_| "?".into(), |name| super::cell::text_of(&name));
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
