//! From a metric's columns to each handler: as text, as they are, or as dicts.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyIterator, PyList, PyString};

use phanos_core::lines::Lines;

use crate::convert::log_line::{Level, is_enabled, write_log_line};
use crate::convert::settled;
use crate::convert::text::{class_name, text_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::exceptions::swallow;
use crate::interp::once::intern;
use crate::interp::panics::{contained, point};
use crate::interp::user_code;
use crate::metric::base::Metric;
use crate::metric::columns::{Columns, rows};
use crate::metric::log::log_rate_limited;
use crate::metric::record_line::{add_line, dict_to_line};
use crate::profiler::core::ProfilerCore;
use crate::profiler::plan::{HandlerEntry, HandlerKind, MetricEntry, Plan};
use crate::profiler::report::log_failure;
use crate::rabbitmq::delivery::Delivery;
use crate::tree::node::Node;

/// What a hand-over leaves to its caller.
///
/// It is returned in a box, or not at all: by value its eight words would be copied three times
/// per call (15 ns), and nearly always they hold nothing.
#[derive(Default)]
pub(crate) struct Outcome<'py> {
    /// `(handler, records, name)` for each asynchronous handler and metric.
    pub(crate) dispatches: Option<Bound<'py, PyList>>,
    /// The first exception of a handler or an override that is not an `Exception`.
    pub(crate) to_raise: Option<PyErr>,
}

impl Outcome<'_> {
    fn keep_first(&mut self, to_raise: Option<PyErr>) {
        if self.to_raise.is_none() {
            self.to_raise = to_raise;
        }
    }
}

/// The records of one metric, taken out of it, in the forms that handlers asked for so far.
struct Batch<'a, 'py> {
    name: Bound<'py, PyAny>,
    rows: Rows<'a, 'py>,
    dicts: Option<Bound<'py, PyAny>>,
    /// For loggers.
    text: Option<Bound<'py, PyString>>,
    /// For streams: the same with a line break at the end.
    lines: Option<Bound<'py, PyString>>,
}

enum Rows<'a, 'py> {
    Columns(&'a Py<Metric>, Columns),
    /// From a `to_records` of users' own.
    Dicts(Bound<'py, PyAny>),
}

/// Takes all waiting records of `metrics`, then gives each metric's records to each handler of
/// the plan. `node` is the current one: it is above the profiled calls that handlers make.
pub(crate) fn hand_over<'py>(
    py: Python<'py>,
    core: &ProfilerCore,
    plan: &Plan,
    metrics: &[MetricEntry],
    node: &Bound<'py, Node>,
) -> Outcome<'py> {
    let mut outcome = Outcome::default();
    if plan.handlers.is_empty() {
        drop_excess(py, core, plan, &mut outcome);
        return outcome;
    }
    core.handing_over(py, node, || {
        let mut batches = Vec::with_capacity(metrics.len());
        for entry in metrics {
            let take = || {
                point("take");
                take_batch(py, plan, entry, &mut outcome)
            };
            batches.extend(contained(py, "records taken out of a metric", take).flatten());
        }
        for mut batch in batches {
            for entry in &plan.handlers {
                let give = || {
                    point("give");
                    give_to_handler(py, entry, &mut batch, &mut outcome)
                };
                let given = contained(py, "records handed to a handler", give);
                if let Some(Err(error)) = given {
                    let what = format!("handler '{}'", handler_name(entry.handler.bind(py)));
                    outcome.keep_first(log_failure(py, plan, &what, error));
                }
            }
            if let Rows::Columns(metric, columns) = batch.rows {
                metric.get().recycle(py, columns);
            }
        }
    });
    outcome
}

fn handler_name(handler: &Bound<'_, PyAny>) -> String {
    handler
        .getattr(intern!(handler.py(), "handler_name"))
        .map_or_else(|_| "?".into(), |name| text_of(&name))
}

/// Without a handler, records wait for the next one; beyond the limit the oldest are dropped.
fn drop_excess(py: Python<'_>, core: &ProfilerCore, plan: &Plan, outcome: &mut Outcome<'_>) {
    if core.tree.get().waiting(py) <= plan.max_unhandled {
        return;
    }
    let share = plan.max_unhandled / plan.metrics.len().max(1);
    let metrics = plan.metrics.iter().filter_map(MetricEntry::metric);
    let dropped: usize = metrics.map(|metric| metric.get().drop_oldest(py, share)).sum();
    if dropped > 0 {
        let (profiler, dropped) = (plan.profiler.bind(py), PyInt::new(py, dropped));
        let name = intern!(py, "_report_dropped");
        let logged = user_code::call_method(profiler, name, &[&dropped]);
        outcome.keep_first(swallow(py, logged).err());
    }
}

/// Takes the records out of a metric. `None` if there is nothing to hand over.
fn take_batch<'a, 'py>(
    py: Python<'py>,
    plan: &Plan,
    entry: &'a MetricEntry,
    outcome: &mut Outcome<'py>,
) -> Option<Batch<'a, 'py>> {
    match entry {
        MetricEntry::Native(metric) => {
            if metric.get().waiting(py) == 0 {
                return None;
            }
            let name = name_of(py, plan, metric, outcome)?;
            Some(Batch::new(name, stored_rows(py, metric, outcome)?))
        }
        MetricEntry::Overridden(metric) => {
            let name = name_of(py, plan, metric, outcome)?;
            let rows = overridden_rows(py, plan, metric, &name, outcome)?;
            Some(Batch::new(name, rows))
        }
        MetricEntry::Foreign(metric) => {
            let (name, rows) = foreign_rows(plan, metric.bind(py), outcome)?;
            Some(Batch::new(name, rows))
        }
    }
}

#[inline]
fn name_of<'py>(
    py: Python<'py>,
    plan: &Plan,
    metric: &Py<Metric>,
    outcome: &mut Outcome<'py>,
) -> Option<Bound<'py, PyAny>> {
    match metric.get().name(py) {
        Ok(name) => Some(name.into_bound(py)),
        Err(error) => {
            outcome.keep_first(log_failure(py, plan, "metric without a name", error));
            None
        }
    }
}

#[inline]
fn stored_rows<'a, 'py>(
    py: Python<'py>,
    metric: &'a Py<Metric>,
    outcome: &mut Outcome<'py>,
) -> Option<Rows<'a, 'py>> {
    let columns = metric.get().take(py);
    if !columns.is_even() {
        let logged = log_rate_limited(
            metric.bind(py),
            "incomplete",
            "values, label_values and method differ in length; only complete records go out",
        );
        outcome.keep_first(logged.err());
    }
    (columns.complete() > 0).then_some(Rows::Columns(metric, columns))
}

fn overridden_rows<'a, 'py>(
    py: Python<'py>,
    plan: &Plan,
    metric: &'a Py<Metric>,
    name: &Bound<'py, PyAny>,
    outcome: &mut Outcome<'py>,
) -> Option<Rows<'a, 'py>> {
    let bound = metric.bind(py);
    let name = text_of(name);
    metric.get().checkout(py);
    let returned = user_code::call_method(bound, intern!(py, "to_records"), &[]);
    let rows = match returned.and_then(|returned| as_records(bound, &returned)) {
        Ok(Some(records)) => (!records.is_empty()).then_some(Rows::Dicts(records.into_any())),
        failed => {
            if let Err(error) = failed {
                outcome.keep_first(log_failure(
                    py,
                    plan,
                    &format!("to_records of metric '{name}'"),
                    error,
                ));
            }
            // The user's conversion failed; the records themselves are still there.
            let columns = metric.get().take(py);
            (columns.complete() > 0).then_some(Rows::Columns(metric, columns))
        }
    };
    if let Err(error) = user_code::call_method(bound, intern!(py, "cleanup"), &[]) {
        outcome.keep_first(log_failure(py, plan, &format!("cleanup of metric '{name}'"), error));
        drop(metric.get().take(py));
    }
    // Records that the user's `cleanup` kept wait again.
    metric.get().restore(py);
    rows
}

/// The name and the records of a metric that is none of this package, such as a mock.
fn foreign_rows<'py>(
    plan: &Plan,
    metric: &Bound<'py, PyAny>,
    outcome: &mut Outcome<'py>,
) -> Option<(Bound<'py, PyAny>, Rows<'static, 'py>)> {
    let py = metric.py();
    let called = user_code::call_method(metric, intern!(py, "to_records"), &[]);
    // What is neither nothing nor an iterator is given on as it is.
    let records = called.and_then(|returned| {
        if returned.cast::<PyIterator>().is_err() {
            return Ok(returned.is_truthy()?.then_some(returned));
        }
        let records = returned.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let list = PyList::new(py, records)?;
        Ok((!list.is_empty()).then_some(list.into_any()))
    });
    let cleaned = user_code::call_method(metric, intern!(py, "cleanup"), &[]);
    let name = metric.getattr(intern!(py, "name"));
    let shown = name.as_ref().map_or_else(|_| "?".into(), text_of);
    let mut failed = |what: &str, error: PyErr| {
        let what = format!("{what} of metric '{shown}'");
        outcome.keep_first(log_failure(py, plan, &what, error));
    };
    if let Err(error) = cleaned {
        failed("cleanup", error);
    }
    let records = records.map_err(|error| failed("to_records", error)).ok()??;
    let name = name.map_err(|error| failed("name", error)).ok()?;
    Some((name, Rows::Dicts(records)))
}

/// What an overridden `to_records` returned, as a list; `None`, and a line in the log, if it is
/// no iterable of records.
///
/// Errors: what iterating raises.
fn as_records<'py>(
    metric: &Bound<'py, Metric>,
    returned: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    if let Ok(records) = returned.cast::<PyList>() {
        return Ok(Some(records.clone()));
    }
    // Iterating one of these yields characters, numbers or keys.
    let is_no_list_of_records = returned.is_instance_of::<PyString>()
        || returned.is_instance_of::<PyBytes>()
        || returned.is_instance_of::<PyDict>();
    match returned.try_iter() {
        Ok(records) if !is_no_list_of_records => {
            let list = PyList::empty(returned.py());
            for record in records {
                list.append(record?)?;
            }
            Ok(Some(list))
        }
        _ => {
            let shown = returned.repr().map(|text| text.to_string()).unwrap_or_default();
            let message = format!(
                "expects an iterable of records from its to_records, got {shown} of type {}; \
                 its records go out as they are stored",
                class_name(returned)
            );
            log_rate_limited(metric, "to_records", &message)?;
            Ok(None)
        }
    }
}

fn give_to_handler<'py>(
    py: Python<'py>,
    entry: &HandlerEntry,
    batch: &mut Batch<'_, 'py>,
    outcome: &mut Outcome<'py>,
) -> PyResult<()> {
    let handler = entry.handler.bind(py);
    match &entry.kind {
        HandlerKind::Delivery(delivery) => push_to_delivery(py, handler, delivery.get(), batch),
        HandlerKind::Stream => {
            let output = handler.getattr(intern!(py, "output"))?;
            // A process may have no standard output, or get it later.
            let output = if output.is_none() { standard_output(py)? } else { Some(output) };
            output.map_or(Ok(()), |output| write(&output, batch.text(py, true)?))
        }
        HandlerKind::Logger => {
            let logger = handler.getattr(intern!(py, "logger"))?;
            let level = handler.getattr(intern!(py, "level"))?;
            if is_enabled(&logger, &level)? {
                let text = batch.text(py, false)?;
                user_code::call_method(&logger, intern!(py, "log"), &[&level, &text])?;
            }
            Ok(())
        }
        HandlerKind::Python => {
            let records = batch.dicts(py)?;
            user_code::call_method(handler, intern!(py, "handle"), &[&records, &batch.name])?;
            Ok(())
        }
        HandlerKind::Async => {
            let records = batch.dicts(py)?;
            let dispatches = outcome.dispatches.get_or_insert_with(|| PyList::empty(py));
            dispatches.append((handler, records, &batch.name))
        }
    }
}

/// Puts the records into the buffer of a handler with a network side.
fn push_to_delivery<'py>(
    py: Python<'py>,
    handler: &Bound<'py, PyAny>,
    delivery: &Delivery,
    batch: &mut Batch<'_, 'py>,
) -> PyResult<()> {
    let Rows::Columns(metric, columns) = &batch.rows else {
        // As its `handle` does with dicts, which does not wait either.
        let records = batch.dicts(py)?;
        user_code::call_method(handler, intern!(py, "_enqueue"), &[&records, &batch.name])?;
        return Ok(());
    };
    let mut unserializable = UnserializableKinds::default();
    let pushed = delivery.push_columns(py, metric.get(), columns, &mut unserializable)?;
    settled::take_kinds(py, &mut unserializable);
    if !unserializable.is_empty() {
        unserializable.log(py, Some(&handler.getattr(intern!(py, "logger"))?))?;
    }
    if pushed.has_failed_calls {
        let logger = handler.getattr(intern!(py, "logger"))?;
        if is_enabled(&logger, &PyInt::new(py, Level::Debug as u8))? {
            write_log_line(&logger, Level::Debug, &batch.text(py, false)?)?;
        }
    }
    if pushed.has_log_lines {
        user_code::call_method(handler, intern!(py, "_write_log_lines"), &[])?;
    }
    Ok(())
}

/// `sys.stdout` as it is now; `None` in a process without one.
fn standard_output(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let output = py.import(intern!(py, "sys"))?.getattr_opt(intern!(py, "stdout"))?;
    Ok(output.filter(|output| !output.is_none()))
}

/// Writes the lines in one call, so that those of several threads do not mix, and flushes.
fn write(output: &Bound<'_, PyAny>, lines: Bound<'_, PyString>) -> PyResult<()> {
    let py = output.py();
    user_code::call_method(output, intern!(py, "write"), &[&lines])?;
    if let Some(flush) = output.getattr_opt(intern!(py, "flush"))? {
        user_code::call(&flush, &[])?;
    }
    Ok(())
}

impl<'a, 'py> Batch<'a, 'py> {
    #[inline]
    fn new(name: Bound<'py, PyAny>, rows: Rows<'a, 'py>) -> Self {
        Self { name, rows, dicts: None, text: None, lines: None }
    }

    fn dicts(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(dicts) = &self.dicts {
            return Ok(dicts.clone());
        }
        let dicts = match &self.rows {
            Rows::Columns(metric, columns) => metric.get().record_dicts(py, columns)?.into_any(),
            Rows::Dicts(records) => records.clone(),
        };
        Ok(self.dicts.insert(dicts).clone())
    }

    /// The records as text, with a line break at the end for a stream.
    fn text(&mut self, py: Python<'py>, for_stream: bool) -> PyResult<Bound<'py, PyString>> {
        let cached = if for_stream { &self.lines } else { &self.text };
        if let Some(text) = cached {
            return Ok(text.clone());
        }
        let mut text = match &self.rows {
            Rows::Columns(metric, columns) => {
                // As text every value can be written: no kind is unserializable.
                let metric =
                    metric.get().metadata.encoded(py, &mut UnserializableKinds::default())?;
                let mut lines = Lines::new(&metric, columns.len());
                for (value, labels, method) in rows(columns) {
                    add_line(py, &mut lines, value, labels, method);
                }
                lines.text
            }
            Rows::Dicts(records) => records_to_str(&text_of(&self.name), records)?,
        };
        if for_stream {
            text.push('\n');
        }
        let text = PyString::new(py, &text);
        let cached = if for_stream { &mut self.lines } else { &mut self.text };
        Ok(cached.insert(text).clone())
    }
}

/// The text form of records that are dicts, one line each.
///
/// Errors: `KeyError` if a record lacks a key.
#[pyfunction]
pub(crate) fn records_to_str(name: &str, records: &Bound<'_, PyAny>) -> PyResult<String> {
    let mut out = String::new();
    for record in records.try_iter()? {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&record_to_str(name, &record?)?);
    }
    Ok(out)
}

/// The line of text for one record dict.
///
/// Errors: `KeyError` if the record lacks a key.
#[pyfunction]
pub(crate) fn record_to_str(name: &str, record: &Bound<'_, PyAny>) -> PyResult<String> {
    dict_to_line(name, record)
}
