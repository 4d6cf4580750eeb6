//! Metric operations such as `observe` and `inc`: checks of what they are given, then a record.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::interp::panics::{contained, point};
use crate::metric::base::Metric;
use crate::metric::label_check::check_labels;
use crate::metric::log::log_rate_limited;
use crate::metric::record_method::RecordMethod;
use crate::metric::value_check::{OperationKind, check_value};
use crate::tree::call_tree::CallTree;
use crate::tree::node::Node;

/// The node of an operation that is given none: the current one of the profiler that the metric
/// was added to, or else of the default profiler.
pub(crate) fn current_node<'py>(metric: &Bound<'py, Metric>) -> PyResult<Bound<'py, Node>> {
    let py = metric.py();
    match metric.get().owner(py) {
        Some(tree) => tree.get().current(py),
        None => match CallTree::default_tree(py) {
            Some(tree) => tree.get().current(py),
            None => Node::new_root(py),
        },
    }
}

/// Stores a record of an operation. If value or labels are wrong, it logs that and stores nothing.
///
/// `node` may also be the labels, as in `observe(value, labels)`.
///
/// Errors: `TypeError` if `node` is no node although there are `labels`; what the value's own
/// methods raise.
pub(crate) fn store(
    metric: &Bound<'_, Metric>,
    kind: OperationKind,
    value: &Bound<'_, PyAny>,
    node: Option<Bound<'_, PyAny>>,
    labels: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let store = || check_and_store(metric, kind, value, node, labels);
    contained(metric.py(), "an operation of a metric", store).unwrap_or(Ok(()))
}

fn check_and_store(
    metric: &Bound<'_, Metric>,
    kind: OperationKind,
    value: &Bound<'_, PyAny>,
    node: Option<Bound<'_, PyAny>>,
    labels: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    point("operation");
    let py = metric.py();
    let operation = kind.name();
    let defaults = metric.get().defaults.current(py);
    let (node, labels) = match node {
        Some(node) if node.is_none() => (None, labels),
        Some(node) => match node.cast_into::<Node>() {
            Ok(node) => (Some(node), labels),
            Err(other) if labels.is_none() => (None, Some(other.into_inner())),
            Err(other) => {
                return Err(PyTypeError::new_err(format!(
                    "operation '{operation}' expects a MethodTreeNode as current_node, got {}",
                    other.into_inner().repr()?
                )));
            }
        },
        None => (None, labels),
    };
    let labels = labels.or_else(|| defaults.labels.map(|labels| labels.into_bound(py)));
    let Some(labels) = check_labels(metric, labels, operation)? else {
        return Ok(());
    };
    let value = match check_value(metric, kind, value)? {
        Ok(value) => value,
        Err(why) => {
            return log_rate_limited(metric, &format!("value of {operation}"), &why);
        }
    };
    let method = match (node, defaults.method) {
        (Some(node), _) => RecordMethod::Path(node.get().path(py)),
        (None, Some(method)) => RecordMethod::Object(method),
        (None, None) => RecordMethod::Path(current_node(metric)?.get().path(py)),
    };
    let waiting = metric.get().push(py, value, labels, method);
    if waiting == NEVER_ADDED && metric.get().owner(py).is_none() {
        return log_rate_limited(metric, "never added", WAITS_FOR_PROFILER);
    }
    Ok(())
}

/// So many records wait in a metric that no profiler has when the log says so.
const NEVER_ADDED: usize = 100;
const WAITS_FOR_PROFILER: &str =
    "has 100 records that nobody takes: it belongs to no profiler, see Profiler.add_metric";
