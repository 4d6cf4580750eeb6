//! `phanos._phanos`, the native half of the `phanos` package: everything that names PyO3.
//!
//! # Layout
//!
//! Python-free crates below it: `phanos_core` (paths, the tree of live calls, records, text,
//! JSON, the clock) and `phanos_delivery` (from a bounded buffer to a receiver that has
//! confirmed). In here, lowest floor first; nothing imports from a floor above its own:
//!
//! | floor          | what is in it |
//! |----------------|---------------|
//! | [`interp`]     | the interpreter: state cells, entry points, exceptions, the C stack, pools |
//! | [`convert`]    | Python values as text and JSON; log lines that are limited in rate |
//! | [`tree`]       | nodes, contexts, owners, which node is current |
//! | [`metric`]     | columns of waiting records, labels, operations, records as dicts |
//! | [`rabbitmq`]   | the native half of the handlers for RabbitMQ |
//! | [`prometheus`] | the native half of the handler for Prometheus; the command `phanos` |
//! | [`profiler`]   | a profiler's state and plan, the hand-over of records to handlers |
//! | [`call`]       | decorated functions, arguments, the life of a call, coroutines and generators |
//!
//! The documented interface, `python/phanos/`, is on top of it.

#[cfg(Py_GIL_DISABLED)]
compile_error!(
    "phanos needs the global interpreter lock: build it for python3.14, not python3.14t"
);
#[cfg(not(unix))]
compile_error!("phanos runs on Linux and macOS: on Windows, install it in WSL or in a container");

mod call;
mod convert;
mod interp;
mod metric;
mod profiler;
mod prometheus;
mod rabbitmq;
mod tree;

#[cfg(test)]
#[path = "../tests/rust/extension/panics.rs"]
mod panics;

/// Native half of `phanos`; its Python half is the documented interface.
// The lock of the interpreter guards the state in here.
#[pyo3::pymodule(gil_used = true)]
#[pyo3(name = "_phanos")]
mod module {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::call::async_generator::first_step;
    #[pymodule_export]
    use crate::call::deferred::DeferredCall;
    #[pymodule_export]
    use crate::call::function::decorate::{decorate, support_functions};
    #[pymodule_export]
    use crate::call::manual::{began_as_root, begin_call, end_call, resume_call, suspend_call};
    #[pymodule_export]
    use crate::convert::rate_limit::admit;
    #[pymodule_export]
    use crate::interp::exceptions::call_as;
    #[pymodule_export]
    use crate::interp::monotonic::{monotonic_ns, sleep};
    #[pymodule_export]
    use crate::metric::base::Metric;
    #[pymodule_export]
    use crate::metric::label_check::eq_labels_replaced;
    #[pymodule_export]
    use crate::profiler::aflush::run_for;
    #[pymodule_export]
    use crate::profiler::core::ProfilerCore;
    #[pymodule_export]
    use crate::profiler::handover::{record_to_str, records_to_str};
    #[pymodule_export]
    use crate::profiler::plan::Plan;
    #[pymodule_export]
    use crate::prometheus::command::run_command;
    #[pymodule_export]
    use crate::prometheus::host_settings::delivery_on_host;
    #[pymodule_export]
    use crate::rabbitmq::awaitable::end_runtime;
    #[pymodule_export]
    use crate::rabbitmq::delivery::{Delivery, end_deliveries, refuse_deliveries};
    #[pymodule_export]
    use crate::rabbitmq::pending_result::{PendingProbe, PendingResult};
    #[pymodule_export]
    use crate::rabbitmq::wire::{records_to_json, waiting_to_json};
    #[pymodule_export]
    use crate::tree::call_tree::CallTree;
    #[pymodule_export]
    use crate::tree::context::Context;
    #[pymodule_export]
    use crate::tree::node::Node;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::interp::thread_end::park_unwound_threads();
        crate::interp::interpreter::check_main(module.py())?;
        crate::interp::panics::soften(module.py())?;
        crate::call::deferred::add_methods(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
