//! The binding layer: the core's concepts as Python objects. Everything that names PyO3 is
//! in here.
//!
//! | module      | concept |
//! |-------------|---------|
//! | `function`  | the decorated function: a native callable that passes for a function |
//! | `native_call` | from a plain call of one to its result |
//! | `entry`     | ways into Rust for functions that the interpreter calls by pointer |
//! | `arguments` | arguments of a call, as they are passed and as they are kept |
//! | `stack`     | how much C stack a thread has left |
//! | `site`      | what is known of one: its name, profiler and paths |
//! | `call`      | the life of one call: begin, measure, finish, close |
//! | `deferred`  | a call of a coroutine function or generator, which runs after it; its turning points |
//! | `pool`      | objects of ended calls, to be used again |
//! | `node`      | `MethodTreeNode`; its place in the forest of live calls, and the pool of nodes used again |
//! | `context`   | `Context`, the dotted context users see |
//! | `current`   | which node is current, in a `ContextVar` |
//! | `cpython_context` | the mapping of the running context's variables, as CPython keeps it |
//! | `owner`     | which class or module a root call belongs to |
//! | `profiler`  | native half of a `Profiler`: current node, plan, waiting records |
//! | `plan`      | one configuration, worked out when it changes |
//! | `metric`    | what metric classes inherit, made of the next five |
//! | `store`     | waiting records, shared or lent to one strand |
//! | `strand`    | who runs: a thread, or one of its greenlets |
//! | `head`      | the attributes that every record repeats |
//! | `label_set` | whether its only label is the one that calls are recorded with |
//! | `lists`     | the columns as the lists that users see and edit |
//! | `ambient`   | what `store_operation` lends to the operations called from it |
//! | `operation` | which values and labels an operation takes |
//! | `cell`      | what columns hold, and its conversions |
//! | `json_value` | Python objects as JSON, made of the next two |
//! | `json_dataclass` | dataclass instances |
//! | `json_moment` | dates, times, UUIDs |
//! | `refused`   | what JSON cannot hold, told once |
//! | `wire`      | what a broker would get of records, to be seen |
//! | `record_dict` | records as dicts, with the next one |
//! | `path_strings` | Python strings of paths, made once |
//! | `handover`  | from columns to handlers |
//! | `user_code` | calls of what users wrote, on threads that the end may take |
//! | `delivery`  | a handler's way to RabbitMQ, made of the next two |
//! | `outgoing`  | rows and dicts, put into its buffer |
//! | `answer`    | what its network side answers, waited for or looked for |
//! | `raised`    | the exception in flight, set aside and put back |
//! | `attributes` | attributes that users set on nodes and contexts |
//! | `monotonic` | the monotonic clock, for Python code |
//! | `gil_cell`  | state guarded by the interpreter lock |
//! | `interpreter` | whether this is the main one |
//! | `awaitable` | futures that users await, on a runtime of the process |

use pyo3::prelude::*;

mod ambient;
mod answer;
mod arguments;
mod async_generator;
mod attributes;
mod awaitable;
mod call;
mod cell;
mod context;
mod cpython_context;
mod current;
mod deferred;
mod delivery;
mod entry;
mod function;
mod gil_cell;
mod handover;
mod head;
mod interpreter;
mod json_dataclass;
mod json_moment;
mod json_value;
mod label_set;
mod lists;
mod metric;
mod monotonic;
mod native_call;
mod node;
mod operation;
mod outgoing;
mod owner;
mod path_strings;
mod plan;
mod pool;
mod profiler;
mod raised;
mod record_dict;
mod refused;
mod site;
mod stack;
mod store;
mod strand;
mod user_code;
mod wire;

/// Native half of `phanos`; its Python half is the documented interface.
// The lock of the interpreter guards the state in here.
#[pymodule(gil_used = true)]
#[pyo3(name = "_phanos")]
pub(crate) mod module {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::answer::{Answer, ProbeAnswer};
    #[pymodule_export]
    use super::async_generator::first_step;
    #[pymodule_export]
    use super::awaitable::{call_in_future, current_node, end_runtime, flush_future};
    #[pymodule_export]
    use super::context::Context;
    #[pymodule_export]
    use super::deferred::DeferredCall;
    #[pymodule_export]
    use super::delivery::{Delivery, end_deliveries, refuse_deliveries};
    #[pymodule_export]
    use super::function::decorate;
    #[pymodule_export]
    use super::handover::{record_to_str, records_to_str};
    #[pymodule_export]
    use super::metric::Metric;
    #[pymodule_export]
    use super::monotonic::monotonic_ns;
    #[pymodule_export]
    use super::node::Node;
    #[pymodule_export]
    use super::operation::due;
    #[pymodule_export]
    use super::plan::Plan;
    #[pymodule_export]
    use super::profiler::ProfilerCore;
    #[pymodule_export]
    use super::raised::call_as;
    #[pymodule_export]
    use super::wire::records_to_json;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::interpreter::check_main(module.py())?;
        super::deferred::complete(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
