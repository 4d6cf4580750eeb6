//! The engine with a link that is not AMQP and needs no receiver.

mod fake_link;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fake_link::{FakeConnector, Reaction};
use phanos_core::path::TextSlot;
use phanos_core::record::{Metric, Operation};
use phanos_delivery::flume::{Receiver, RecvTimeoutError};
use phanos_delivery::{
    ConnectionState, Content, DropReason, Failure, LinkEvent, Probe, Sender, Settings, Stats,
};
use tokio::runtime::{Builder, Runtime};

/// For everything that should happen at once.
const DEADLINE: Duration = Duration::from_secs(20);

/// A sender whose engine works on a runtime of its own.
struct Started {
    sender: Sender,
    runtime: Runtime,
}

fn settings(connector: &Arc<FakeConnector>) -> Settings {
    Settings {
        connector: connector.clone(),
        blocked_timeout: DEADLINE,
        answer_timeout: DEADLINE,
        attempts: 2,
        retry_delay: Duration::from_millis(10),
        buffer_bytes: 1024 * 1024,
        spool: None,
    }
}

impl Started {
    fn new(connector: &Arc<FakeConnector>) -> Self {
        Self::with_settings(settings(connector))
    }

    fn with_settings(settings: Settings) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sender = Sender::new(settings);
        sender.start(|| Ok((runtime.handle().clone(), ()))).unwrap();
        Self { sender, runtime }
    }

    fn push(&self, metric: &str, value: f64) {
        let metric = Arc::new(Metric::new(metric, "histogram", "mS", "JOB"));
        self.sender.push(|chunk| {
            let metric = chunk.metric(&metric);
            let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
            let operation = Operation::Observe;
            chunk.push(
                metric,
                slot,
                Content::Number { operation, error_raised: None, number: value },
            );
        });
    }

    fn push_many(&self, metric: &str, records: u32) {
        let metric = Arc::new(Metric::new(metric, "histogram", "mS", "JOB"));
        self.sender.push(|chunk| {
            let metric = chunk.metric(&metric);
            let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
            for number in 0..records {
                let number = f64::from(number);
                let operation = Operation::Observe;
                let content = Content::Number { operation, error_raised: None, number };
                chunk.push(metric, slot, content);
            }
        });
    }

    fn publish(&self, records: u32) -> Receiver<bool> {
        let deadline = Instant::now() + 2 * DEADLINE;
        self.sender.publish("JOB", records, b"[]".to_vec(), deadline, deadline).expect("started")
    }

    fn flush(&self) -> bool {
        reply(&self.sender.flush().expect("started"))
    }

    fn stop(&self) -> bool {
        reply(&self.sender.stop().expect("started"))
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        let dropped = self.sender.stats().dropped;
        dropped.iter().find(|(other, _)| *other == reason).expect("counted").1
    }

    /// Waits until the statistics are as they should be.
    fn wait_for_stats(&self, expected: impl Fn(&Stats) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !expected(&self.sender.stats()) {
            assert!(Instant::now() < deadline, "{:?}", self.sender.stats());
            std::thread::yield_now();
        }
    }
}

fn reply(receiver: &Receiver<bool>) -> bool {
    receiver.recv_timeout(DEADLINE).expect("a reply in time")
}

/// The next message that the receiver gets.
fn received(connector: &FakeConnector) -> (Box<str>, String) {
    let (envelope, body) = connector.received.recv_timeout(DEADLINE).expect("a message in time");
    (envelope.id, String::from_utf8(body).expect("UTF-8"))
}

#[test]
fn records_are_confirmed_and_flushed() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 0.09);
    assert!(started.flush());
    let stats = started.sender.stats();
    assert_eq!((stats.confirmed, stats.messages, stats.queued, stats.in_flight), (1, 1, 0, 0));
    assert_eq!(stats.state, ConnectionState::Connected);
    let (envelope, body) = connector.received.try_recv().expect("sent");
    assert_eq!((&*envelope.metric, &*envelope.routing_key), ("time_profiler", "JOB"));
    assert_eq!(envelope.records, 1);
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body[0]["value"][1], 0.09);
    assert!(started.stop());
    assert_eq!(started.sender.state(), ConnectionState::Closed);
    assert_eq!(connector.closed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_rejected_message_is_sent_again() {
    let connector = FakeConnector::new(&[Reaction::Reject], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    assert_eq!(received(&connector), received(&connector));
    let stats = started.sender.stats();
    assert_eq!((stats.rejected, stats.retried, stats.confirmed), (1, 1, 1));
    assert_eq!(stats.last_error.as_deref(), Some("the receiver refuses messages for now (full?)"));
}

#[test]
fn messages_are_sent_again_over_the_next_link() {
    let connector = FakeConnector::new(&[Reaction::Break], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    assert_eq!(received(&connector), received(&connector));
    assert_eq!(connector.opened.load(Ordering::SeqCst), 2);
    let stats = started.sender.stats();
    assert_eq!((stats.reconnects, stats.retried, stats.confirmed), (1, 1, 1));
    let lines: Vec<_> = started.sender.take_log_lines().into_iter().map(|line| line.text).collect();
    assert_eq!(
        lines,
        [
            "no connection to the fake, records are kept meanwhile: told to break",
            "connected to fake://receiver again",
        ]
    );
    assert!(!started.sender.has_log_lines());
}

#[test]
fn a_link_that_is_lost_without_a_message_is_replaced() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    connector.happen(LinkEvent::Lost(Failure::Lost("gone".into())));
    started.wait_for_stats(|stats| stats.reconnects == 1);
    started.push("time_profiler", 2.0);
    assert!(started.flush());
    assert_eq!(started.sender.stats().confirmed, 2);
}

#[test]
fn nothing_is_sent_while_the_receiver_blocks() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    assert!(started.flush());
    started.wait_for_stats(|stats| stats.state == ConnectionState::Connected);
    connector.happen(LinkEvent::Blocked("no memory".into()));
    started.wait_for_stats(|stats| stats.state == ConnectionState::Blocked);
    started.push("time_profiler", 1.0);
    let flush = started.sender.flush().expect("started");
    // The engine has taken the record: it has replied to a later command.
    let past = Instant::now();
    let withdrawn = started.sender.publish("JOB", 1, b"[]".to_vec(), past, past).expect("started");
    assert!(!reply(&withdrawn));
    assert!(connector.received.is_empty());
    assert_eq!(flush.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    connector.happen(LinkEvent::Unblocked);
    assert!(reply(&flush));
    assert_eq!(started.sender.stats().confirmed, 1);
    let error = started.sender.stats().last_error;
    assert_eq!(error.as_deref(), Some("the receiver takes no messages for now: no memory"));
}

#[test]
fn a_receiver_that_blocks_for_too_long_is_connected_to_again() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let blocked_timeout = Duration::from_millis(20);
    let started = Started::with_settings(Settings { blocked_timeout, ..settings(&connector) });
    started.wait_for_stats(|stats| stats.state == ConnectionState::Connected);
    connector.happen(LinkEvent::Blocked("no memory".into()));
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    started.wait_for_stats(|stats| stats.reconnects == 1);
}

#[test]
fn a_receiver_that_does_not_answer_is_connected_to_again() {
    let connector = FakeConnector::new(&[Reaction::Ignore], Reaction::Confirm);
    let answer_timeout = Duration::from_millis(20);
    let started = Started::with_settings(Settings { answer_timeout, ..settings(&connector) });
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    let error = started.sender.stats().last_error.expect("noted");
    assert!(error.ends_with("no answer from the receiver for 20ms"), "{error}");
}

#[test]
fn a_message_over_which_links_break_is_found_and_dropped() {
    let connector = FakeConnector::new(&[Reaction::Blame; 4], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("bad", 1.0);
    assert!(started.flush());
    assert_eq!(started.dropped(DropReason::Refused), 1);
    started.push("good", 1.0);
    assert!(started.flush());
    assert_eq!(started.sender.stats().confirmed, 1);
}

#[test]
fn messages_that_no_consumer_ever_got_are_dropped() {
    let connector = FakeConnector::new(&[], Reaction::Return);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    assert_eq!(started.dropped(DropReason::Unroutable), 1);
    // To the caller of `publish`, what the receiver has is confirmed.
    assert!(reply(&started.publish(2)));
    assert_eq!(started.sender.stats().returned, 3);
}

#[test]
fn consumers_that_were_there_are_waited_for() {
    let reactions = [Reaction::Confirm, Reaction::Return, Reaction::Return];
    let connector = FakeConnector::new(&reactions, Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    assert!(started.flush());
    started.push("time_profiler", 2.0);
    assert!(!started.flush(), "consumers may never come back");
    started.wait_for_stats(|stats| stats.confirmed == 2);
    assert_eq!(started.sender.stats().returned, 2);
    assert_eq!(connector.received.len(), 4);
}

#[test]
fn a_return_that_comes_after_the_confirmation_counts() {
    let reactions = [Reaction::Confirm, Reaction::ReturnLate];
    let connector = FakeConnector::new(&reactions, Reaction::Confirm);
    let started = Started::new(&connector);
    for value in [1.0, 2.0, 3.0] {
        started.push("time_profiler", value);
        assert!(started.flush());
    }
    // The second message was counted as confirmed; the third one's answer takes that back.
    started.wait_for_stats(|stats| stats.confirmed == 3 && stats.returned == 1);
    let ids: Vec<_> = (0..4).map(|_| received(&connector)).collect();
    assert_eq!(ids[1], ids[3]);
}

#[test]
fn a_return_of_what_was_never_sent_counts_nothing() {
    let connector = FakeConnector::new(&[], Reaction::ReturnUnknown);
    let started = Started::new(&connector);
    for value in [1.0, 2.0] {
        started.push("time_profiler", value);
        assert!(started.flush());
    }
    let stats = started.sender.stats();
    assert_eq!((stats.confirmed, stats.returned, stats.queued), (2, 0, 0));
    let error = stats.last_error.expect("noted");
    assert_eq!(error, "the receiver returned a message that was not sent to it");
}

#[test]
fn a_batch_larger_than_the_buffer_is_delivered() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::with_settings(Settings { buffer_bytes: 1000, ..settings(&connector) });
    for round in 1..=20 {
        started.push_many("time_profiler", 500);
        assert!(started.flush());
        assert_eq!(started.sender.stats().confirmed, 500 * round);
    }
    assert_eq!(started.dropped(DropReason::Full), 0);
}

#[test]
fn texts_of_the_receiver_forge_no_line() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    assert!(started.flush());
    let forged = "bye\r\nERROR root - \u{1b}[31mforged";
    connector.happen(LinkEvent::Lost(Failure::Lost(forged.into())));
    started.wait_for_stats(|stats| stats.reconnects == 1);
    connector.happen(LinkEvent::Blocked(forged.into()));
    started.wait_for_stats(|stats| stats.state == ConnectionState::Blocked);
    let mut texts: Vec<_> =
        started.sender.take_log_lines().into_iter().map(|line| line.text).collect();
    texts.extend(started.sender.stats().last_error);
    texts.push(Failure::Refused(forged.into()).to_string());
    let fit = "bye\\r\\nERROR root - \\u{1b}[31mforged";
    assert_eq!(texts.iter().filter(|text| text.contains(fit)).count(), 4, "{texts:?}");
    assert!(texts.iter().all(|text| !text.contains(char::is_control)), "{texts:?}");
}

#[test]
fn an_engine_whose_runtime_is_gone_leaves_its_messages_to_the_next() {
    let connector = FakeConnector::new(&[Reaction::Ignore, Reaction::Ignore], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    received(&connector);
    let published = started.publish(2);
    received(&connector);
    started.push("time_profiler", 3.0);
    started.runtime.shutdown_background();
    let sender = started.sender;
    let deadline = Instant::now() + DEADLINE;
    while !sender.is_abandoned() {
        assert!(Instant::now() < deadline, "{:?}", sender.stats());
        std::thread::yield_now();
    }
    let stats = sender.stats();
    assert_eq!((stats.handed_over, stats.queued, stats.in_flight), (4, 4, 0));
    assert!(!sender.is_empty());
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    sender.start(|| Ok((runtime.handle().clone(), ()))).unwrap();
    assert!(reply(&published) && reply(&sender.flush().expect("started")));
    assert_eq!(sender.stats().confirmed, 4);
    assert!(reply(&sender.stop().expect("started")));
}

#[test]
fn what_no_engine_could_be_started_for_is_counted_at_the_end() {
    let connector = FakeConnector::new(&[Reaction::Ignore], Reaction::Ignore);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    received(&connector);
    started.runtime.shutdown_background();
    let sender = started.sender;
    let refused = || Err::<(_, ()), _>(std::io::Error::other("no thread"));
    let deadline = Instant::now() + DEADLINE;
    while sender.start(refused).is_ok() {
        assert!(Instant::now() < deadline, "the old engine ends");
        std::thread::yield_now();
    }
    assert!(!sender.drop_undelivered());
    assert!(sender.is_empty() && sender.drop_undelivered());
    let stats = sender.stats();
    let closed = stats.dropped.iter().find(|(reason, _)| *reason == DropReason::Closed);
    assert_eq!((stats.queued, closed), (0, Some(&(DropReason::Closed, 1))));
}

#[test]
fn a_message_says_below_which_number_none_will_follow() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    for value in [1.0, 2.0, 3.0] {
        started.push("time_profiler", value);
        assert!(started.flush());
    }
    // The confirmation of a message may tell that the one before it was returned.
    assert_eq!(*connector.settled.lock().unwrap(), [Some(1), Some(1), Some(2)]);
}

#[test]
fn a_caller_gets_false_when_its_message_is_not_confirmed_in_time() {
    let connector = FakeConnector::new(&[], Reaction::Ignore);
    let started = Started::new(&connector);
    let now = Instant::now();
    let (sent, confirmed) = (now + DEADLINE, now + Duration::from_millis(50));
    let receiver = started.sender.publish("JOB", 1, b"[1]".to_vec(), sent, confirmed).unwrap();
    received(&connector);
    assert!(!reply(&receiver));
}

#[test]
fn a_panic_is_logged_and_costs_no_record() {
    let connector = FakeConnector::new(&[Reaction::Panic], Reaction::Confirm);
    let started = Started::new(&connector);
    let published = started.publish(3);
    assert!(reply(&published));
    let stats = started.sender.stats();
    assert_eq!((stats.confirmed, stats.queued), (3, 0));
    assert!(stats.last_error.expect("noted").contains("report it: told to panic"));
}

#[test]
fn what_always_panics_is_counted_at_the_end() {
    let connector = FakeConnector::new(&[], Reaction::Panic);
    let started = Started::new(&connector);
    let published = started.publish(3);
    started.wait_for_stats(|stats| stats.last_error.is_some());
    assert!(!started.stop());
    assert!(!reply(&published));
    assert_eq!(started.dropped(DropReason::Closed), 3);
    let stats = started.sender.stats();
    assert_eq!(stats.queued, 0);
    assert!(stats.last_error.expect("noted").contains("told to panic"));
}

#[test]
fn replies_can_be_awaited() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    let published = started.publish(1);
    let flushed = started.sender.flush().expect("started");
    let (published, flushed) = in_time(&started.runtime, async {
        let published = published.into_recv_async().await;
        (published, flushed.into_recv_async().await)
    });
    assert_eq!((published, flushed), (Ok(true), Ok(true)));
    let stopped = started.sender.stop().expect("started");
    assert_eq!(in_time(&started.runtime, stopped.into_recv_async()), Ok(true));
    assert!(started.sender.flush().is_none(), "not started any more");
}

#[test]
fn replies_may_be_dropped() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    drop((started.publish(1), started.sender.flush()));
    assert!(started.flush());
    assert_eq!(started.sender.stats().confirmed, 1);
}

#[test]
fn the_end_of_all_handles_delivers_what_waits() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let started = Started::new(&connector);
    started.push("time_profiler", 1.0);
    drop(started.sender);
    received(&connector);
}

#[test]
fn a_probe_opens_a_link_and_closes_it() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    connector.refuse_once(Failure::Unreachable("not yet".into()));
    let probe = Probe::start(settings(&connector)).expect("a thread");
    assert_eq!(probe.wait(DEADLINE), Some(Ok(())));
    assert_eq!(connector.closed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_probe_ends_at_once_if_it_is_refused_and_can_be_awaited() {
    let connector = FakeConnector::new(&[], Reaction::Confirm);
    let refused = Failure::Refused("no such user".into());
    connector.refuse_once(refused.clone());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let probe = Probe::start(settings(&connector)).expect("a thread");
    // Dropped inside a runtime, too.
    let result = in_time(&runtime, async move { probe.result().await });
    assert_eq!(result, Err(refused));
    assert_eq!(connector.opened.load(Ordering::SeqCst), 0);
}

fn in_time<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    let in_time = async { tokio::time::timeout(DEADLINE, future).await };
    runtime.block_on(in_time).expect("in time")
}
