//! The settings of a connection, from their Python form to the engine's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use phanos_delivery::{AmqpSettings, Secret, Settings, SpoolSettings, TcpOptions, Tls, TlsFiles};

/// The checked settings of a connection: attributes of `phanos._arguments.connection.ConnectionSettings`.
#[derive(FromPyObject)]
pub(crate) struct ConnectionSettings {
    host: String,
    port: u16,
    other_hosts: Vec<(String, u16)>,
    user: String,
    virtual_host: String,
    heartbeat: Option<u16>,
    blocked_connection_timeout: f64,
    connection_attempts: u32,
    retry_delay: f64,
    socket_timeout: f64,
    stack_timeout: f64,
    channel_max: Option<u16>,
    frame_max: Option<u32>,
    locale: String,
    client_properties: BTreeMap<String, String>,
    tcp_options: BTreeMap<String, u32>,
    ssl_options: Option<BTreeMap<String, String>>,
    exchange_name: String,
    exchange_type: String,
    buffer_bytes: usize,
    spool_directory: Option<PathBuf>,
    spool_bytes: u64,
    spool_adopt_s: f64,
}

impl ConnectionSettings {
    /// Errors: `ValueError` for times that are no times, and for certificates that cannot be read.
    pub(crate) fn into_native(self, password: String) -> PyResult<Settings> {
        let tls = self.ssl_options.map(|mut options| {
            let mut file = |name| options.remove(name).map(PathBuf::from);
            let files = TlsFiles {
                ca: file("ca_file"),
                certificate: file("cert_file"),
                key: file("key_file"),
            };
            Tls::new(files, options.remove("server_hostname"))
        });
        let tls = tls.transpose().map_err(|error| {
            PyValueError::new_err(format!("ssl_options cannot be honoured: {error}"))
        })?;
        let adopt_interval = seconds("spool_adopt_s", self.spool_adopt_s)?;
        let spool = self.spool_directory.map(|directory| SpoolSettings {
            directory,
            max_bytes: self.spool_bytes,
            adopt_interval,
        });
        let tcp = |name| self.tcp_options.get(name).copied();
        let tcp_duration = |name, unit: fn(u64) -> Duration| tcp(name).map(|n| unit(n.into()));
        let tcp = TcpOptions {
            user_timeout: tcp_duration("TCP_USER_TIMEOUT", Duration::from_millis),
            keep_idle: tcp_duration("TCP_KEEPIDLE", Duration::from_secs),
            keep_interval: tcp_duration("TCP_KEEPINTVL", Duration::from_secs),
            keep_count: tcp("TCP_KEEPCNT"),
        };
        let stack_timeout = seconds("stack_timeout", self.stack_timeout)?;
        let connector = AmqpSettings {
            host: self.host,
            port: self.port,
            others: self.other_hosts,
            user: self.user,
            password: Secret::new(password),
            virtual_host: self.virtual_host,
            exchange: self.exchange_name,
            exchange_type: self.exchange_type,
            heartbeat_s: self.heartbeat,
            socket_timeout: seconds("socket_timeout", self.socket_timeout)?,
            stack_timeout,
            channel_max: self.channel_max,
            frame_max: self.frame_max,
            locale: self.locale,
            client_properties: self.client_properties.into_iter().collect(),
            tcp,
            tls,
        };
        Ok(Settings {
            connector: Arc::new(connector),
            blocked_timeout: seconds("timeout", self.blocked_connection_timeout)?,
            answer_timeout: stack_timeout,
            attempts: self.connection_attempts,
            retry_delay: seconds("retry_delay", self.retry_delay)?,
            buffer_bytes: self.buffer_bytes,
            spool,
        })
    }
}

/// Errors: `ValueError`, which names the setting, if `value` is no number of seconds >= 0.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{name} must be seconds >= 0, got {value}")))
}
