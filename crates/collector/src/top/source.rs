//! Where answers come from: a collector, or a broker whose messages are counted in here.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use phanos_delivery::{AmqpSettings, LogLevel};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::options::Options;
use crate::amqp::consumer::consume;
use crate::amqp::settings::{ConsumerSettings, Overflow, QueueSettings};
use crate::hub::clock::now_ms;
use crate::hub::committer::commit_until;
use crate::hub::condition::BrokerState;
use crate::hub::log::Log;
use crate::hub::shared::Hub;
use crate::top::client::Client;
use crate::tree::answer::Told;
use crate::tree::look::Asked;

/// A queue of one's own: it goes soon after, and drops what is not taken.
const QUEUE_EXPIRES: Duration = Duration::from_secs(60);
const QUEUE_BYTES: u64 = 64 << 20;

pub(crate) enum Source {
    Collector(Client),
    Broker(Counting),
}

/// Messages of a broker, counted while this is there.
pub(crate) struct Counting {
    hub: Arc<Hub>,
    runtime: Option<Runtime>,
    _ends: (watch::Sender<bool>, oneshot::Sender<()>),
}

impl Source {
    /// Counts what comes from a broker from now on, in a queue of its own.
    pub(crate) fn broker(broker: AmqpSettings) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("phanos")
            .enable_all()
            .build()?;
        let queue = QueueSettings {
            name: format!("phanos-top-{}-{}", std::process::id(), now_ms()),
            expires: QUEUE_EXPIRES,
            max_bytes: QUEUE_BYTES,
            overflow: Overflow::DropHead,
            ..QueueSettings::default()
        };
        let aggregate =
            Aggregate::new(Options { zero_first: Duration::ZERO, ..Options::default() });
        // What is in the way is shown where the rows would be.
        let hub = Arc::new(Hub::new(aggregate, false, Log::new(|_: LogLevel, _| {})));
        let (end, ending) = watch::channel(false);
        let (end_committer, committer_end) = oneshot::channel();
        runtime.spawn(commit_until(Arc::clone(&hub), None, committer_end));
        runtime.spawn(consume(Arc::clone(&hub), ConsumerSettings { broker, queue }, ending));
        Ok(Self::Broker(Counting { hub, runtime: Some(runtime), _ends: (end, end_committer) }))
    }

    /// An answer as JSON; see `tree/answer.rs`.
    ///
    /// # Errors
    /// One line: what is in the way.
    pub(crate) fn ask(&self, asked: &Asked) -> Result<Vec<u8>, String> {
        match self {
            Self::Collector(client) => {
                let mut path = format!("/api/calls?window={}", asked.window);
                if let Some(job) = &asked.job {
                    path.push_str("&job=");
                    for byte in job.bytes() {
                        if byte.is_ascii_alphanumeric() {
                            path.push(char::from(byte));
                        } else {
                            let _ = write!(path, "%{byte:02X}");
                        }
                    }
                }
                client.get(&path)
            }
            Self::Broker(counting) => {
                Ok(counting.hub.calls(asked, &mut Told::default()).into_bytes())
            }
        }
    }

    /// What is in the way of messages; `None` if they come.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        match self {
            Self::Collector(_) => None,
            Self::Broker(counting) => (counting.hub.condition.broker() != BrokerState::Consuming)
                .then_some("no connection to the broker yet, trying again"),
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
