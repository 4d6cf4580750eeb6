//! The arguments of a call: as the interpreter passes them, stored for a call that runs later, and
//! packed for hooks.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilValue;

/// What hooks get: a tuple and a dict, as `*args, **kwargs` would hold them.
pub(crate) type PackedArgs<'py> = (Bound<'py, PyTuple>, Bound<'py, PyDict>);

/// The same, with `None` if there are no keyword arguments.
type SplitArgs<'py> = (Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>);

/// Arguments in the form of the vectorcall protocol, borrowed from the caller.
pub(crate) struct VectorcallArgs {
    pub(crate) first: *const *mut ffi::PyObject,
    pub(crate) count: usize,
    pub(crate) keyword_names: *mut ffi::PyObject,
}

impl VectorcallArgs {
    /// Calls `callable` with the arguments as they came.
    #[allow(clippy::inline_always)] // It has to be part of `vectorcall`, which says why.
    #[inline(always)]
    pub(crate) fn forward(&self, callable: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: the pointers are the interpreter's, valid until `vectorcall` returns.
        unsafe { ffi::PyObject_Vectorcall(callable, self.first, self.count, self.keyword_names) }
    }

    pub(crate) fn pack<'py>(&self, py: Python<'py>) -> PyResult<PackedArgs<'py>> {
        Ok((self.positional(py)?, self.keyword(py)?.unwrap_or_else(|| PyDict::new(py))))
    }

    /// The first positional argument, which is the object or class that a method is called on.
    pub(crate) fn object<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        // SAFETY: as many valid pointers as there are arguments.
        (self.positional_count() > 0).then(|| unsafe { Bound::from_borrowed_ptr(py, *self.first) })
    }

    fn positional_count(&self) -> isize {
        // SAFETY: only arithmetic: it clears the flag in the count.
        unsafe { ffi::PyVectorcall_NARGS(self.count) }
    }

    fn positional<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        // SAFETY: as many valid pointers as there are arguments.
        unsafe { tuple_of(py, self.positional_count(), |index| *self.first.offset(index)) }
    }

    /// The keyword arguments; `None` if there are none.
    fn keyword<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.keyword_names.is_null() {
            return Ok(None);
        }
        let packed = PyDict::new(py);
        // SAFETY: the names are in a tuple, and as many values follow the positional arguments.
        unsafe {
            let names = Bound::from_borrowed_ptr(py, self.keyword_names);
            let mut next = self.first.offset(self.positional_count());
            for name in names.cast::<PyTuple>()?.iter() {
                packed.set_item(name, Bound::from_borrowed_ptr(py, *next))?;
                next = next.add(1);
            }
        }
        Ok(Some(packed))
    }

    /// The arguments for [`StoredArgs::store`], unless that can store them unpacked.
    pub(crate) fn pack_unless_few<'py>(&self, py: Python<'py>) -> PyResult<Option<SplitArgs<'py>>> {
        let are_few =
            self.keyword_names.is_null() && self.positional_count().unsigned_abs() <= SLOTS;
        if are_few { Ok(None) } else { Ok(Some((self.positional(py)?, self.keyword(py)?))) }
    }
}

/// A tuple of new references to the objects that `item` gives.
///
/// # Safety
/// `item` gives a valid object for each index.
unsafe fn tuple_of(
    py: Python<'_>,
    count: isize,
    item: impl Fn(isize) -> *mut ffi::PyObject,
) -> PyResult<Bound<'_, PyTuple>> {
    // SAFETY: each item is set once, before the tuple is handed out.
    unsafe {
        let tuple = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(count))?;
        for index in 0..count {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index, ffi::Py_NewRef(item(index)));
        }
        Ok(tuple.cast_into_unchecked())
    }
}

/// So many positional arguments are stored without a tuple.
const SLOTS: usize = 4;

/// The arguments of a deferred call, which runs after it was made.
///
/// A tuple for each call would cost 190 instructions more.
#[derive(Default)]
pub(crate) struct StoredArgs {
    /// The positional arguments, unless all are packed; the first empty slot ends them.
    slots: [GilValue<Option<Py<PyAny>>>; SLOTS],
    packed: GilValue<Option<Packed>>,
}

struct Packed {
    positional: Py<PyTuple>,
    keyword: Option<Py<PyDict>>,
}

impl_traverse!(StoredArgs { slots, packed });
impl_traverse!(Packed { positional, keyword });

impl StoredArgs {
    /// Stores the arguments of a call; `packed` is what `pack_unless_few` returned for them. `self`
    /// is empty before.
    pub(crate) fn store(
        &self,
        py: Python<'_>,
        arguments: &VectorcallArgs,
        packed: Option<SplitArgs<'_>>,
    ) {
        if let Some((positional, keyword)) = packed {
            let (positional, keyword) = (positional.unbind(), keyword.map(Bound::unbind));
            self.packed.set(py, Some(Packed { positional, keyword }));
            return;
        }
        let count = arguments.positional_count().unsigned_abs();
        for (index, slot) in self.slots.iter().enumerate().take(count) {
            // SAFETY: as many valid pointers as there are arguments.
            let argument = unsafe { Bound::from_borrowed_ptr(py, *arguments.first.add(index)) };
            slot.set(py, Some(argument.unbind()));
        }
    }

    /// Drops the arguments, which can run code of users.
    pub(crate) fn release(&self, py: Python<'_>) {
        for slot in &self.slots {
            let Some(argument) = slot.take(py) else { break };
            drop(argument.into_bound(py));
        }
        if let Some(Packed { positional, keyword }) = self.packed.take(py) {
            drop(positional.into_bound(py));
            if let Some(keyword) = keyword {
                drop(keyword.into_bound(py));
            }
        }
    }

    /// Puts new references to the arguments into `target`, which is empty. Nothing can look at
    /// `packed` while it is taken out: no Python code runs.
    pub(crate) fn copy_to(&self, py: Python<'_>, target: &mut RawArgs) {
        if let Some(packed) = self.packed.take(py) {
            target.positional = packed.positional.clone_ref(py).into_ptr();
            let keyword = packed.keyword.as_ref();
            target.keyword = keyword.map_or(ptr::null_mut(), |it| it.clone_ref(py).into_ptr());
            self.packed.set(py, Some(packed));
            return;
        }
        let stored = self.slots.iter().map_while(|slot| slot.bound(py));
        for (slot, argument) in target.slots.iter_mut().zip(stored) {
            slot.write(argument.into_ptr());
            target.count += 1;
        }
    }

    /// The first positional argument; see [`VectorcallArgs::object`].
    pub(crate) fn object<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        if let Some(object) = self.slots[0].bound(py) {
            return Some(object);
        }
        let packed = self.packed.take(py)?;
        let object = packed.positional.bind(py).get_item(0).ok();
        self.packed.set(py, Some(packed));
        object
    }

    /// The arguments as hooks get them.
    pub(crate) fn pack<'py>(&self, py: Python<'py>) -> PyResult<PackedArgs<'py>> {
        let mut arguments = RawArgs::default();
        self.copy_to(py, &mut arguments);
        arguments.pack(py)
    }
}

/// The arguments of a call as owned references without a destructor, for `begin_coroutine`.
pub(crate) struct RawArgs {
    slots: [MaybeUninit<*mut ffi::PyObject>; SLOTS],
    /// So many slots are filled.
    count: usize,
    /// A tuple, or null if the arguments are in the slots.
    positional: *mut ffi::PyObject,
    /// A dict, or null.
    keyword: *mut ffi::PyObject,
}

impl Default for RawArgs {
    fn default() -> Self {
        Self {
            slots: [const { MaybeUninit::uninit() }; SLOTS],
            count: 0,
            positional: ptr::null_mut(),
            keyword: ptr::null_mut(),
        }
    }
}

impl RawArgs {
    /// Calls `callable` with the arguments, and drops them.
    #[allow(clippy::inline_always)] // As `VectorcallArgs::forward`.
    #[inline(always)]
    pub(crate) fn forward(&self, callable: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: owned references, each dropped once.
        unsafe {
            if self.positional.is_null() {
                let result = ffi::PyObject_Vectorcall(
                    callable,
                    self.slots.as_ptr().cast(),
                    self.count,
                    ptr::null_mut(),
                );
                for argument in self.slots.iter().take(self.count) {
                    ffi::Py_DECREF(argument.assume_init());
                }
                return result;
            }
            let result = ffi::PyObject_Call(callable, self.positional, self.keyword);
            ffi::Py_DECREF(self.positional);
            ffi::Py_XDECREF(self.keyword);
            result
        }
    }

    /// The arguments as hooks get them.
    fn pack(self, py: Python<'_>) -> PyResult<PackedArgs<'_>> {
        let Self { slots, count, positional, keyword } = self;
        // SAFETY: owned references, each taken over once.
        unsafe {
            let keyword = Bound::from_owned_ptr_or_opt(py, keyword);
            let keyword =
                keyword.map_or_else(|| PyDict::new(py), |keyword| keyword.cast_into_unchecked());
            if let Some(positional) = Bound::from_owned_ptr_or_opt(py, positional) {
                return Ok((positional.cast_into_unchecked(), keyword));
            }
            let slots = slots.into_iter().take(count);
            let slots = slots.map(|argument| Bound::from_owned_ptr(py, argument.assume_init()));
            Ok((PyTuple::new(py, slots.collect::<Vec<_>>())?, keyword))
        }
    }
}
