//! The collector: from messages with records to a page that Prometheus reads. Knows no Python.
//!
//! Modules and folders, lowest first: each uses only those above it in this table.
//!
//! | module         | concept |
//! |----------------|---------|
//! | `intake`       | messages, and the records in their bodies |
//! | `aggregate`    | from records to series |
//! | `tree`         | the call tree over time, for people |
//! | `expose`       | series as Prometheus reads them |
//! | `private_file` | files that the user alone can read |
//! | `state`        | what was counted, on disk |
//! | `net`          | listeners and connections that a forked child does not keep |
//! | `hub`          | where everything meets: counted, stored, acknowledged |
//! | `serve`        | the HTTP side |
//! | `socket`       | messages of processes on this machine |
//! | `amqp`         | messages from RabbitMQ; knows lapin, and no other folder does |
//! | `top`          | call paths in a terminal |
//! | `command`      | the command `phanos` |
//! | `host`         | processes that share a port: one of them is the collector |

mod aggregate;
mod amqp;
mod command;
mod expose;
mod host;
mod hub;
mod intake;
mod net;
mod private_file;
mod serve;
mod socket;
mod state;
mod top;
mod tree;

pub use aggregate::aggregation::Aggregate;
pub use aggregate::changes::{Changes, NamedRows, Stored};
pub use aggregate::exponential::{Buckets, Exponential, SCHEMA, ZERO_THRESHOLD, index_of};
pub use aggregate::frame::{Calls, Frame};
pub use aggregate::histogram::Histogram;
pub use aggregate::labels::{read_labels, write_label};
pub use aggregate::name::{FamilyName, family_name};
pub use aggregate::numbers::Numbers;
pub use aggregate::options::{MetricOptions, Options, Policy};
pub use aggregate::tally::{Taken, Tally};
pub use aggregate::unit::{Scale, Unit, base_unit};
pub use aggregate::view::{FamilyView, Point, PointValue};
pub use amqp::consumer::consume;
pub use amqp::settings::{ConsumerSettings, Overflow, QueueSettings, broker};
pub use command::collect::Collector;
pub use command::run::run;
pub use command::settings::CollectSettings;
pub use expose::negotiate::{Format, accepts_gzip};
pub use expose::own::OwnFamily;
pub use expose::page::{gzip, page};
pub use host::connector::HostConnector;
pub use host::settings::HostSettings;
pub use hub::committer::commit_until;
pub use hub::condition::{BrokerState, Condition};
pub use hub::log::Log;
pub use hub::shared::Hub;
pub use intake::body::{Body, Element};
pub use intake::kind::Kind;
pub use intake::labels::Labels;
pub use intake::message::Message;
pub use intake::number::read as read_number;
pub use intake::reason::Reason;
pub use intake::record::Record;
pub use intake::split::Split;
pub use intake::value::Value;
pub use serve::server::serve;
pub use serve::tls::Tls;
pub use serve::token::Token;
pub use socket::listener::LocalListener;
pub use state::store::Store;
pub use tree::answer::Told;
pub use tree::look::Asked;
pub use tree::quantile::quantile;
pub use tree::window::Window;
