//! The native half of the handlers for RabbitMQ.
//!
//! | module                | concept |
//! |-----------------------|---------|
//! | `connection_settings` | settings, from their Python form to the engine's |
//! | `enqueue`             | records into the buffer: rows as they are, dicts as JSON |
//! | `wire`                | bodies of messages, to be looked at without a broker |
//! | `awaitable`           | Rust futures that coroutines of users await |
//! | `pending_result`      | results of the network side: waited for, awaited, looked for |
//! | `delivery`            | `Delivery`: buffer, engine and spool of one handler |

pub(crate) mod awaitable;
pub(crate) mod connection_settings;
pub(crate) mod delivery;
pub(crate) mod enqueue;
pub(crate) mod pending_result;
pub(crate) mod wire;
