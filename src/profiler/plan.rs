//! What to do per call, worked out when the configuration changes and not on each call.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::interp::garbage::{Traverse, impl_traverse};
use crate::metric::base::Metric;
use crate::rabbitmq::delivery::Delivery;

/// How a handler is served.
pub(crate) enum HandlerKind {
    /// A `StreamHandler` that nobody overrode: text written by the core.
    Stream,
    /// A `LoggerHandler` or `NamedLoggerHandler` that nobody overrode.
    Logger,
    /// A handler for RabbitMQ that nobody overrode, asynchronous or not: rows as they are.
    RabbitMq(Py<Delivery>),
    /// Anything with a `handle` method: gets lists of dicts.
    Python,
    /// The same with a coroutine.
    Async,
}

pub(crate) struct HandlerEntry {
    pub(crate) handler: Py<PyAny>,
    pub(crate) kind: HandlerKind,
}

pub(crate) struct MetricEntry {
    pub(crate) metric: Py<Metric>,
    /// `to_records` or `cleanup` (or an attribute they read) is the user's own.
    pub(crate) overridden: bool,
}

/// Hooks, adapted to be called with three positional arguments.
pub(crate) struct Hooks {
    pub(crate) before: Option<Py<PyAny>>,
    pub(crate) after: Option<Py<PyAny>>,
    pub(crate) before_root: Option<Py<PyAny>>,
    pub(crate) after_root: Option<Py<PyAny>>,
}

impl Hooks {
    pub(crate) fn any(&self) -> bool {
        self.before.is_some()
            || self.after.is_some()
            || self.before_root.is_some()
            || self.after_root.is_some()
    }
}

impl Traverse for HandlerKind {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Self::RabbitMq(delivery) = self { visit.call(delivery) } else { Ok(()) }
    }
}

impl_traverse!(HandlerEntry { handler, kind });
impl_traverse!(MetricEntry { metric });
impl_traverse!(Hooks { before, after, before_root, after_root });
impl_traverse!(Plan { profiler, metrics, handlers, time, size, hooks });

/// One configuration of a profiler; never changed, replaced as a whole.
#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct Plan {
    /// The `Profiler` itself: reports failures, runs what users overrode.
    pub(crate) profiler: Py<PyAny>,
    pub(crate) metrics: Vec<MetricEntry>,
    pub(crate) handlers: Vec<HandlerEntry>,
    pub(crate) time: Option<Py<Metric>>,
    pub(crate) size: Option<Py<Metric>>,
    pub(crate) hooks: Hooks,
    /// Records that may wait before a nested call hands over.
    pub(crate) flush_threshold: usize,
    /// Records that may wait while there is no handler.
    pub(crate) max_unhandled: usize,
    /// A step of the call is the user's own: `profile_ext` runs the call, step by step.
    pub(crate) overridden: bool,
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (
        profiler, *, metrics, handlers, time, size, hooks, flush_threshold, max_unhandled, overridden
    ))]
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    fn new(
        profiler: Py<PyAny>,
        metrics: Vec<(Py<Metric>, bool)>,
        handlers: Vec<(Py<PyAny>, String, Option<Py<Delivery>>)>,
        time: Option<Py<Metric>>,
        size: Option<Py<Metric>>,
        hooks: (Option<Py<PyAny>>, Option<Py<PyAny>>, Option<Py<PyAny>>, Option<Py<PyAny>>),
        flush_threshold: usize,
        max_unhandled: usize,
        overridden: bool,
    ) -> Self {
        let (before, after, before_root, after_root) = hooks;
        Self {
            profiler,
            metrics: metrics
                .into_iter()
                .map(|(metric, overridden)| MetricEntry { metric, overridden })
                .collect(),
            handlers: handlers
                .into_iter()
                .map(|(handler, kind, delivery)| HandlerEntry {
                    handler,
                    kind: match (kind.as_str(), delivery) {
                        ("rabbitmq", Some(delivery)) => HandlerKind::RabbitMq(delivery),
                        ("stream", _) => HandlerKind::Stream,
                        ("logger", _) => HandlerKind::Logger,
                        ("async", _) => HandlerKind::Async,
                        _ => HandlerKind::Python,
                    },
                })
                .collect(),
            time,
            size,
            hooks: Hooks { before, after, before_root, after_root },
            flush_threshold,
            max_unhandled,
            overridden,
        }
    }

    // No `__clear__`: a plan is immutable, and every cycle through one also goes through
    // the core that holds it, which can let go.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }
}
