//! Options in a TOML file. Their names are those of the command line.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::command::arguments::CollectArguments;
use crate::command::quantity::{read_size, read_time};

/// One metric's own options.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MetricTable {
    pub(crate) name: String,
    pub(crate) buckets: Option<Vec<f64>>,
    pub(crate) gauge_policy: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub(crate) time_to_live: Option<Duration>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Options {
    amqp_url: Option<String>,
    amqp_ca_file: Option<PathBuf>,
    amqp_cert_file: Option<PathBuf>,
    amqp_key_file: Option<PathBuf>,
    exchange: Option<String>,
    exchange_type: Option<String>,
    queue: Option<String>,
    queue_type: Option<String>,
    #[serde(deserialize_with = "time")]
    queue_expires: Option<Duration>,
    #[serde(deserialize_with = "size")]
    queue_max_bytes: Option<u64>,
    queue_overflow: Option<String>,
    queue_single_active: Option<bool>,
    routing_key: Option<String>,
    cells: Option<String>,
    #[serde(deserialize_with = "size")]
    prefetch_bytes: Option<u64>,
    listen_socket: Option<PathBuf>,
    listen: Option<SocketAddr>,
    token_file: Option<PathBuf>,
    tls_cert_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
    state: Option<PathBuf>,
    max_series: Option<usize>,
    max_jobs: Option<usize>,
    max_metrics: Option<usize>,
    #[serde(deserialize_with = "time")]
    zero_first: Option<Duration>,
    #[serde(deserialize_with = "time")]
    time_to_live: Option<Duration>,
    gauge_policy: Option<String>,
    #[serde(deserialize_with = "time")]
    live_timeout: Option<Duration>,
    #[serde(deserialize_with = "time")]
    worker_memory: Option<Duration>,
    job_label: Option<String>,
    metric: Vec<MetricTable>,
}

/// Adds what the file says where `given` says nothing; returns the tables of metrics.
///
/// # Errors
/// One line that names the file, and what is wrong with it.
pub(crate) fn add(path: &Path, given: &mut CollectArguments) -> Result<Vec<MetricTable>, String> {
    let failed = |error: &dyn ToString| {
        let error = error.to_string();
        let lines: Vec<&str> =
            error.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // Where, and what; what stands there is left out, which may be a password.
        let line = match lines.as_slice() {
            [first, .., last] => format!("{first}: {last}"),
            lines => lines.concat(),
        };
        format!("{}: {line}", path.display())
    };
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let file: Options = toml::from_str(&text).map_err(|error| failed(&error))?;
    macro_rules! add {
        ($($name:ident),* $(,)?) => { $(given.$name = given.$name.take().or(file.$name);)* };
    }
    add!(
        amqp_url,
        amqp_ca_file,
        amqp_cert_file,
        amqp_key_file,
        exchange,
        exchange_type,
        queue,
        queue_type,
        queue_expires,
        queue_max_bytes,
        queue_overflow,
        queue_single_active,
        routing_key,
        cells,
        prefetch_bytes,
        listen_socket,
        listen,
        token_file,
        tls_cert_file,
        tls_key_file,
        state,
        max_series,
        max_jobs,
        max_metrics,
        zero_first,
        time_to_live,
        gauge_policy,
        live_timeout,
        worker_memory,
        job_label,
    );
    Ok(file.metric)
}

fn time<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(value)?;
    read_time(&text).map(Some).map_err(serde::de::Error::custom)
}

fn size<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(value)? {
        Size::Bytes(bytes) => Ok(Some(bytes)),
        Size::Text(text) => read_size(&text).map(Some).map_err(serde::de::Error::custom),
    }
}
