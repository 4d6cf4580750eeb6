//! One session after the other: the broker may come later, go, and come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::amqp::session::Session;
use crate::amqp::settings::ConsumerSettings;
use crate::hub::condition::BrokerState;
use crate::hub::shared::Hub;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A session that lasted so long lets the next pause be the shortest again.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// Consumes until `end` changes.
pub async fn consume(hub: Arc<Hub>, settings: ConsumerSettings, mut end: watch::Receiver<bool>) {
    let mut pause = SHORTEST_PAUSE;
    while !*end.borrow() {
        hub.condition.set_broker(BrokerState::Connecting);
        let begin = Instant::now();
        let failure = tokio::select! {
            _ = end.changed() => return,
            opened = Session::open(&hub, &settings) => match opened {
                Err(failure) => failure,
                Ok(session) => {
                    let address = settings.address();
                    hub.log.info("consuming", &format!("messages come from {address}"));
                    match session.run(&mut end).await {
                        Ok(()) => return,
                        Err(failure) => failure,
                    }
                }
            },
        };
        hub.condition.set_broker(BrokerState::Connecting);
        hub.log.warn("broker", &format!("no messages come, trying again: {failure}"));
        if begin.elapsed() >= GOOD_SESSION {
            pause = SHORTEST_PAUSE;
        }
        tokio::select! {
            _ = end.changed() => return,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
