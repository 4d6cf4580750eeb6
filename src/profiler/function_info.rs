//! What is known of a decorated function: its name, its profiler, the paths of its calls.

use std::rc::Rc;
use std::sync::Arc;

use pyo3::prelude::*;

use phanos_core::path::{Path, PathCache};

use crate::interp::gil_cell::GilCell;
use crate::profiler::core::ProfilerCore;
use crate::tree::owner::{self, RootPath};

/// What is known of a decorated function.
pub(crate) struct FunctionInfo {
    pub(crate) function: Py<PyAny>,
    pub(crate) core: Py<ProfilerCore>,
    pub(crate) name: Arc<str>,
    pub(crate) hash: u64,
    pub(crate) root: GilCell<RootPath>,
    /// The last path used under another call, and the identity of its parent.
    pub(crate) recent: GilCell<Option<(u64, Rc<Path>)>>,
}

impl FunctionInfo {
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
