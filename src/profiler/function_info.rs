//! What a decorated function keeps for its calls: its name, its profiler, and their paths.

use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use pyo3::ffi;
use pyo3::prelude::*;

use phanos_core::path::Path;
use phanos_core::path_cache::hash_name;

use crate::interp::entry::registered;
use crate::interp::gil_cell::{GilCell, GilValue};
use crate::profiler::class_names::ClassNames;
use crate::profiler::core::ProfilerCore;
use crate::tree::call_tree::CallTree;
use crate::tree::owner::{self, RootPath};
use crate::tree::qualified;

/// The wrapped function with what its calls need.
pub(crate) struct FunctionInfo {
    pub(crate) function: Py<PyAny>,
    pub(crate) core: Py<ProfilerCore>,
    /// The last part of the path of each call.
    pub(crate) name: Arc<str>,
    name_hash: u64,
    /// The name was chosen for it: it is the same among qualified ones.
    is_chosen: bool,
    /// Its qualified name and the hash of that, once a path was made with it.
    qualified: GilCell<Option<(Arc<str>, u64)>>,
    /// The naming by which `root_path` was found: `CallTree::naming_revision`.
    root_naming: GilValue<u32>,
    root_path: GilCell<RootPath>,
    /// Where a method is named by the classes of its objects.
    class_names: ClassNames,
    /// The path of the last nested call, and the id of its caller's path.
    last_nested: GilCell<Option<(u64, Rc<Path>)>>,
}

impl FunctionInfo {
    pub(crate) fn new(
        function: Py<PyAny>,
        core: Py<ProfilerCore>,
        name: &str,
        is_chosen: bool,
    ) -> Self {
        Self {
            function,
            core,
            name: name.into(),
            name_hash: hash_name(name),
            is_chosen,
            qualified: GilCell::new(None),
            root_naming: GilValue::new(0),
            root_path: GilCell::new(RootPath::Unknown),
            class_names: ClassNames::default(),
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

    /// The path of a call made where the call with path `caller` is current. `object` gives its
    /// first argument, and is asked where no path is known at once: where methods are named by the
    /// classes of their objects none ever is.
    #[inline]
    pub(crate) fn path<'py>(
        &self,
        py: Python<'py>,
        caller: &Rc<Path>,
        tree: &CallTree,
        object: impl FnOnce() -> Option<Bound<'py, PyAny>>,
    ) -> Rc<Path> {
        if caller.is_empty() {
            self.root_call(py, caller, tree, object)
        } else {
            self.nested(py, caller, tree, object)
        }
    }

    #[inline]
    fn root_call<'py>(
        &self,
        py: Python<'py>,
        caller: &Rc<Path>,
        tree: &CallTree,
        object: impl FnOnce() -> Option<Bound<'py, PyAny>>,
    ) -> Rc<Path> {
        let revision = tree.naming_revision.get(py);
        if self.root_naming.get(py) == revision
            && let Some(path) = self.root_path.with(py, |root| root.certain())
        {
            return path;
        }
        self.find_root_path(py, caller, tree, revision, object())
    }

    #[cold]
    fn find_root_path(
        &self,
        py: Python<'_>,
        caller: &Rc<Path>,
        tree: &CallTree,
        revision: u32,
        object: Option<Bound<'_, PyAny>>,
    ) -> Rc<Path> {
        if self.root_naming.get(py) != revision {
            let before = self.root_path.replace(py, RootPath::Unknown);
            registered(py, || drop(before));
            self.root_naming.set(py, revision);
        }
        let paths = &tree.paths;
        if let Some(path) = self.path_by_class(py, caller, tree, object) {
            return path;
        }
        if paths.with(py, |paths| paths.naming().qualified) {
            let (name, _) = self.qualified_name(py);
            let path = paths.with(py, |paths| paths.root(&name));
            let root = RootPath::Certain(Rc::clone(&path));
            let before = self.root_path.replace(py, root);
            registered(py, || drop(before));
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

    #[inline]
    fn nested<'py>(
        &self,
        py: Python<'py>,
        caller: &Rc<Path>,
        tree: &CallTree,
        object: impl FnOnce() -> Option<Bound<'py, PyAny>>,
    ) -> Rc<Path> {
        let last = self.last_nested.with(py, |last| match last {
            Some((caller_id, path)) if *caller_id == caller.id() => Some(Rc::clone(path)),
            _ => None,
        });
        last.unwrap_or_else(|| self.find_nested(py, caller, tree, object()))
    }

    #[inline(never)]
    fn find_nested(
        &self,
        py: Python<'_>,
        caller: &Rc<Path>,
        tree: &CallTree,
        object: Option<Bound<'_, PyAny>>,
    ) -> Rc<Path> {
        if let Some(path) = self.path_by_class(py, caller, tree, object) {
            return path;
        }
        let (name, hash) = if tree.paths.with(py, |paths| paths.naming().qualified) {
            self.qualified_name(py)
        } else {
            (Arc::clone(&self.name), self.name_hash)
        };
        let path = tree.paths.with(py, |paths| paths.child(caller, &name, hash));
        self.last_nested.set(py, Some((caller.id(), Rc::clone(&path))));
        path
    }

    /// The path of a call on `object` where methods are named by the classes of their objects.
    fn path_by_class(
        &self,
        py: Python<'_>,
        caller: &Rc<Path>,
        tree: &CallTree,
        object: Option<Bound<'_, PyAny>>,
    ) -> Option<Rc<Path>> {
        if self.is_chosen || !tree.paths.with(py, |paths| paths.naming().by_class) {
            return None;
        }
        let (function, object) = (self.function.bind(py), object?);
        let otherwise = || self.qualified_name(py);
        self.class_names.path(py, function, &object, caller, tree, otherwise)
    }

    /// The name with its class, worked out once, and its hash.
    fn qualified_name(&self, py: Python<'_>) -> (Arc<str>, u64) {
        let known = self.qualified.with(py, |known| known.clone());
        known.unwrap_or_else(|| {
            // Python code says it, and may call decorated functions.
            let found = if self.is_chosen {
                None
            } else {
                registered(py, || qualified::name_of(self.function.bind(py)))
            };
            let name = found.map_or_else(|| Arc::clone(&self.name), Arc::from);
            let hash = hash_name(&name);
            self.qualified.set(py, Some((Arc::clone(&name), hash)));
            (name, hash)
        })
    }
}
