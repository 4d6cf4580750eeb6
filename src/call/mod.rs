//! Decorated functions and the life of their calls.
//!
//! | module            | concept |
//! |-------------------|---------|
//! | `lifecycle`       | what each recorded call passes: begin, record and hand over, leave |
//! | `arguments`       | a call's arguments: as the interpreter passes them, stored, packed |
//! | `function`        | the decorated function: a native callable that passes for a function |
//! | `native_call`     | a plain call of one, from the vectorcall protocol to its result |
//! | `recursion`       | the depth of calls within calls, limited by the C stack |
//! | `deferred`        | a call of a coroutine or generator function, whose body runs later |
//! | `async_generator` | the first step of an asynchronous generator |
//! | `manual`          | calls that users begin and end, by `set_curr_node`, `delete_curr_node` |

pub(crate) mod arguments;
pub(crate) mod async_generator;
pub(crate) mod deferred;
pub(crate) mod function;
pub(crate) mod lifecycle;
pub(crate) mod manual;
pub(crate) mod native_call;
pub(crate) mod recursion;
