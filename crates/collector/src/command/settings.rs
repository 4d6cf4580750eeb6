//! What is used: given, from the file, or by default; checked before anything starts.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use phanos_delivery::TlsFiles;

use crate::aggregate::options::{MetricOptions, Options, Policy};
use crate::amqp::settings::{ConsumerSettings, Overflow, QueueSettings, broker};
use crate::command::arguments::CollectArguments;
use crate::command::file::{self, MetricTable};
use crate::command::quantity::{show_size, show_time};
use crate::serve::tls::Tls;
use crate::serve::token::Token;

/// The port that Prometheus' list of exporters has for metrics of applications.
pub(crate) const PORT: u16 = 9464;

/// All that a collector needs to know.
#[derive(Clone, Debug)]
pub struct CollectSettings {
    pub amqp: Option<ConsumerSettings>,
    pub listen_socket: Option<PathBuf>,
    pub listen: SocketAddr,
    pub token: Option<Token>,
    pub tls: Option<Tls>,
    pub state: Option<PathBuf>,
    pub options: Options,
}

impl CollectSettings {
    /// # Errors
    /// One line: what was given, and what was expected.
    pub(crate) fn new(mut given: CollectArguments) -> Result<Self, String> {
        let tables = match given.config.clone() {
            Some(path) => file::add(&path, &mut given)?,
            None => Vec::new(),
        };
        let settings = Self {
            amqp: amqp(&given)?,
            listen_socket: given.listen_socket.clone(),
            listen: given.listen.unwrap_or((Ipv4Addr::LOCALHOST, PORT).into()),
            token: given.token_file.as_deref().map(token).transpose()?,
            tls: tls(&given)?,
            state: given.state.clone(),
            options: options(&given, tables)?,
        };
        if settings.amqp.is_none() && settings.listen_socket.is_none() {
            return Err("nothing to collect: give --amqp-url, --listen-socket or both".into());
        }
        Ok(settings)
    }

    /// Where Prometheus finds the metrics.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/metrics", self.listen)
    }

    /// What others can read who reach the address, if it is reached from elsewhere.
    pub(crate) fn exposure(&self) -> Option<String> {
        if self.listen.ip().to_canonical().is_loopback() {
            return None;
        }
        let what = "all jobs, names of functions, labels and numbers";
        let readers = match (&self.token, &self.tls) {
            (Some(_), Some(_)) => return None,
            (None, Some(_)) => "anyone who reaches it; --token-file asks for a token",
            (Some(_), None) => {
                "anyone who sees the traffic, as well as the token; --tls-cert-file and \
                 --tls-key-file encrypt it"
            }
            (None, None) => {
                "anyone who reaches it or sees the traffic; --token-file asks for a token, \
                 --tls-cert-file and --tls-key-file encrypt it"
            }
        };
        Some(format!("{what} at {} can be read by {readers}", self.listen))
    }

    /// What would be used, one line each, without secrets.
    pub(crate) fn show(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(out, "{name:<20} {value}");
        };
        if let Some(ConsumerSettings { broker, queue }) = &self.amqp {
            let scheme = if broker.tls.is_some() { "amqps" } else { "amqp" };
            let host = format!("{scheme}://{}@{}:{}", broker.user, broker.host, broker.port);
            line("broker", &format!("{host}, virtual host {:?}", broker.virtual_host));
            line("exchange", &format!("{} ({})", broker.exchange, broker.exchange_type));
            let expires = show_time(queue.expires);
            let max_bytes = show_size(queue.max_bytes);
            let overflow = queue.overflow.name();
            let single = if queue.single_active { ", one active consumer" } else { "" };
            line(
                "queue",
                &format!(
                    "{} ({}), expires after {expires}, at most {max_bytes} ({overflow}){single}",
                    queue.name, queue.kind
                ),
            );
            line("cells", queue.cells.as_deref().unwrap_or("none"));
            line("prefetch-bytes", &show_size(queue.prefetch_bytes));
        }
        let path = |path: &Option<PathBuf>, none: &str| {
            path.as_ref().map_or(none.to_owned(), |path| path.display().to_string())
        };
        line("listen-socket", &path(&self.listen_socket, "none"));
        line("listen", &self.url());
        line("token", if self.token.is_some() { "needed" } else { "none" });
        line("state", &path(&self.state, "none: in memory alone"));
        let options = &self.options;
        line("max-series", &format!("{} for each job", options.max_series));
        line("max-jobs", &options.max_jobs.to_string());
        line("max-metrics", &options.max_metrics.to_string());
        line("zero-first", &show_time(options.zero_first));
        line("time-to-live", &show_time(options.time_to_live));
        line("gauge-policy", options.policy.name());
        line("live-timeout", &show_time(options.live_timeout));
        line("worker-memory", &show_time(options.worker_memory));
        line("job-label", &options.job_label);
        for metric in &options.metrics {
            let mut own = Vec::new();
            if let Some(buckets) = &metric.buckets {
                own.push(format!("buckets {buckets:?}"));
            }
            own.extend(metric.policy.map(|policy| format!("gauge-policy {}", policy.name())));
            own.extend(metric.time_to_live.map(|time| format!("time-to-live {}", show_time(time))));
            line("metric", &format!("{}: {}", metric.name, own.join(", ")));
        }
        out
    }
}

fn amqp(given: &CollectArguments) -> Result<Option<ConsumerSettings>, String> {
    let Some(url) = &given.amqp_url else { return Ok(None) };
    let default = QueueSettings::default();
    let files = TlsFiles {
        ca: given.amqp_ca_file.clone(),
        certificate: given.amqp_cert_file.clone(),
        key: given.amqp_key_file.clone(),
    };
    let exchange = given.exchange.as_deref().unwrap_or("profiling");
    let exchange_type = given.exchange_type.as_deref().unwrap_or("fanout");
    let broker = broker(url, exchange, exchange_type, &files)?;
    let kind = given.queue_type.clone().unwrap_or(default.kind);
    if !["classic", "quorum"].contains(&&*kind) {
        return Err(format!("queue-type {kind:?} is neither classic nor quorum"));
    }
    let overflow = match &given.queue_overflow {
        None => default.overflow,
        Some(name) => {
            Overflow::ALL.into_iter().find(|overflow| overflow.name() == name).ok_or_else(|| {
                format!("queue-overflow {name:?} is neither reject-publish nor drop-head")
            })?
        }
    };
    let prefetch_bytes = given.prefetch_bytes.unwrap_or(default.prefetch_bytes);
    if prefetch_bytes == 0 {
        return Err("prefetch-bytes 0 would let no message come".into());
    }
    let queue = QueueSettings {
        name: given.queue.clone().unwrap_or(default.name),
        kind,
        expires: given.queue_expires.unwrap_or(default.expires),
        max_bytes: given.queue_max_bytes.unwrap_or(default.max_bytes),
        overflow,
        single_active: given.queue_single_active.unwrap_or(default.single_active),
        prefetch_bytes,
        routing_key: given.routing_key.clone().unwrap_or(default.routing_key),
        cells: given.cells.clone(),
    };
    Ok(Some(ConsumerSettings { broker, queue }))
}

pub(crate) fn token(path: &Path) -> Result<Token, String> {
    let failed =
        |error: &dyn ToString| format!("token-file {}: {}", path.display(), error.to_string());
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    Token::new(text.trim()).map_err(|error| failed(&error))
}

fn tls(given: &CollectArguments) -> Result<Option<Tls>, String> {
    match (&given.tls_cert_file, &given.tls_key_file) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Tls::read(certificate, key).map(Some),
        _ => Err("tls-cert-file and tls-key-file are given together or not at all".into()),
    }
}

fn options(given: &CollectArguments, tables: Vec<MetricTable>) -> Result<Options, String> {
    let default = Options::default();
    let job_label = given.job_label.clone().unwrap_or(default.job_label);
    let metrics: Result<Vec<MetricOptions>, String> = tables.into_iter().map(metric).collect();
    let options = Options {
        max_series: given.max_series.unwrap_or(default.max_series),
        max_jobs: given.max_jobs.unwrap_or(default.max_jobs),
        max_metrics: given.max_metrics.unwrap_or(default.max_metrics),
        zero_first: given.zero_first.unwrap_or(default.zero_first),
        time_to_live: given.time_to_live.unwrap_or(default.time_to_live),
        live_timeout: given.live_timeout.unwrap_or(default.live_timeout),
        worker_memory: given.worker_memory.unwrap_or(default.worker_memory),
        job_label,
        policy: given.gauge_policy.as_deref().map(policy).transpose()?.unwrap_or(default.policy),
        metrics: metrics?,
    };
    options.check()?;
    Ok(options)
}

fn metric(table: MetricTable) -> Result<MetricOptions, String> {
    let MetricTable { name, buckets, gauge_policy, time_to_live } = table;
    let policy = gauge_policy.as_deref().map(policy).transpose();
    let policy = policy.map_err(|error| format!("metric {name:?}: {error}"))?;
    Ok(MetricOptions { name, buckets, policy, time_to_live })
}

fn policy(name: &str) -> Result<Policy, String> {
    let known = Policy::ALL.into_iter().find(|policy| policy.name() == name);
    known.ok_or_else(|| format!("gauge-policy {name:?} is none of last, sum, max, min and live"))
}
