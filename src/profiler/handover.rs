//! From a metric's columns to each handler: as text, as they are, or as dicts.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString};

use phanos_core::lines::Lines;

use crate::convert::text::{class_name, text_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::exceptions::swallow;
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

/// `logging.DEBUG`.
const DEBUG: u8 = 10;

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
    metric: &'a Py<Metric>,
    name: Bound<'py, PyAny>,
    rows: Rows<'py>,
    dicts: Option<Bound<'py, PyList>>,
    /// For loggers.
    text: Option<Bound<'py, PyString>>,
    /// For streams: the same with a line break at the end.
    lines: Option<Bound<'py, PyString>>,
}

enum Rows<'py> {
    Columns(Columns),
    /// From a `to_records` that a user overrode.
    Dicts(Bound<'py, PyList>),
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
            if entry.overridden || entry.metric.get().waiting(py) > 0 {
                batches.extend(take_batch(py, plan, entry, &mut outcome));
            }
        }
        for mut batch in batches {
            for entry in &plan.handlers {
                if let Err(error) = give_to_handler(py, entry, &mut batch, &mut outcome) {
                    let what = format!("handler '{}'", handler_name(entry.handler.bind(py)));
                    outcome.keep_first(log_failure(py, plan, &what, error));
                }
            }
            if let Rows::Columns(columns) = batch.rows {
                batch.metric.get().recycle(py, columns);
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
    let dropped: usize =
        plan.metrics.iter().map(|entry| entry.metric.get().drop_oldest(py, share)).sum();
    if dropped > 0 {
        let (profiler, dropped) = (plan.profiler.bind(py), PyInt::new(py, dropped));
        let name = intern!(py, "_report_dropped");
        let logged = user_code::call_method(profiler, name, &[&dropped]);
        outcome.keep_first(swallow(py, logged).err());
    }
}

/// Takes the records out of a metric, by its `to_records` and `cleanup` if a user overrode one
/// of them. `None` if there is nothing to hand over.
fn take_batch<'a, 'py>(
    py: Python<'py>,
    plan: &Plan,
    entry: &'a MetricEntry,
    outcome: &mut Outcome<'py>,
) -> Option<Batch<'a, 'py>> {
    let metric = entry.metric.get();
    let name = match metric.name(py) {
        Ok(name) => name.into_bound(py),
        Err(error) => {
            outcome.keep_first(log_failure(py, plan, "metric without a name", error));
            return None;
        }
    };
    let rows = if entry.overridden {
        overridden_rows(py, plan, entry, &name, outcome)?
    } else {
        let columns = metric.take(py);
        if !columns.is_even() {
            let logged = log_rate_limited(
                entry.metric.bind(py),
                "incomplete",
                "values, label_values and method differ in length; only complete records go out",
            );
            outcome.keep_first(logged.err());
        }
        if columns.complete() == 0 {
            return None;
        }
        Rows::Columns(columns)
    };
    Some(Batch { metric: &entry.metric, name, rows, dicts: None, text: None, lines: None })
}

fn overridden_rows<'py>(
    py: Python<'py>,
    plan: &Plan,
    entry: &MetricEntry,
    name: &Bound<'py, PyAny>,
    outcome: &mut Outcome<'py>,
) -> Option<Rows<'py>> {
    let metric = entry.metric.get();
    let bound = entry.metric.bind(py);
    let name = text_of(name);
    metric.checkout(py);
    let returned = user_code::call_method(bound, intern!(py, "to_records"), &[]);
    let rows = match returned.and_then(|returned| as_records(bound, &returned)) {
        Ok(Some(records)) => (!records.is_empty()).then_some(Rows::Dicts(records)),
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
            let columns = metric.take(py);
            (columns.complete() > 0).then_some(Rows::Columns(columns))
        }
    };
    if let Err(error) = user_code::call_method(bound, intern!(py, "cleanup"), &[]) {
        outcome.keep_first(log_failure(py, plan, &format!("cleanup of metric '{name}'"), error));
        drop(metric.take(py));
    }
    // Records that the user's `cleanup` kept wait again.
    metric.restore(py);
    rows
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
        HandlerKind::RabbitMq(delivery) => push_to_delivery(py, handler, delivery.get(), batch),
        HandlerKind::Stream => {
            let lines = batch.text(py, true)?;
            write(&handler.getattr(intern!(py, "output"))?, lines)
        }
        HandlerKind::Logger => {
            let logger = handler.getattr(intern!(py, "logger"))?;
            let level = handler.getattr(intern!(py, "level"))?;
            let enabled = user_code::call_method(&logger, intern!(py, "isEnabledFor"), &[&level])?;
            if enabled.is_truthy()? {
                let text = batch.text(py, false)?;
                let line: &[_] = &[&level, intern!(py, "%s"), &text];
                user_code::call_method(&logger, intern!(py, "log"), line)?;
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

/// Puts the records into the buffer of a handler for RabbitMQ.
fn push_to_delivery<'py>(
    py: Python<'py>,
    handler: &Bound<'py, PyAny>,
    delivery: &Delivery,
    batch: &mut Batch<'_, 'py>,
) -> PyResult<()> {
    let Rows::Columns(columns) = &batch.rows else {
        // As its `handle` does with dicts, which does not wait either.
        let records = batch.dicts(py)?;
        user_code::call_method(handler, intern!(py, "_enqueue"), &[&records, &batch.name])?;
        return Ok(());
    };
    let mut unserializable = UnserializableKinds::default();
    let pushed = delivery.push_columns(py, batch.metric.get(), columns, &mut unserializable)?;
    if !unserializable.is_empty() {
        unserializable.log(py, Some(&handler.getattr(intern!(py, "logger"))?))?;
    }
    if pushed.has_failed_calls {
        let logger = handler.getattr(intern!(py, "logger"))?;
        let debug = PyInt::new(py, DEBUG);
        if user_code::call_method(&logger, intern!(py, "isEnabledFor"), &[&debug])?.is_truthy()? {
            let text = batch.text(py, false)?;
            user_code::call_method(&logger, intern!(py, "debug"), &[intern!(py, "%s"), &text])?;
        }
    }
    if pushed.has_log_lines {
        user_code::call_method(handler, intern!(py, "_write_log_lines"), &[])?;
    }
    Ok(())
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

impl<'py> Batch<'_, 'py> {
    fn dicts(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if let Some(dicts) = &self.dicts {
            return Ok(dicts.clone());
        }
        let dicts = match &self.rows {
            Rows::Columns(columns) => self.metric.get().record_dicts(py, columns)?,
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
            Rows::Columns(columns) => {
                // As text every value can be written: no kind is unserializable.
                let metric =
                    self.metric.get().metadata.encoded(py, &mut UnserializableKinds::default())?;
                let mut lines = Lines::new(&metric, columns.len());
                for (value, labels, method) in rows(columns) {
                    add_line(py, &mut lines, value, labels, method);
                }
                lines.text
            }
            Rows::Dicts(records) => records_to_str(&text_of(&self.name), records.as_any())?,
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
