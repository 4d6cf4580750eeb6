//! Delivery to RabbitMQ: from a handler's bounded buffer to a broker that has confirmed.
//! Knows no Python.
//!
//! A caller puts records into the `buffer` and is done. One task per handler, the `engine`,
//! takes them out, makes them messages, and keeps each until the broker has confirmed it.
//!
//! | module     | concept |
//! |------------|---------|
//! | `settings` | where to, and how patient |
//! | `tls`      | certificates |
//! | `sender`   | the caller's side: hand over, flush, stop, count |
//! | `probe`    | whether a broker is there, tried out once |
//! | `chunk`    | records on their way to the network side |
//! | `buffer`   | where they wait, bounded |
//! | `encode`   | from chunks to messages |
//! | `message`  | one AMQP message |
//! | `ticket`   | somebody waits for one message |
//! | `engine`   | the network side |
//! | `outbox`   | messages to be sent or confirmed |
//! | `link`     | one connection |
//! | `kit`      | the runtime under it |
//! | `failure`  | what goes wrong with it, in words |
//! | `backoff`  | pauses between attempts |
//! | `routing`  | whether anybody receives what is sent |
//! | `spool`    | messages on disk, and `store`, one file of them |
//! | `locked_file` | a file that one process holds |
//! | `stats`    | what became of all records |
//! | `notices`  | what there is to log |
//! | `shared`   | what both sides see |
//! | `fork`     | which process this is |
//! | `exit`     | a process that ends without its interpreter's end |

mod backoff;
mod buffer;
mod chunk;
mod encode;
mod engine;
pub mod exit;
mod failure;
pub mod fork;
mod kit;
mod link;
mod locked_file;
mod message;
mod notices;
mod outbox;
mod probe;
mod routing;
pub mod runtime;
mod sender;
mod settings;
mod shared;
mod spool;
mod stats;
mod store;
mod ticket;
mod tls;

#[cfg(test)]
mod tests;

pub use chunk::{Chunk, Content, Other};
pub use encode::{Encoded, encode, join};
pub use failure::Failure;
pub use notices::{Level, Notice};
pub use probe::Probe;
pub use sender::{LOOK_EVERY, Sender};
pub use settings::{Secret, Settings, SpoolSettings, TcpOptions};
pub use stats::{Reason, State, Stats};
pub use tls::{Tls, TlsFiles};
