//! Decorated functions and the life of their calls.
//!
//! | module            | concept |
//! |-------------------|---------|
//! | `function`        | the decorated function: a native callable that passes for a function |
//! | `native_call`     | from a plain call of one to its result |
//! | `arguments`       | arguments of a call, as they are passed and as they are kept |
//! | `lifecycle`       | the life of one call: begin, measure, finish, close |
//! | `manual`          | calls that users begin and end by hand |
//! | `deferred`        | a call of a coroutine function or generator, which runs after it; its turning points |
//! | `async_generator` | the first step of an asynchronous generator |

pub(crate) mod arguments;
pub(crate) mod async_generator;
pub(crate) mod deferred;
pub(crate) mod function;
pub(crate) mod lifecycle;
pub(crate) mod manual;
pub(crate) mod native_call;
