//! All senders on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use phanos_delivery::{Unshared, effective_user};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::hub::shared::Hub;
use crate::net::accept_local;
use crate::socket::connection::receive;
use crate::socket::lock::Lock;
use crate::socket::place::bind;

/// After an error of accepting: there may be no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection waits at the end for its messages to be stored.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A socket that processes of this user can connect to.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    _unshared: Unshared,
    path: PathBuf,
    /// Until the socket is removed no other process may make one there.
    _lock: Option<Arc<Lock>>,
}

impl LocalListener {
    /// # Errors
    /// A sentence that names the path, and says why there can be no socket.
    pub fn bind(path: &Path) -> Result<Self, String> {
        Self::new(path, None)
    }

    /// The same for the one process that may have a socket at `path`, as long as `lock` is held.
    ///
    /// # Errors
    /// A sentence that names the path, and says why there can be no socket.
    pub(crate) fn bind_alone(path: &Path, lock: Arc<Lock>) -> Result<Self, String> {
        Self::new(path, Some(lock))
    }

    fn new(path: &Path, lock: Option<Arc<Lock>>) -> Result<Self, String> {
        let (listener, unshared) = bind(path, lock.is_some())?;
        Ok(Self { listener, _unshared: unshared, path: path.to_owned(), _lock: lock })
    }

    /// Receives messages until `end` changes. Senders send again what is not stored by then.
    pub async fn listen(self, hub: Arc<Hub>, mut end: watch::Receiver<bool>) {
        let user = effective_user();
        loop {
            let accepted = tokio::select! {
                _ = end.changed() => return,
                accepted = accept_local(&self.listener) => accepted,
            };
            let Ok((stream, unshared)) = accepted else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // The folder keeps others out; this is for folders that do not.
            let peer = stream.peer_cred().map(|peer| peer.uid());
            if !peer.is_ok_and(|peer| peer == user || peer == 0) {
                hub.log.warn("stranger", "a process of another user was kept from the socket");
                continue;
            }
            let (hub, mut end) = (Arc::clone(&hub), end.clone());
            tokio::spawn(async move {
                let connections = &hub.condition.local_connections;
                connections.fetch_add(1, Ordering::Relaxed);
                let result = tokio::select! {
                    result = receive(stream, &hub) => result,
                    // Until what was counted is stored and told.
                    () = stored_after_end(&hub, &mut end) => Ok(()),
                };
                connections.fetch_sub(1, Ordering::Relaxed);
                drop(unshared);
                if let Err(error) = result {
                    hub.log.warn("sender", &format!("a sender on this machine: {error}"));
                }
            });
        }
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn stored_after_end(hub: &Hub, end: &mut watch::Receiver<bool>) {
    let _ = end.changed().await;
    hub.store_soon();
    // Nothing may be left to store, or no task that stores.
    let _ = timeout(END_TIMEOUT, hub.stored().changed()).await;
    // Time for the frame that tells it.
    sleep(ACCEPT_PAUSE).await;
}
