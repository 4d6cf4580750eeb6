//! What can be said on the command line and in the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::command::quantity::{read_size, read_time};
use crate::top::rows::Sort;
use crate::tree::window::Window;

/// A call-tree profiler for Python web servers.
#[derive(Debug, Parser)]
#[command(name = "phanos", version, arg_required_else_help = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Count what profilers record, and serve it to Prometheus.
    ///
    /// Consumes a RabbitMQ exchange (--amqp-url), takes what processes of this machine send
    /// (--listen-socket), or both. Every option can be given in the environment and, under its name
    /// without the dashes, in a TOML file. SIGTERM ends it within 5 seconds, SIGHUP reads the file
    /// again.
    Collect(Box<CollectArguments>),
    /// Show call paths in this terminal: where the time goes, now.
    ///
    /// Keys are those of htop where there are such; the last line lists them.
    Top(Box<TopArguments>),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct TopArguments {
    /// Where a collector serves
    #[arg(default_value = "http://127.0.0.1:9464", env = "PHANOS_URL", value_name = "URL")]
    pub(crate) url: String,
    /// Without a collector: count what comes from a RabbitMQ from now on
    #[arg(long, value_name = "URL")]
    pub(crate) amqp_url: Option<String>,
    /// Exchange that profilers publish to [default: profiling]
    #[arg(long, env = "PHANOS_EXCHANGE", value_name = "NAME")]
    pub(crate) exchange: Option<String>,
    /// Its type [default: fanout]
    #[arg(long, env = "PHANOS_EXCHANGE_TYPE", value_name = "TYPE")]
    pub(crate) exchange_type: Option<String>,
    /// File with the collector's token
    #[arg(long, env = "PHANOS_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The job; without it the one with most paths
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,
    /// 5m, 1h@1d (an hour, until a day ago), all
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = Window::read)]
    pub(crate) window: Window,
    /// total, self, calls, per-root, mean, p50, p95, p99, errors or path
    #[arg(long, value_name = "COLUMN", default_value = "total", value_parser = Sort::read)]
    pub(crate) sort: Sort,
    /// Below each path what it calls
    #[arg(long)]
    pub(crate) tree: bool,
    /// Only paths with this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) search: String,
    /// Print the table and end
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: rows at most
    #[arg(long, value_name = "N")]
    pub(crate) lines: Option<usize>,
}

/// Nothing has a default here: what is not given may be in the file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CollectArguments {
    /// TOML file with any of these options, and [[metric]] tables
    #[arg(long, env = "PHANOS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Say what would be used, and start nothing
    #[arg(long)]
    pub(crate) check: bool,

    /// RabbitMQ: amqp://user:password@host:port/virtual-host, or amqps://...
    #[arg(long, value_name = "URL")]
    pub(crate) amqp_url: Option<String>,
    /// Certificates of the authorities to trust, for amqps
    #[arg(long, env = "PHANOS_AMQP_CA_FILE", value_name = "FILE")]
    pub(crate) amqp_ca_file: Option<PathBuf>,
    /// Certificate chain of this client, for amqps
    #[arg(long, env = "PHANOS_AMQP_CERT_FILE", value_name = "FILE")]
    pub(crate) amqp_cert_file: Option<PathBuf>,
    /// Private key of this client, for amqps
    #[arg(long, env = "PHANOS_AMQP_KEY_FILE", value_name = "FILE")]
    pub(crate) amqp_key_file: Option<PathBuf>,
    /// Exchange that profilers publish to [default: profiling]
    #[arg(long, env = "PHANOS_EXCHANGE", value_name = "NAME")]
    pub(crate) exchange: Option<String>,
    /// Its type [default: fanout]
    #[arg(long, env = "PHANOS_EXCHANGE_TYPE", value_name = "TYPE")]
    pub(crate) exchange_type: Option<String>,
    /// Queue that is declared and bound to the exchange [default: phanos-collector]
    #[arg(long, env = "PHANOS_QUEUE", value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Its type: classic or quorum [default: classic]
    #[arg(long, env = "PHANOS_QUEUE_TYPE", value_name = "TYPE")]
    pub(crate) queue_type: Option<String>,
    /// How long the queue stays without a collector; 0: for ever [default: 1d]
    #[arg(long, env = "PHANOS_QUEUE_EXPIRES", value_name = "TIME", value_parser = read_time)]
    pub(crate) queue_expires: Option<Duration>,
    /// Bytes in the queue at most; 0: no limit [default: 1GiB]
    #[arg(long, env = "PHANOS_QUEUE_MAX_BYTES", value_name = "SIZE", value_parser = read_size)]
    pub(crate) queue_max_bytes: Option<u64>,
    /// What a full queue does: reject-publish, and profilers keep their records, or drop-head
    /// [default: reject-publish]
    #[arg(long, env = "PHANOS_QUEUE_OVERFLOW", value_name = "WHAT")]
    pub(crate) queue_overflow: Option<String>,
    /// Of several collectors of the queue only one gets messages [default: true]
    #[arg(long, env = "PHANOS_QUEUE_SINGLE_ACTIVE", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true")]
    pub(crate) queue_single_active: Option<bool>,
    /// Routing key of the binding, for exchanges that look at it [default: #]
    #[arg(long, env = "PHANOS_ROUTING_KEY", value_name = "KEY")]
    pub(crate) routing_key: Option<String>,
    /// Share messages out over several queues, all of one worker to the same: an exchange of type
    /// x-consistent-hash, the same for all, between the exchange and the queues
    #[arg(long, env = "PHANOS_CELLS", value_name = "NAME")]
    pub(crate) cells: Option<String>,
    /// Bytes that the broker may send ahead [default: 64MiB]
    #[arg(long, env = "PHANOS_PREFETCH_BYTES", value_name = "SIZE", value_parser = read_size)]
    pub(crate) prefetch_bytes: Option<u64>,

    /// Unix socket for processes of this machine
    #[arg(long, env = "PHANOS_LISTEN_SOCKET", value_name = "PATH")]
    pub(crate) listen_socket: Option<PathBuf>,
    /// Where /metrics is served [default: 127.0.0.1:9464]
    #[arg(long, env = "PHANOS_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// File with a token that clients have to send (Authorization: Bearer ...)
    #[arg(long, env = "PHANOS_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate chain for https (PEM); read again on SIGHUP
    #[arg(long, env = "PHANOS_TLS_CERT_FILE", value_name = "FILE")]
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, env = "PHANOS_TLS_KEY_FILE", value_name = "FILE")]
    pub(crate) tls_key_file: Option<PathBuf>,
    /// Directory for what was counted; without one it is in memory alone
    #[arg(long, env = "PHANOS_STATE", value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Series that one job may have; beyond them totals go on in an overflow series [default: 10000]
    #[arg(long, env = "PHANOS_MAX_SERIES", value_name = "N")]
    pub(crate) max_series: Option<usize>,
    /// Jobs that have series of their own [default: 1000]
    #[arg(long, env = "PHANOS_MAX_JOBS", value_name = "N")]
    pub(crate) max_jobs: Option<usize>,
    /// Metrics that there may be [default: 1000]
    #[arg(long, env = "PHANOS_MAX_METRICS", value_name = "N")]
    pub(crate) max_metrics: Option<usize>,
    /// How long a new series shows 0, so that `increase` sees its first counts: the interval of
    /// scrapes, or 0 for not at all [default: 15s]
    #[arg(long, env = "PHANOS_ZERO_FIRST", value_name = "TIME", value_parser = read_time)]
    pub(crate) zero_first: Option<Duration>,
    /// How long a gauge, info or enum without records stays; 0: for ever [default: 1d]
    #[arg(long, env = "PHANOS_TIME_TO_LIVE", value_name = "TIME", value_parser = read_time)]
    pub(crate) time_to_live: Option<Duration>,
    /// How values of several workers become one gauge: last, sum, max, min or live [default: last]
    #[arg(long, env = "PHANOS_GAUGE_POLICY", value_name = "POLICY")]
    pub(crate) gauge_policy: Option<String>,
    /// How long a silent worker counts as alive, for gauges with policy live [default: 5m]
    #[arg(long, env = "PHANOS_LIVE_TIMEOUT", value_name = "TIME", value_parser = read_time)]
    pub(crate) live_timeout: Option<Duration>,
    /// How long it is remembered which messages of a silent worker were counted [default: 7d]
    #[arg(long, env = "PHANOS_WORKER_MEMORY", value_name = "TIME", value_parser = read_time)]
    pub(crate) worker_memory: Option<Duration>,
    /// Label for the job, if scrapes cannot have `honor_labels` [default: job]
    #[arg(long, env = "PHANOS_JOB_LABEL", value_name = "NAME")]
    pub(crate) job_label: Option<String>,
}
