//! The process that counts and serves, among those that share a port.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use phanos_delivery::{BackgroundRuntime, LogLevel};
use tokio::sync::mpsc::UnboundedSender;

use crate::command::collect::Collector;
use crate::command::settings::CollectSettings;
use crate::host::folder::Folder;
use crate::host::settings::HostSettings;
use crate::hub::log::Log;
use crate::net::bind;
use crate::socket::listener::LocalListener;
use crate::socket::lock::Lock;

/// Threads of this package are known by the beginning of their names.
const THREAD_NAME: &str = "phanos-collect";
/// How long the end of its thread may take.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// A line for the logs of the process.
pub(crate) type Told = (LogLevel, String);

/// A collector in this process, on a thread of its own. Dropped, it ends by itself; what it had
/// counted and not stored was not confirmed either, and is sent again.
pub(crate) struct Leader {
    runtime: BackgroundRuntime,
    collector: Collector,
    /// Held until everything else has ended.
    _lock: Arc<Lock>,
}

/// Why a process does not lead.
pub(crate) enum Failed {
    /// Another process does.
    Led,
    /// The port is taken, which may be by a leader that is about to end.
    PortTaken,
    /// In words.
    Other(String),
}

impl Leader {
    pub(crate) async fn start(
        settings: &HostSettings,
        folder: &Folder,
        lines: UnboundedSender<Told>,
    ) -> Result<Self, Failed> {
        let other = |error: io::Error| Failed::Other(error.to_string());
        let lock = Lock::alone(&folder.leader()).map_err(other)?;
        let lock = Arc::new(lock.ok_or(Failed::Led)?);
        let listener = bind(settings.listen).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Failed::PortTaken,
            _ => Failed::Other(format!("{}: {error}", settings.listen)),
        })?;
        let runtime = BackgroundRuntime::start(THREAD_NAME).map_err(other)?;
        let socket = folder.socket();
        let collect = CollectSettings {
            amqp: None,
            listen_socket: None,
            listen: settings.listen,
            token: settings.token.clone(),
            tls: None,
            state: Some(settings.state.clone().unwrap_or_else(|| folder.state())),
            options: settings.options.clone(),
        };
        let held = Arc::clone(&lock);
        let starting = runtime.handle().spawn(async move {
            let log = Log::new(move |level, text| {
                let _ = lines.send((level, text.to_owned()));
            });
            let bind_socket = || LocalListener::bind_alone(&socket, held).map(Some);
            Collector::start_at(listener, bind_socket, &collect, log)
        });
        let started = starting.await.unwrap_or_else(|_| Err("phanos itself failed".into()));
        let collector = started.map_err(Failed::Other)?;
        Ok(Self { runtime, collector, _lock: lock })
    }

    /// False once its thread has ended, as when the program has closed its descriptors.
    pub(crate) fn works(&self) -> bool {
        self.runtime.works()
    }

    /// Stores what was counted, and makes room for another leader.
    pub(crate) async fn stop(self) {
        let Self { runtime, collector, _lock: lock } = self;
        let stopping = runtime.handle().spawn(async move { collector.stop().await });
        let _ = stopping.await;
        runtime.end_async(END_TIMEOUT).await;
        drop(lock);
    }
}
