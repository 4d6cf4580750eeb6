//! What a decorated function keeps for its calls: its name, its profiler, and their paths.

use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use pyo3::ffi;
use pyo3::prelude::*;

use phanos_core::path::{Path, PathCache, hash_name};

use crate::interp::entry::registered;
use crate::interp::gil_cell::GilCell;
use crate::profiler::core::ProfilerCore;
use crate::tree::owner::{self, RootPath};

/// The wrapped function with what its calls need.
pub(crate) struct FunctionInfo {
    pub(crate) function: Py<PyAny>,
    pub(crate) core: Py<ProfilerCore>,
    /// The last part of the path of each call.
    pub(crate) name: Arc<str>,
    name_hash: u64,
    root_path: GilCell<RootPath>,
    /// The path of the last nested call, and the id of its caller's path.
    last_nested: GilCell<Option<(u64, Rc<Path>)>>,
}

impl FunctionInfo {
    pub(crate) fn new(function: Py<PyAny>, core: Py<ProfilerCore>, name: &str) -> Self {
        Self {
            function,
            core,
            name: name.into(),
            name_hash: hash_name(name),
            root_path: GilCell::new(RootPath::Unknown),
            last_nested: GilCell::new(None),
        }
    }

    /// What the collector has to know of: the function, the profiler, and the module in which the
    /// owner of root calls is looked for.
    ///
    /// They are borrowed pointers; null for none.
    pub(crate) fn referents(&self, py: Python<'_>) -> [*mut ffi::PyObject; 3] {
        let namespace = self.root_path.try_read(py, RootPath::namespace).flatten();
        let namespace = namespace.unwrap_or(ptr::null_mut());
        [self.function.as_ptr(), self.core.as_ptr(), namespace]
    }

    /// Drops what leads to the module, for the collector; root calls find it again.
    pub(crate) fn forget_module(&self, py: Python<'_>) {
        drop(self.root_path.replace(py, RootPath::Unknown));
    }

    /// The path of a call made where the call with path `caller` is current.
    pub(crate) fn path(
        &self,
        py: Python<'_>,
        caller: &Rc<Path>,
        paths: &GilCell<PathCache>,
    ) -> Rc<Path> {
        if caller.is_empty() { self.root_call(py, paths) } else { self.nested(py, caller, paths) }
    }

    fn root_call(&self, py: Python<'_>, paths: &GilCell<PathCache>) -> Rc<Path> {
        if let Some(path) = self.root_path.with(py, |root| root.certain()) {
            return path;
        }
        // The cell is closed meanwhile: to find the owner, Python code looks into a module's dict.
        let root = self.root_path.replace(py, RootPath::Unknown);
        let (path, root) = match root.current(py) {
            Some(path) => (path, root),
            None => registered(py, || {
                drop(root);
                owner::resolve(self.function.bind(py), &self.name, paths)
            }),
        };
        let before = self.root_path.replace(py, root);
        // A call made meanwhile, in another thread or by code that ran here, found it as well.
        if !matches!(before, RootPath::Unknown) {
            registered(py, || drop(before));
        }
        path
    }

    fn nested(&self, py: Python<'_>, caller: &Rc<Path>, paths: &GilCell<PathCache>) -> Rc<Path> {
        let last = self.last_nested.with(py, |last| match last {
            Some((caller_id, path)) if *caller_id == caller.id() => Some(Rc::clone(path)),
            _ => None,
        });
        last.unwrap_or_else(|| {
            let path = paths.with(py, |paths| paths.child(caller, &self.name, self.name_hash));
            self.last_nested.set(py, Some((caller.id(), Rc::clone(&path))));
            path
        })
    }
}
