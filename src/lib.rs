//! The native core of the `phanos` package: call tree, timing, metric storage and handing
//! records over. Its Python half, `python/phanos/`, is the documented interface.
//!
//! # Layout
//!
//! | module       | what is in it | knows |
//! |--------------|---------------|-------|
//! | [`core`]     | paths, tree, values, records, columns | nothing but itself |
//! | `delivery`   | from a bounded buffer to a RabbitMQ that has confirmed | lapin, tokio |
//! | `clock`      | the clock that calls are timed with | quanta |
//! | `runtime`    | the Tokio runtimes of this process | tokio |
//! | `py`         | Python objects around all of these; the module `phanos._phanos` | PyO3 |
//!
//! Dependencies point one way: `core` <- `delivery` <- `py` <- the Python package. Without the
//! feature `python` the crate needs no interpreter: it is `core` alone, with the feature `amqp`
//! `delivery` too, with `clock` the clock.
//!
//! # A call, from its decorator to a handler
//!
//! 1. `py::function` is called: nothing enabled, and the call goes straight through.
//! 2. `py::call::begin` makes a node (`py::node`, `core::forest`, `core::path`), sets the
//!    `ContextVar`, runs hooks.
//! 3. The function runs. Coroutines and generators do so in a Python wrapper, which calls
//!    `py::deferred` at its turning points.
//! 4. `py::call::finish` pushes a record into the metric's columns (`py::metric`,
//!    `core::column`), runs hooks and, at the end of a root, starts `py::handover`.
//! 5. `py::handover` takes all columns, writes text (`core::lines`) for built-in handlers,
//!    puts rows into the buffer of those for RabbitMQ and makes dicts for those written in
//!    Python.
//! 6. `py::call::close` takes the node away and puts the `ContextVar` back (`py::current`).

// Named by its role in the layout; `std::core` is not needed here.
#[path = "core/mod.rs"]
pub mod core;

#[cfg(feature = "clock")]
pub mod clock;
#[cfg(feature = "amqp")]
pub mod delivery;
#[cfg(feature = "python")]
mod py;
#[cfg(feature = "python")]
mod runtime;
