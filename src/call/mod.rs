//! Decorated functions and the life of their calls.
//!
//! | module            | concept |
//! |-------------------|---------|
//! | `lifecycle`       | what every recorded call passes: begin, measure and hand over, leave the tree |
//! | `arguments`       | a call's arguments: as the interpreter passes them, stored, packed for hooks |
//! | `function`        | the decorated function: a native callable that passes for a Python function |
//! | `native_call`     | a plain call of a decorated function, from the vectorcall protocol to its result |
//! | `deferred`        | the call of a coroutine function or generator function, whose body runs later |
//! | `async_generator` | the first step of an asynchronous generator |
//! | `manual`          | calls that users begin and end by `set_curr_node` and `delete_curr_node` |
//! | `awaitable`       | futures that users await, on a runtime of the process |

pub(crate) mod arguments;
pub(crate) mod async_generator;
pub(crate) mod awaitable;
pub(crate) mod deferred;
pub(crate) mod function;
pub(crate) mod lifecycle;
pub(crate) mod manual;
pub(crate) mod native_call;
