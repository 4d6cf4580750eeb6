//! What each call has to do, worked out when the configuration changes and not on each call.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::interp::garbage::{Traverse, impl_traverse};
use crate::metric::base::Metric;
use crate::profiler::sampling::Sampling;
use crate::rabbitmq::delivery::Delivery;

/// How a handler gets records. The first three are classes of phanos of which no subclass or
/// object overrides the method in question.
pub(crate) enum HandlerKind {
    /// A `StreamHandler`: text, which the core writes to its stream.
    Stream,
    /// A `LoggerHandler` or `NamedLoggerHandler`: text, which the core logs.
    Logger,
    /// A handler with a network side, asynchronous or not: the columns as they are.
    Delivery(Py<Delivery>),
    /// Any other handler: its `handle` method gets a list of dicts.
    Python,
    /// Any other asynchronous handler: a dispatch with a list of dicts, for the event loop.
    Async,
}

pub(crate) struct HandlerEntry {
    pub(crate) handler: Py<PyAny>,
    pub(crate) kind: HandlerKind,
}

/// A metric, and how its records are taken out of it.
pub(crate) enum MetricEntry {
    /// By the core, as columns.
    Native(Py<Metric>),
    /// By `to_records` and `cleanup`, of which a user overrode one, or an attribute that they read.
    Overridden(Py<Metric>),
    /// By `to_records` and `cleanup` of an object that has no columns here.
    Foreign(Py<PyAny>),
}

impl MetricEntry {
    pub(crate) fn new(metric: Bound<'_, PyAny>, overridden: bool) -> Self {
        match metric.cast_into::<Metric>() {
            Ok(metric) if overridden => Self::Overridden(metric.unbind()),
            Ok(metric) => Self::Native(metric.unbind()),
            Err(other) => Self::Foreign(other.into_inner().unbind()),
        }
    }

    /// The metric if its columns are here.
    pub(crate) fn metric(&self) -> Option<&Py<Metric>> {
        match self {
            Self::Native(metric) | Self::Overridden(metric) => Some(metric),
            Self::Foreign(_) => None,
        }
    }
}

/// The user's hooks, adapted to be called with three positional arguments.
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
        if let Self::Delivery(delivery) = self { visit.call(delivery) } else { Ok(()) }
    }
}

impl Traverse for MetricEntry {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Native(metric) | Self::Overridden(metric) => visit.call(metric),
            Self::Foreign(metric) => visit.call(metric),
        }
    }
}

impl_traverse!(HandlerEntry { handler, kind });
impl_traverse!(Hooks { before, after, before_root, after_root });
impl_traverse!(Plan {
    profiler,
    metrics,
    handlers,
    time,
    size,
    hooks,
    sampling,
    measure_size,
    ignores
});

/// One configuration of a profiler. A new one replaces it as a whole; it never changes.
#[pyclass(module = "phanos._phanos", frozen)]
pub(crate) struct Plan {
    /// The `Profiler` itself: logs failures, runs the steps that users overrode.
    pub(crate) profiler: Py<PyAny>,
    pub(crate) metrics: Vec<MetricEntry>,
    /// Whether records may wait in a metric that the core cannot look into.
    pub(crate) has_foreign_metrics: bool,
    pub(crate) handlers: Vec<HandlerEntry>,
    /// Gets the durations of calls.
    pub(crate) time: Option<Py<Metric>>,
    /// Decimals of the milliseconds that it gets.
    pub(crate) time_decimals: u32,
    /// Gets the sizes of what root calls return.
    pub(crate) size: Option<Py<Metric>>,
    pub(crate) hooks: Hooks,
    /// With so many records waiting, a nested call that ends hands over, too.
    pub(crate) flush_threshold: usize,
    /// So many records may wait while there is no handler.
    pub(crate) max_unhandled: usize,
    /// A user overrode a step of the call: `profile_ext` runs the calls, step by step.
    pub(crate) overridden: bool,
    /// Which trees are recorded, if not all are.
    pub(crate) sampling: Option<Sampling>,
    /// Returns the size of what it is given, or None; nothing here: `sys.getsizeof`.
    pub(crate) measure_size: Option<Py<PyAny>>,
    /// Tells whether the exception that is being handled is no error; nothing here: none is.
    pub(crate) ignores: Option<Py<PyAny>>,
    /// Neither is a step overridden nor are trees left out: one flag for what nearly all calls ask.
    pub(crate) is_usual: bool,
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (
        profiler, *, metrics, handlers, time, size, hooks, flush_threshold, max_unhandled,
        overridden, sampling=None, time_decimals=2, measure_size=None,
        ignores=None
    ))]
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    fn new(
        profiler: Py<PyAny>,
        metrics: Vec<(Bound<'_, PyAny>, bool)>,
        handlers: Vec<(Py<PyAny>, String, Option<Py<Delivery>>)>,
        time: Option<Py<Metric>>,
        size: Option<Py<Metric>>,
        hooks: (Option<Py<PyAny>>, Option<Py<PyAny>>, Option<Py<PyAny>>, Option<Py<PyAny>>),
        flush_threshold: usize,
        max_unhandled: usize,
        overridden: bool,
        sampling: Option<(f64, Py<Self>, bool)>,
        time_decimals: u32,
        measure_size: Option<Py<PyAny>>,
        ignores: Option<Py<PyAny>>,
    ) -> Self {
        let (before, after, before_root, after_root) = hooks;
        let metrics: Vec<_> = metrics
            .into_iter()
            .map(|(metric, overridden)| MetricEntry::new(metric, overridden))
            .collect();
        Self {
            profiler,
            has_foreign_metrics: metrics.iter().any(|entry| entry.metric().is_none()),
            metrics,
            handlers: handlers
                .into_iter()
                .map(|(handler, kind, delivery)| HandlerEntry {
                    handler,
                    kind: match (kind.as_str(), delivery) {
                        ("delivery", Some(delivery)) => HandlerKind::Delivery(delivery),
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
            time_decimals,
            measure_size,
            ignores,
            is_usual: !overridden && sampling.is_none(),
            sampling: sampling
                .filter(|_| !overridden)
                .map(|(rate, silent, keeps_paths)| Sampling::new(rate, silent, keeps_paths)),
        }
    }

    // No `__clear__`: a plan is immutable, and every reference cycle through one also goes
    // through the core that holds it, whose `__clear__` drops the plan.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(&visit)
    }
}
