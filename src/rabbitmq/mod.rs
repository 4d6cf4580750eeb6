//! The native half of the handlers for RabbitMQ.
//!
//! | module     | concept |
//! |------------|---------|
//! | `delivery` | a handler's way to RabbitMQ, made of the next two |
//! | `enqueue` | rows and dicts, put into its buffer |
//! | `awaitable` | Rust futures that coroutines of users await |
//! | `pending_result`   | what its network side answers, waited for or looked for |
//! | `wire`     | what a broker would get of records, to be seen |

pub(crate) mod awaitable;
pub(crate) mod delivery;
pub(crate) mod enqueue;
pub(crate) mod pending_result;
pub(crate) mod wire;
