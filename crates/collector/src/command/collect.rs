//! A collector, from its start to its end.

use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use phanos_delivery::Unshared;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::changes::Stored;
use crate::amqp::consumer::consume;
use crate::command::settings::CollectSettings;
use crate::hub::committer::commit_until;
use crate::hub::log::Log;
use crate::hub::shared::Hub;
use crate::net::bind;
use crate::serve::server::serve;
use crate::socket::listener::LocalListener;
use crate::state::store::Store;

/// For sources to acknowledge what is stored, and after that for the last changes to be stored.
const SOURCES_TIMEOUT: Duration = Duration::from_millis(3500);
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// A collector that works.
pub struct Collector {
    hub: Arc<Hub>,
    end: watch::Sender<bool>,
    sources: Vec<JoinHandle<()>>,
    committer: JoinHandle<Option<Store>>,
    end_committer: oneshot::Sender<()>,
}

impl Collector {
    /// Starts everything on the current runtime, or nothing.
    ///
    /// # Errors
    /// One line: what is in the way.
    pub fn start(settings: &CollectSettings, log: Log) -> Result<Self, String> {
        let listen = settings.listen;
        let listener = bind(listen).map_err(|error| format!("listen {listen}: {error}"))?;
        let socket = settings.listen_socket.as_deref();
        Self::start_at(listener, || socket.map(LocalListener::bind).transpose(), settings, log)
    }

    /// The same with an address that is listened at; `bind_socket` is called when all else is there.
    ///
    /// # Errors
    /// One line: what is in the way.
    pub(crate) fn start_at(
        (listener, unshared): (StdTcpListener, Unshared),
        bind_socket: impl FnOnce() -> Result<Option<LocalListener>, String>,
        settings: &CollectSettings,
        log: Log,
    ) -> Result<Self, String> {
        let listen = settings.listen;
        let listener = TcpListener::from_std(listener);
        let listener = listener.map_err(|error| format!("listen {listen}: {error}"))?;
        let (store, stored) = match &settings.state {
            Some(directory) => {
                let (store, stored) = Store::open(directory)?;
                (Some(store), stored)
            }
            None => (None, Stored::default()),
        };
        let aggregate = Aggregate::load(settings.options.clone(), &stored)
            .map_err(|error| format!("state: {error}"))?;
        drop(stored);
        let socket = bind_socket()?;
        let hub = Arc::new(Hub::new(aggregate, store.is_some(), log));
        let (end, ending) = watch::channel(false);
        let (end_committer, committer_end) = oneshot::channel();
        let committer = tokio::spawn(commit_until(Arc::clone(&hub), store, committer_end));
        let token = settings.token.clone();
        let tls = settings.tls.clone();
        let serving = serve(listener, Arc::clone(&hub), token, tls, ending.clone());
        tokio::spawn(async move {
            serving.await;
            drop(unshared);
        });
        let mut sources = Vec::new();
        if let Some(socket) = socket {
            sources.push(tokio::spawn(socket.listen(Arc::clone(&hub), ending.clone())));
        }
        if let Some(amqp) = settings.amqp.clone() {
            sources.push(tokio::spawn(consume(Arc::clone(&hub), amqp, ending)));
        }
        Ok(Self { hub, end, sources, committer, end_committer })
    }

    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Ends within five seconds: what was counted is stored and acknowledged, the rest comes again.
    /// False if something could not be stored.
    pub async fn stop(self) -> bool {
        self.hub.condition.ending.store(true, Ordering::Relaxed);
        self.end.send_replace(true);
        let all = async {
            for source in self.sources {
                let _ = source.await;
            }
        };
        let _ = timeout(SOURCES_TIMEOUT, all).await;
        let _ = self.end_committer.send(());
        let stored = timeout(STORE_TIMEOUT, self.committer).await;
        let has_store = self.hub.has_store();
        matches!(stored, Ok(Ok(store)) if store.is_some() == has_store)
    }
}
