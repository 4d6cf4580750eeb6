//! Attributes of modules that the program has imported.

use pyo3::prelude::*;

use crate::interp::once::intern;

/// Attribute `name` of `module`; `None` if the module is not imported.
///
/// No object can be an instance of a class whose module is not imported, and an import in the
/// middle of a profiled call could block.
pub(crate) fn attribute<'py>(
    py: Python<'py>,
    module: &str,
    name: &str,
) -> Option<Bound<'py, PyAny>> {
    let modules = py.import(intern!(py, "sys")).ok()?.getattr(intern!(py, "modules")).ok()?;
    modules.get_item(module).ok()?.getattr(name).ok()
}
