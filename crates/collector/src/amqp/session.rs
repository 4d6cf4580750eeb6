//! One connection: messages are counted, and acknowledged when they are stored.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use phanos_delivery::AmqpConnection;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, timeout};

use crate::amqp::message::message;
use crate::amqp::prefetch::Prefetch;
use crate::amqp::queue::declare;
use crate::amqp::settings::ConsumerSettings;
use crate::hub::condition::BrokerState;
use crate::hub::shared::Hub;

/// How often exchange, queue and binding are declared again, and the prefetch is looked at.
const REDECLARE_INTERVAL: Duration = Duration::from_secs(30);
const TUNE_INTERVAL: Duration = Duration::from_secs(2);
/// For whatever the broker is asked.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// For all that the end of a session takes.
const END_TIMEOUT: Duration = Duration::from_secs(3);
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) struct Session<'a> {
    hub: &'a Hub,
    settings: &'a ConsumerSettings,
    connection: AmqpConnection,
    channel: Channel,
    consumer: Consumer,
    prefetch: Prefetch,
    stored: watch::Receiver<u64>,
    /// Sequence numbers and delivery tags of messages that are not acknowledged.
    unacknowledged: VecDeque<(u64, u64)>,
}

impl<'a> Session<'a> {
    /// Connects, declares, and begins to consume.
    ///
    /// # Errors
    /// Why that failed, in words.
    pub(crate) async fn open(hub: &'a Hub, settings: &'a ConsumerSettings) -> Result<Self, String> {
        let opened = AmqpConnection::open(&settings.broker).await;
        let connection = opened.map_err(|failure| failure.to_string())?;
        let prefetch = Prefetch::new(settings.queue.prefetch_bytes);
        let asked = async {
            declare(&connection, settings).await?;
            let channel = connection.connection.create_channel().await.map_err(plain)?;
            let consumer = consume(&channel, settings, prefetch.current()).await?;
            Ok((channel, consumer))
        };
        let begun = timeout(ANSWER_TIMEOUT, asked).await;
        let begun = begun.unwrap_or_else(|_| Err("the broker does not answer".to_owned()));
        let (channel, consumer) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                connection.close(CLOSE_TIMEOUT).await;
                return Err(error);
            }
        };
        hub.condition.set_broker(BrokerState::Consuming);
        hub.condition.broker_connects.fetch_add(1, Ordering::Relaxed);
        let stored = hub.stored();
        let unacknowledged = VecDeque::new();
        Ok(Self { hub, settings, connection, channel, consumer, prefetch, stored, unacknowledged })
    }

    /// Counts and acknowledges until `end` changes, which is `Ok`.
    ///
    /// # Errors
    /// Why messages do not come any more, in words.
    pub(crate) async fn run(mut self, end: &mut watch::Receiver<bool>) -> Result<(), String> {
        let result = self.work(end).await;
        if result.is_ok() {
            // What was counted is acknowledged before the end; the rest comes again.
            let _ = timeout(END_TIMEOUT, self.drain()).await;
        }
        self.connection.close(CLOSE_TIMEOUT).await;
        result
    }

    async fn work(&mut self, end: &mut watch::Receiver<bool>) -> Result<(), String> {
        let now = Instant::now();
        let mut redeclare = interval_at(now + REDECLARE_INTERVAL, REDECLARE_INTERVAL);
        let mut tune = interval_at(now + TUNE_INTERVAL, TUNE_INTERVAL);
        loop {
            tokio::select! {
                _ = end.changed() => return Ok(()),
                delivery = self.consumer.next() => match delivery {
                    Some(Ok(delivery)) => self.count(&delivery),
                    Some(Err(error)) => return Err(plain(error)),
                    None => return Err("the broker has cancelled the consumer".into()),
                },
                changed = self.stored.changed() => {
                    changed.map_err(|_| "the collector is ending".to_owned())?;
                    self.acknowledge().await?;
                }
                _ = redeclare.tick() => self.declare().await?,
                _ = tune.tick() => self.tune().await?,
            }
        }
    }

    fn count(&mut self, delivery: &Delivery) {
        let sequence = self.hub.take(&message(delivery));
        self.prefetch.add(delivery.data.len());
        self.unacknowledged.push_back((sequence, delivery.delivery_tag));
        if self.unacknowledged.len() * 2 >= usize::from(self.prefetch.current()) {
            self.hub.store_soon();
        }
    }

    /// Acknowledges what is stored.
    async fn acknowledge(&mut self) -> Result<(), String> {
        let stored = *self.stored.borrow_and_update();
        let mut last = None;
        while let Some((sequence, tag)) = self.unacknowledged.front().copied()
            && sequence <= stored
        {
            self.unacknowledged.pop_front();
            last = Some(tag);
        }
        let Some(tag) = last else { return Ok(()) };
        let sent = self.channel.basic_ack(tag, BasicAckOptions { multiple: true });
        in_time(sent).await
    }

    async fn declare(&self) -> Result<(), String> {
        let declared = timeout(ANSWER_TIMEOUT, declare(&self.connection, self.settings)).await;
        declared.unwrap_or_else(|_| Err("the broker does not answer".into()))
    }

    /// Consumes with another prefetch, if the sizes of messages ask for it.
    async fn tune(&mut self) -> Result<(), String> {
        let Some(prefetch) = self.prefetch.change() else { return Ok(()) };
        let tag = self.consumer.tag();
        in_time(self.channel.basic_cancel(tag, BasicCancelOptions::default())).await?;
        // What was sent before that.
        while let Some(delivery) = self.consumer.next().await {
            self.count(&delivery.map_err(plain)?);
        }
        let consumed = timeout(ANSWER_TIMEOUT, consume(&self.channel, self.settings, prefetch));
        self.consumer =
            consumed.await.unwrap_or_else(|_| Err("the broker does not answer".into()))?;
        Ok(())
    }

    async fn drain(&mut self) -> Result<(), String> {
        let tag = self.consumer.tag();
        in_time(self.channel.basic_cancel(tag, BasicCancelOptions::default())).await?;
        while let Some(delivery) = self.consumer.next().await {
            self.count(&delivery.map_err(plain)?);
        }
        self.hub.store_soon();
        self.acknowledge().await?;
        while !self.unacknowledged.is_empty() {
            self.stored.changed().await.map_err(|_| "the collector is ending".to_owned())?;
            self.acknowledge().await?;
        }
        Ok(())
    }
}

async fn consume(
    channel: &Channel,
    settings: &ConsumerSettings,
    prefetch: u16,
) -> Result<Consumer, String> {
    // For each consumer, not for the channel: brokers refuse the latter.
    channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(plain)?;
    let consumer = channel.basic_consume(
        settings.queue.name.as_str().into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    consumer.await.map_err(plain)
}

async fn in_time(asked: impl Future<Output = lapin::Result<()>>) -> Result<(), String> {
    match timeout(ANSWER_TIMEOUT, asked).await {
        Ok(answered) => answered.map_err(plain),
        Err(_) => Err("the broker does not answer".into()),
    }
}

fn plain(error: lapin::Error) -> String {
    error.to_string()
}
