//! The native half of the handlers for RabbitMQ.
//!
//! | module     | concept |
//! |------------|---------|
//! | `delivery` | a handler's way to RabbitMQ, made of the next two |
//! | `outgoing` | rows and dicts, put into its buffer |
//! | `answer`   | what its network side answers, waited for or looked for |
//! | `wire`     | what a broker would get of records, to be seen |

pub(crate) mod answer;
pub(crate) mod delivery;
pub(crate) mod outgoing;
pub(crate) mod wire;
