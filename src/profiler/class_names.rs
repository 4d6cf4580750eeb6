//! Names of a method by the classes of the objects that it is called on.

use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyType, PyWeakrefMethods, PyWeakrefReference};

use phanos_core::path::Path;
use phanos_core::path_cache::hash_name;

use crate::interp::entry::registered;
use crate::interp::gil_cell::GilCell;
use crate::tree::call_tree::CallTree;
use crate::tree::qualified;

/// A method has names by so many living classes; on others it has that of the defining class.
const MOST_CLASSES: usize = 64;

/// What one decorated function is called on objects of several classes.
#[derive(Default)]
pub(crate) struct ClassNames {
    known: GilCell<Known>,
}

#[derive(Default)]
struct Known {
    /// The naming by which all this was found: `CallTree::naming_revision`.
    revision: u32,
    /// It was found that the function is no method.
    is_no_method: bool,
    classes: Vec<OneClass>,
}

struct OneClass {
    /// Classes are compared by their address, while `class` lives: it is not kept alive.
    address: usize,
    class: Py<PyWeakrefReference>,
    name: Arc<str>,
    hash: u64,
    /// The path of the last call on an object of it, and the id of its caller's path.
    last: Option<(u64, Rc<Path>)>,
}

enum Found {
    Path(Rc<Path>),
    /// The path has still to be looked up by this name.
    Name(Arc<str>, u64),
    NoMethod,
    Nothing,
}

impl ClassNames {
    /// The path of a call of `function` on `object` below `caller`; `None` if `function` is no method,
    /// now or ever. Where there are too many classes `otherwise` gives the name and its hash.
    ///
    /// An object that is a class itself is what a class method is called on.
    pub(crate) fn path(
        &self,
        py: Python<'_>,
        function: &Bound<'_, PyAny>,
        object: &Bound<'_, PyAny>,
        caller: &Rc<Path>,
        tree: &CallTree,
        otherwise: impl FnOnce() -> (Arc<str>, u64),
    ) -> Option<Rc<Path>> {
        let class = match object.cast::<PyType>() {
            Ok(class) => class.clone(),
            Err(_) => object.get_type(),
        };
        let (name, hash) = match self.find(py, &class, caller, tree) {
            Found::Path(path) => return Some(path),
            Found::NoMethod => return None,
            Found::Name(name, hash) => (name, hash),
            Found::Nothing if self.is_full(py) => otherwise(),
            Found::Nothing => registered(py, || self.add(py, function, &class))?,
        };
        let path = tree.paths.with(py, |paths| {
            if caller.is_empty() { paths.root(&name) } else { paths.child(caller, &name, hash) }
        });
        self.known.with(py, |known| {
            if let Some(one) = known.one(py, &class) {
                one.last = Some((caller.id(), Rc::clone(&path)));
            }
        });
        Some(path)
    }

    fn find(
        &self,
        py: Python<'_>,
        class: &Bound<'_, PyType>,
        caller: &Rc<Path>,
        tree: &CallTree,
    ) -> Found {
        let revision = tree.naming_revision.get(py);
        if self.known.with(py, |known| known.revision != revision) {
            let before = self.known.replace(py, Known { revision, ..Known::default() });
            registered(py, || drop(before));
        }
        self.known.with(py, |known| {
            if known.is_no_method {
                return Found::NoMethod;
            }
            match known.one(py, class) {
                None => Found::Nothing,
                Some(one) => match &one.last {
                    Some((id, path)) if *id == caller.id() => Found::Path(Rc::clone(path)),
                    _ => Found::Name(Arc::clone(&one.name), one.hash),
                },
            }
        })
    }

    /// Works the name out, which Python code says.
    fn add(
        &self,
        py: Python<'_>,
        function: &Bound<'_, PyAny>,
        class: &Bound<'_, PyType>,
    ) -> Option<(Arc<str>, u64)> {
        let Some(name) = qualified::name_on(function, class) else {
            self.known.with(py, |known| known.is_no_method = true);
            return None;
        };
        let (name, hash): (Arc<str>, u64) = (name.as_str().into(), hash_name(&name));
        if let Ok(reference) = PyWeakrefReference::new(class) {
            let (address, class) = (class.as_ptr() as usize, reference.unbind());
            let one = OneClass { address, class, name: Arc::clone(&name), hash, last: None };
            self.known.with(py, |known| known.classes.push(one));
        }
        Some((name, hash))
    }

    /// True if there are too many living classes; dead ones are forgotten.
    fn is_full(&self, py: Python<'_>) -> bool {
        let mut gone = Vec::new();
        let count = self.known.with(py, |known| {
            if known.classes.len() >= MOST_CLASSES {
                (known.classes, gone) = mem::take(&mut known.classes)
                    .into_iter()
                    .partition(|one| one.class.bind(py).upgrade().is_some());
            }
            known.classes.len()
        });
        if !gone.is_empty() {
            registered(py, || drop(gone));
        }
        count >= MOST_CLASSES
    }
}

impl Known {
    fn one(&mut self, py: Python<'_>, class: &Bound<'_, PyType>) -> Option<&mut OneClass> {
        let address = class.as_ptr() as usize;
        self.classes
            .iter_mut()
            .find(|one| one.address == address && one.class.bind(py).upgrade().is_some())
    }
}
