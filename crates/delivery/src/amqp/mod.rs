//! The link to RabbitMQ: the only folder that knows AMQP and lapin.
//!
//! | module          | concept |
//! |-----------------|---------|
//! | `tls`           | certificates |
//! | `settings`      | where the broker is, and how it is spoken to |
//! | `failure`       | errors of AMQP and TLS in words |
//! | `dial`          | a TCP connection to a name, which may have several addresses |
//! | `properties`    | what a message looks like in AMQP |
//! | `tune`          | the broker's proposal of heartbeats |
//! | `lapin_runtime` | the runtime that lapin works on |
//! | `link`          | one connection with one channel |
//! | `connection`    | a connection for whatever else is done over it |

pub(crate) mod connection;
mod dial;
mod failure;
mod lapin_runtime;
mod link;
mod properties;
pub(crate) mod settings;
pub(crate) mod tls;
mod tune;
