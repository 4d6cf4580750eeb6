//! Round after round until the end. One that panics, by a mistake here or in a library, costs
//! the connection and nothing else: what waits is kept and sent over the next one.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::sleep;

use super::{Engine, Failure, Turn};

/// After a round that panicked, lest one that always does takes all of the processor.
const RECOVERY: Duration = Duration::from_millis(100);

impl Engine {
    /// Works until it is told to stop, or nobody is left to tell it.
    pub(in super::super) async fn run(mut self) {
        loop {
            match AssertUnwindSafe(self.turn()).catch_unwind().await {
                Ok(Turn::Done) => {}
                Ok(Turn::Stopped(answer)) => {
                    let kept = self.stop().await;
                    let _ = answer.try_send(kept);
                    return;
                }
                Ok(Turn::Abandoned) => {
                    self.stop().await;
                    return;
                }
                Err(panic) => {
                    let text = format!("phanos itself failed, please report it: {}", said(&*panic));
                    self.disconnect(&Failure::Lost(text));
                    sleep(RECOVERY).await;
                }
            }
        }
    }
}

/// The text of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;
    use std::time::Instant;

    use tokio::runtime::Builder;
    use tokio::sync::mpsc::unbounded_channel;

    use super::super::super::message::Envelope;
    use super::super::super::settings::{Secret, Settings, TcpOptions};
    use super::super::super::shared::Shared;
    use super::super::super::ticket::Ticket;
    use super::super::{Command, Reason};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_panic_is_told_and_takes_no_record_with_it() {
        // Accepts connections and never says anything.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared::new(settings(silent.local_addr().unwrap().port())));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (commands, receiver) = unbounded_channel();
        runtime.spawn(Engine::new(Arc::clone(&shared), receiver).run());

        let now = Instant::now();
        let (ticket, published) = Ticket::new(now + 2 * PATIENCE, now + 2 * PATIENCE);
        let envelope = Envelope {
            id: "".into(),
            routing_key: "job".into(),
            metric: "".into(),
            worker: "".into(),
            records: 3,
        };
        commands.send(Command::Publish { envelope, body: b"[]".to_vec(), ticket }).unwrap();
        commands.send(Command::Fail).unwrap();
        let (answer, stopped) = sync_channel(1);
        commands.send(Command::Stop { answer }).unwrap();

        assert_eq!(stopped.recv_timeout(PATIENCE), Ok(false));
        assert_eq!(published.recv_timeout(PATIENCE), Ok(false));
        let stats = shared.counters.snapshot(0, Duration::ZERO);
        assert_eq!(shared.counters.dropped(Reason::Closed), 3);
        assert_eq!(stats.queued, 0);
        assert!(stats.last_error.unwrap().contains("told to"));
    }

    fn settings(port: u16) -> Settings {
        Settings {
            host: "127.0.0.1".into(),
            port,
            user: "guest".into(),
            password: Secret::new("guest".into()),
            virtual_host: "/".into(),
            exchange: "profiling".into(),
            exchange_type: "fanout".into(),
            heartbeat: 0,
            blocked_timeout: PATIENCE,
            attempts: 1,
            retry_delay: Duration::from_millis(10),
            socket_timeout: PATIENCE,
            stack_timeout: PATIENCE,
            channel_max: None,
            frame_max: None,
            locale: "en_US".into(),
            client_properties: Vec::new(),
            tcp: TcpOptions::default(),
            tls: None,
            buffer_bytes: 1024,
            spool: None,
        }
    }
}
