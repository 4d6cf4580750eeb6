//! Senders as applications have them, and a collector: end to end over the local socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use phanos_collector::{LocalListener, Store};
use phanos_core::path::TextSlot;
use phanos_core::record::{Metric, Operation};
use phanos_delivery::{Content, LocalSettings, Sender, Settings};
use tokio::sync::watch;

use crate::hubs::{DEADLINE, Running, in_time};
use crate::stored::Directory;

fn sender(path: &std::path::Path) -> Sender {
    let connector = LocalSettings { path: path.to_owned(), connect_timeout: DEADLINE };
    let sender = Sender::new(Settings {
        connector: Arc::new(connector),
        blocked_timeout: DEADLINE,
        answer_timeout: DEADLINE,
        attempts: 2,
        retry_delay: Duration::from_millis(10),
        buffer_bytes: 64 << 20,
        spool: None,
    });
    sender.start(|| Ok((tokio::runtime::Handle::current(), ()))).expect("started");
    sender
}

fn record(sender: &Sender, count: usize) {
    let metric = Arc::new(Metric::new("time_profiler", "histogram", "mS", "JOB"));
    sender.push(|chunk| {
        let metric = chunk.metric(&metric);
        let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
        for _ in 0..count {
            let operation = Operation::Observe;
            chunk.push(
                metric,
                slot,
                Content::Number { operation, error_raised: Some(false), number: 1.25 },
            );
        }
    });
}

async fn flush(sender: &Sender) {
    let flushed = sender.flush().expect("started");
    assert_eq!(in_time(flushed.into_recv_async()).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_goes_and_comes_back_counts_each_record_once() {
    let (folder, state) = (Directory::new(), Directory::new());
    let path = folder.path().join("socket");
    let sender = sender(&path);
    let mut recorded = 0;
    for round in 0..4 {
        // Before the collector is there, and while it is.
        record(&sender, 1_000);
        let (store, stored) = Store::open(state.path()).expect("opened");
        let running = Running::load(store, &stored);
        let listener = LocalListener::bind(&path).expect("bound");
        let (end, ending) = watch::channel(false);
        let listening = tokio::spawn(listener.listen(Arc::clone(&running.hub), ending));
        record(&sender, 10_000);
        recorded += 11_000;
        flush(&sender).await;
        assert_eq!(sender.stats().confirmed, recorded, "round {round}");
        // What was confirmed is stored, and what was not comes again.
        record(&sender, 500);
        recorded += 500;
        end.send_replace(true);
        in_time(listening).await.expect("no panic");
        drop(running.stop().await.expect("stored"));
    }
    let (store, stored) = Store::open(state.path()).expect("opened");
    let running = Running::load(store, &stored);
    let listener = LocalListener::bind(&path).expect("bound");
    let (_end, ending) = watch::channel(false);
    tokio::spawn(listener.listen(Arc::clone(&running.hub), ending));
    flush(&sender).await;
    assert_eq!(running.observations(), recorded);
    let counts = sender.stats();
    assert_eq!((counts.confirmed, counts.queued), (recorded, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_does_not_wait_for_the_second() {
    let (folder, state) = (Directory::new(), Directory::new());
    let path = folder.path().join("socket");
    let (store, stored) = Store::open(state.path()).expect("opened");
    let running = Running::load(store, &stored);
    let listener = LocalListener::bind(&path).expect("bound");
    let (_end, ending) = watch::channel(false);
    tokio::spawn(listener.listen(Arc::clone(&running.hub), ending));
    let sender = sender(&path);
    let begin = Instant::now();
    for _ in 0..20 {
        record(&sender, 1);
        flush(&sender).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_eq!(running.observations(), 20);
}
