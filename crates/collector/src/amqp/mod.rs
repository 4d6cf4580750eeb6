//! Messages from RabbitMQ: the only folder that knows AMQP and lapin.
//!
//! | module     | concept |
//! |------------|---------|
//! | `settings` | the broker, and the queue that is consumed |
//! | `message`  | what a delivery says of its message |
//! | `prefetch` | how many messages the broker may send ahead |
//! | `queue`    | exchange, queue and binding declared |
//! | `session`  | one connection: messages are counted, and acknowledged when they are stored |
//! | `consumer` | one session after the other |

pub(crate) mod consumer;
mod message;
mod prefetch;
mod queue;
mod session;
pub(crate) mod settings;
