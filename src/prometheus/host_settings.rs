//! The settings of the handler for Prometheus, from their Python form to native ones.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use phanos_collector::{HostConnector, HostSettings, MetricOptions, Options, Policy, Token};
use phanos_delivery::{Settings, SpoolSettings};

use crate::rabbitmq::connection_settings::seconds;
use crate::rabbitmq::delivery::Delivery;

/// How long messages may wait to be counted and stored before another link is tried.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Before another link is opened: the process that takes the place of one that ends has it at once.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Checked settings: attributes of `phanos._arguments.host.HostSettings`.
#[derive(FromPyObject)]
pub(crate) struct PythonSettings {
    port: u16,
    address: String,
    state_directory: Option<PathBuf>,
    runtime_directory: Option<PathBuf>,
    token: Option<String>,
    max_series: usize,
    zero_first_s: f64,
    time_to_live_s: f64,
    gauge_policy: String,
    job_label: String,
    metrics: Vec<PythonMetric>,
    buffer_bytes: usize,
    spool_directory: Option<PathBuf>,
    spool_bytes: u64,
    spool_adopt_s: f64,
}

/// What is chosen for one metric: attributes of `phanos._arguments.host.MetricSettings`.
#[derive(FromPyObject)]
pub(crate) struct PythonMetric {
    name: String,
    buckets: Option<Vec<f64>>,
    gauge_policy: Option<String>,
    time_to_live_s: Option<f64>,
}

/// The network side of a handler for Prometheus. Nothing is started yet.
///
/// Errors: `ValueError` for values that are out of range.
#[pyfunction]
pub(crate) fn delivery_on_host(py: Python<'_>, settings: PythonSettings) -> PyResult<Delivery> {
    Delivery::with(py, settings.into_native()?)
}

impl PythonSettings {
    fn into_native(self) -> PyResult<Settings> {
        let address: IpAddr = self.address.parse().map_err(|_| {
            PyValueError::new_err(format!(
                "address must be an IP address such as 127.0.0.1, got {:?}",
                self.address
            ))
        })?;
        let token = self.token.as_deref().map(Token::new).transpose();
        let token = token.map_err(PyValueError::new_err)?;
        let metrics: PyResult<Vec<_>> =
            self.metrics.into_iter().map(PythonMetric::into_native).collect();
        let options = Options {
            max_series: self.max_series,
            zero_first: seconds("zero_first_s", self.zero_first_s)?,
            time_to_live: seconds("time_to_live_s", self.time_to_live_s)?,
            policy: policy(&self.gauge_policy)?,
            job_label: self.job_label,
            metrics: metrics?,
            ..Options::default()
        };
        options.check().map_err(PyValueError::new_err)?;
        let adopt_interval = seconds("spool_adopt_s", self.spool_adopt_s)?;
        let spool = self.spool_directory.map(|directory| SpoolSettings {
            directory,
            max_bytes: self.spool_bytes,
            adopt_interval,
        });
        let connector = HostConnector::new(HostSettings {
            listen: SocketAddr::new(address, self.port),
            token,
            state: self.state_directory,
            runtime: self.runtime_directory,
            options,
        });
        Ok(Settings {
            connector: Arc::new(connector),
            blocked_timeout: ANSWER_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            attempts: 1,
            retry_delay: RETRY_DELAY,
            buffer_bytes: self.buffer_bytes,
            spool,
        })
    }
}

impl PythonMetric {
    fn into_native(self) -> PyResult<MetricOptions> {
        let time_to_live = self.time_to_live_s.map(|time| seconds("time_to_live_s", time));
        Ok(MetricOptions {
            name: self.name,
            buckets: self.buckets,
            policy: self.gauge_policy.as_deref().map(policy).transpose()?,
            time_to_live: time_to_live.transpose()?,
        })
    }
}

fn policy(name: &str) -> PyResult<Policy> {
    let known = Policy::ALL.into_iter().find(|policy| policy.name() == name);
    known.ok_or_else(|| {
        let names = Policy::ALL.map(Policy::name).join(", ");
        PyValueError::new_err(format!("gauge_policy must be one of {names}, got {name:?}"))
    })
}
