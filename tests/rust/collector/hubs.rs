//! Hubs with a committer, and waiting for what they do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use phanos_collector::{Aggregate, Format, Hub, Log, Store, Stored, commit_until};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::shown::options;

/// For what should take milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// A hub, and what stores for it.
pub(crate) struct Running {
    pub(crate) hub: Arc<Hub>,
    end: oneshot::Sender<()>,
    committer: JoinHandle<Option<Store>>,
}

impl Running {
    pub(crate) fn new(store: Option<Store>) -> Self {
        Self::with(Aggregate::new(options()), store)
    }

    /// With what was stored.
    pub(crate) fn load(store: Store, stored: &Stored) -> Self {
        Self::with(Aggregate::load(options(), stored).expect("read"), Some(store))
    }

    fn with(aggregate: Aggregate, store: Option<Store>) -> Self {
        let hub = Hub::new(aggregate, store.is_some(), Log::new(|_, _| {}));
        let hub = Arc::new(hub);
        let (end, committer_end) = oneshot::channel();
        let committer = tokio::spawn(commit_until(Arc::clone(&hub), store, committer_end));
        Self { hub, end, committer }
    }

    /// Stores what is left; returns the store if that worked.
    pub(crate) async fn stop(self) -> Option<Store> {
        let _ = self.end.send(());
        in_time(self.committer).await.expect("no panic")
    }

    /// How many observations all histograms have, those before the start included.
    pub(crate) fn observations(&self) -> u64 {
        let text = String::from_utf8(self.hub.page(Format::Text)).expect("UTF-8");
        let counts = text.lines().filter(|line| line.contains("_seconds_count{"));
        counts
            .map(|line| line.rsplit(' ').next().expect("a count").parse::<u64>().expect("a count"))
            .sum()
    }

    /// How many records were counted.
    pub(crate) fn records(&self) -> u64 {
        self.hub.look(|aggregate| aggregate.tally().records)
    }

    pub(crate) async fn wait_for_records(&self, records: u64) {
        let end = Instant::now() + DEADLINE;
        while self.records() < records {
            assert!(Instant::now() < end, "{} of {records} records", self.records());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(self.records(), records);
    }
}
