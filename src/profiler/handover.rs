//! From a metric's columns to handlers: text for the built-in ones, dicts for the others.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString};

use phanos_core::lines::Lines;

use crate::convert::text::{class_name, text_of};
use crate::convert::unserializable::UnserializableKinds;
use crate::interp::user_code;
use crate::metric::base::Metric;
use crate::metric::columns::Columns;
use crate::metric::log::log_rate_limited;
use crate::metric::record_line::{add_line, dict_to_line};
use crate::profiler::core::ProfilerCore;
use crate::profiler::plan::{HandlerEntry, HandlerKind, MetricEntry, Plan};
use crate::profiler::report::failure;
use crate::rabbitmq::delivery::Delivery;
use crate::tree::node::Node;

/// `logging.DEBUG`.
const DEBUG: u8 = 10;

/// What is left to do after a hand-over.
///
/// VectorcallArgs on in a box, or not at all: by value its eight words would be copied three times
/// per call, for nothing nearly always (15 ns).
#[derive(Default)]
pub(crate) struct Outcome<'py> {
    /// `(handler, records, name)` for each asynchronous handler and metric.
    pub(crate) deliveries: Option<Bound<'py, PyList>>,
    /// What a handler or an override raised that is not an `Exception`.
    pub(crate) interrupted: Option<PyErr>,
}

/// One metric's records on the way out, in the forms that were asked for so far.
struct Taken<'a, 'py> {
    metric: &'a Py<Metric>,
    name: Bound<'py, PyAny>,
    rows: Rows<'py>,
    dicts: Option<Bound<'py, PyList>>,
    /// For loggers.
    text: Option<Bound<'py, PyString>>,
    /// For streams: the same and a line break.
    lines: Option<Bound<'py, PyString>>,
}

enum Rows<'py> {
    Columns(Columns),
    /// From a `to_records` of the user's own.
    Dicts(Bound<'py, PyList>),
}

/// Takes all waiting records of `metrics`, then gives each metric's to each handler of the
/// plan. `node` is the current one: profiled calls that handlers make are below it.
pub(crate) fn hand_over<'py>(
    py: Python<'py>,
    core: &ProfilerCore,
    plan: &Plan,
    metrics: &[MetricEntry],
    node: &Bound<'py, Node>,
) -> Outcome<'py> {
    let mut outcome = Outcome::default();
    if plan.handlers.is_empty() {
        limit(py, core, plan, &mut outcome);
        return outcome;
    }
    core.handing_over(py, node, || {
        let mut batches = Vec::with_capacity(metrics.len());
        for entry in metrics {
            if entry.overridden || entry.metric.get().waiting(py) > 0 {
                batches.extend(take(py, plan, entry, &mut outcome));
            }
        }
        for mut batch in batches {
            for entry in &plan.handlers {
                if let Err(error) = give(py, entry, &mut batch, &mut outcome) {
                    let name = handler_name(entry.handler.bind(py));
                    note(&mut outcome, failure(py, plan, &format!("handler '{name}'"), error));
                }
            }
            if let Rows::Columns(columns) = batch.rows {
                batch.metric.get().recycle(py, columns);
            }
        }
    });
    outcome
}

fn note(outcome: &mut Outcome<'_>, interrupted: Option<PyErr>) {
    if outcome.interrupted.is_none() {
        outcome.interrupted = interrupted;
    }
}

fn handler_name(handler: &Bound<'_, PyAny>) -> String {
    handler
        .getattr(intern!(handler.py(), "handler_name"))
        .map_or_else(|_| "?".into(), |n| text_of(&n))
}

/// Without a handler records wait for the next one, up to a limit.
fn limit(py: Python<'_>, core: &ProfilerCore, plan: &Plan, outcome: &mut Outcome<'_>) {
    if core.tree.get().waiting(py) <= plan.max_unhandled {
        return;
    }
    let share = plan.max_unhandled / plan.metrics.len().max(1);
    let dropped: usize =
        plan.metrics.iter().map(|entry| entry.metric.get().drop_oldest(py, share)).sum();
    if dropped > 0 {
        let report = plan.profiler.bind(py);
        let dropped = PyInt::new(py, dropped);
        let reported = user_code::call_method(report, intern!(py, "_report_dropped"), &[&dropped]);
        note(outcome, crate::interp::exceptions::swallow(py, reported).err());
    }
}

/// `to_records` and `cleanup` of one metric; `None` if there is nothing to hand over.
fn take<'a, 'py>(
    py: Python<'py>,
    plan: &Plan,
    entry: &'a MetricEntry,
    outcome: &mut Outcome<'py>,
) -> Option<Taken<'a, 'py>> {
    let metric = entry.metric.get();
    let name = match metric.name(py) {
        Ok(name) => name.into_bound(py),
        Err(error) => {
            note(outcome, failure(py, plan, "metric without a name", error));
            return None;
        }
    };
    let rows = if entry.overridden {
        overridden_rows(py, plan, entry, &name, outcome)?
    } else {
        let columns = metric.take(py);
        if !columns.is_even() {
            let told = log_rate_limited(
                entry.metric.bind(py),
                "incomplete",
                "values, label_values and method differ in length; only complete records go out",
            );
            note(outcome, told.err());
        }
        if columns.complete() == 0 {
            return None;
        }
        Rows::Columns(columns)
    };
    Some(Taken { metric: &entry.metric, name, rows, dicts: None, text: None, lines: None })
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
    let given = user_code::call_method(bound, intern!(py, "to_records"), &[]);
    let rows = match given.and_then(|given| listed(bound, &given)) {
        Ok(Some(records)) => (!records.is_empty()).then_some(Rows::Dicts(records)),
        failed => {
            if let Err(error) = failed {
                note(outcome, failure(py, plan, &format!("to_records of metric '{name}'"), error));
            }
            // The user's own conversion failed; the records themselves are still there.
            let columns = metric.take(py);
            (columns.complete() > 0).then_some(Rows::Columns(columns))
        }
    };
    if let Err(error) = user_code::call_method(bound, intern!(py, "cleanup"), &[]) {
        note(outcome, failure(py, plan, &format!("cleanup of metric '{name}'"), error));
        drop(metric.take(py));
    }
    // A cleanup that keeps records keeps them.
    metric.restore(py);
    rows
}

/// The records that a `to_records` of the user's own gave, or `None` (and a logged error) if
/// these are none.
///
/// Errors: what iterating raises.
fn listed<'py>(
    metric: &Bound<'py, Metric>,
    given: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    if let Ok(records) = given.cast::<PyList>() {
        return Ok(Some(records.clone()));
    }
    // These give other things than records when iterated.
    let single = given.is_instance_of::<PyString>()
        || given.is_instance_of::<PyBytes>()
        || given.is_instance_of::<PyDict>();
    match given.try_iter() {
        Ok(records) if !single => {
            let list = PyList::empty(given.py());
            for record in records {
                list.append(record?)?;
            }
            Ok(Some(list))
        }
        _ => {
            let shown = given.repr().map(|text| text.to_string()).unwrap_or_default();
            let message = format!(
                "expects an iterable of records from its to_records, got {shown} of type {}; \
                 its records go out as they are stored",
                class_name(given)
            );
            log_rate_limited(metric, "to_records", &message)?;
            Ok(None)
        }
    }
}

fn give<'py>(
    py: Python<'py>,
    entry: &HandlerEntry,
    batch: &mut Taken<'_, 'py>,
    outcome: &mut Outcome<'py>,
) -> PyResult<()> {
    let handler = entry.handler.bind(py);
    match &entry.kind {
        HandlerKind::RabbitMq(delivery) => deliver(py, handler, delivery.get(), batch),
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
            let deliveries = outcome.deliveries.get_or_insert_with(|| PyList::empty(py));
            deliveries.append((handler, records, &batch.name))
        }
    }
}

/// Puts the records down for the network side.
fn deliver<'py>(
    py: Python<'py>,
    handler: &Bound<'py, PyAny>,
    delivery: &Delivery,
    batch: &mut Taken<'_, 'py>,
) -> PyResult<()> {
    let Rows::Columns(columns) = &batch.rows else {
        // Its own `handle` does the same with dicts, and does not wait either.
        let records = batch.dicts(py)?;
        user_code::call_method(handler, intern!(py, "_enqueue"), &[&records, &batch.name])?;
        return Ok(());
    };
    let mut unserializable = UnserializableKinds::default();
    let taken = delivery.push_columns(py, batch.metric.get(), columns, &mut unserializable)?;
    if !unserializable.is_empty() {
        unserializable.log(py, Some(&handler.getattr(intern!(py, "logger"))?))?;
    }
    if taken.raised {
        let logger = handler.getattr(intern!(py, "logger"))?;
        let debug = PyInt::new(py, DEBUG);
        if user_code::call_method(&logger, intern!(py, "isEnabledFor"), &[&debug])?.is_truthy()? {
            let text = batch.text(py, false)?;
            user_code::call_method(&logger, intern!(py, "debug"), &[intern!(py, "%s"), &text])?;
        }
    }
    if taken.notices {
        user_code::call_method(handler, intern!(py, "_log_notices"), &[])?;
    }
    Ok(())
}

/// Writes with one call, so that lines of threads do not mix, and flushes.
fn write(output: &Bound<'_, PyAny>, lines: Bound<'_, PyString>) -> PyResult<()> {
    let py = output.py();
    user_code::call_method(output, intern!(py, "write"), &[&lines])?;
    if let Some(flush) = output.getattr_opt(intern!(py, "flush"))? {
        user_code::call(&flush, &[])?;
    }
    Ok(())
}

impl<'py> Taken<'_, 'py> {
    fn dicts(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if let Some(known) = &self.dicts {
            return Ok(known.clone());
        }
        let dicts = match &self.rows {
            Rows::Columns(columns) => self.metric.get().record_dicts(py, columns)?,
            Rows::Dicts(records) => records.clone(),
        };
        Ok(self.dicts.insert(dicts).clone())
    }

    /// The text form; ends with a line break if `ended`.
    fn text(&mut self, py: Python<'py>, ended: bool) -> PyResult<Bound<'py, PyString>> {
        let known = if ended { &self.lines } else { &self.text };
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let mut text = match &self.rows {
            Rows::Columns(columns) => {
                // Text can hold everything.
                let metric =
                    self.metric.get().metadata.encoded(py, &mut UnserializableKinds::default())?;
                let mut lines = Lines::new(&metric, columns.len());
                let rows = columns.values.iter().zip(&columns.labels).zip(&columns.methods);
                for ((value, labels), method) in rows {
                    add_line(py, &mut lines, value, labels, method);
                }
                lines.text
            }
            Rows::Dicts(records) => records_to_str(&text_of(&self.name), records.as_any())?,
        };
        if ended {
            text.push('\n');
        }
        let text = PyString::new(py, &text);
        let known = if ended { &mut self.lines } else { &mut self.text };
        Ok(known.insert(text).clone())
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
