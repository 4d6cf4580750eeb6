//! Stores what has changed, again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use phanos_delivery::spawn_blocking;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::hub::shared::{Batch, Hub};
use crate::state::store::Store;

/// Changes wait for so long to be stored together.
const INTERVAL: Duration = Duration::from_secs(1);
/// After storing, this many times as long as it took is left to other work.
const REST: u32 = 2;

/// Stores until `end` is dropped or told, and then once more. Returns the store, if all is stored.
pub async fn commit_until(
    hub: Arc<Hub>,
    mut store: Option<Store>,
    mut end: oneshot::Receiver<()>,
) -> Option<Store> {
    loop {
        let is_end = tokio::select! {
            biased;
            _ = &mut end => true,
            () = hub.woken() => false,
            () = sleep(INTERVAL) => false,
        };
        let begin = Instant::now();
        let stored;
        (store, stored) = commit(&hub, store).await;
        if is_end {
            return store.filter(|_| stored);
        }
        if store.is_some() {
            let rest = if stored { begin.elapsed() * REST } else { INTERVAL };
            tokio::select! {
                biased;
                _ = &mut end => {
                    (store, _) = commit(&hub, store).await;
                    return store;
                }
                () = sleep(rest.min(INTERVAL)) => {}
            }
        }
    }
}

/// Stores what has changed; false if that failed.
async fn commit(hub: &Arc<Hub>, store: Option<Store>) -> (Option<Store>, bool) {
    if hub.has_frames_to_join() {
        let joining = Arc::clone(hub);
        let _ = spawn_blocking(move || joining.join_frames()).await;
    }
    let Some(Batch { changes, sequence }) = hub.batch() else { return (store, true) };
    let Some(mut store) = store else {
        // A store that was lost is no reason to acknowledge what it does not have.
        if !hub.has_store() {
            hub.is_stored(sequence);
        }
        return (None, !hub.has_store());
    };
    let begin = Instant::now();
    let work = spawn_blocking(move || {
        let result = store.commit(&changes);
        let bytes = store.size_bytes();
        (store, changes, result, bytes)
    });
    let Ok((store, changes, result, bytes)) = work.await else { return (None, false) };
    let condition = &hub.condition;
    let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    condition.last_commit_us.store(took, Ordering::Relaxed);
    condition.store_bytes.store(bytes, Ordering::Relaxed);
    condition.store_fails.store(result.is_err(), Ordering::Relaxed);
    match result {
        Ok(()) => {
            condition.commits.fetch_add(1, Ordering::Relaxed);
            hub.is_stored(sequence);
            (Some(store), true)
        }
        Err(error) => {
            condition.failed_commits.fetch_add(1, Ordering::Relaxed);
            hub.put_back(changes);
            let text = format!("{error}; messages are not acknowledged meanwhile");
            hub.log.warn("state", &text);
            (Some(store), false)
        }
    }
}
