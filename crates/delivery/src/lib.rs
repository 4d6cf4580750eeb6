//! Delivery: from a handler's bounded buffer to a receiver that has confirmed. Knows no Python.
//!
//! A caller puts records into the buffer and goes on. One task per handler, the engine, takes them
//! out, makes messages of them, and keeps each until the receiver has confirmed it. How messages
//! get to a receiver is the business of a link; RabbitMQ's is in `amqp`.
//!
//! Modules and folders, lowest first: each uses only those above it in this table.
//!
//! | module     | concept |
//! |------------|---------|
//! | `process`  | what belongs to one process: forks, its end, locked files, runtimes |
//! | `records`  | records until they are encoded: chunk, encode, buffer |
//! | `report`   | counts and log lines for callers to see |
//! | `link`     | how messages get to a receiver that confirms them: traits and failures |
//! | `settings` | how a handler delivers, whatever its link |
//! | `amqp`     | the link to RabbitMQ; knows lapin, and no other folder does |
//! | `local`    | the link to a collector on this machine |
//! | `messages` | messages until they are confirmed: waiter, message, outbox |
//! | `disk`     | messages on disk |
//! | `shared`   | what callers and the engine share |
//! | `engine`   | the network side: one task per handler |
//! | `probe`    | whether a receiver is there, tried out once |
//! | `sender`   | the caller's side: hand over, flush, publish, stop, statistics |

mod amqp;
mod disk;
mod engine;
mod link;
mod local;
mod messages;
mod probe;
mod process;
mod records;
mod report;
mod sender;
mod settings;
mod shared;

#[cfg(test)]
mod tests;

pub use amqp::connection::AmqpConnection;
pub use amqp::settings::{AmqpSettings, Secret, TcpOptions};
pub use amqp::tls::{Tls, TlsFiles};
pub use disk::directory::check_spool;
/// The channels of replies.
pub use flume;
pub use link::envelope::{Envelope, number_of_id};
pub use link::failure::Failure;
pub use link::{Answer, Connector, Link, LinkEvent, LinkFuture, Outcome, ReturnedMessage, Wording};
pub use local::frame;
pub use local::settings::LocalSettings;
pub use probe::Probe;
pub use process::background::BackgroundRuntime;
pub use process::thread::spawn_blocking;
pub use process::unshared::{Opening, Unshared, opening};
pub use process::user::effective_user;
pub use process::{exit, fork, runtime, waking};
pub use records::chunk::{Chunk, Content, Converted};
pub use records::encode::{Encoded, encode, join};
pub use report::log_queue::{LogLevel, LogLine};
pub use report::stats::{ConnectionState, DropReason, Stats};
pub use sender::Sender;
pub use settings::{Settings, SpoolSettings};
