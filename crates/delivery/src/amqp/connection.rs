//! A connection for whatever else is done over it than publishing: consuming, say.

use std::time::Duration;

use lapin::types::FieldTable;
use lapin::{Channel, Connection, options};
use tokio::time::timeout;

use crate::amqp::failure::{of_opening, timed_out};
use crate::amqp::link::{ShutdownOnDrop, connect, exchange_kind, introduce};
use crate::amqp::settings::AmqpSettings;
use crate::link::failure::Failure;

/// A connection that its user opens channels on.
pub struct AmqpConnection {
    pub connection: Connection,
    _shutdown: ShutdownOnDrop,
}

impl AmqpConnection {
    /// Connects.
    ///
    /// # Errors
    /// Why there is no connection, without a password.
    pub async fn open(settings: &AmqpSettings) -> Result<Self, Failure> {
        let (stream, shutdown) = connect(settings).await?;
        let limit = settings.stack_timeout;
        let connection = timeout(limit, introduce(settings, stream))
            .await
            .unwrap_or_else(|_| Err(timed_out("the handshake", settings, limit)))?;
        Ok(Self { connection, _shutdown: shutdown })
    }

    /// Opens a channel and declares the exchange on it, as senders do.
    ///
    /// # Errors
    /// Why that failed; the channel is gone then.
    pub async fn channel(&self, settings: &AmqpSettings) -> Result<Channel, Failure> {
        let failed = |error: lapin::Error| of_opening(&error, settings);
        let channel = self.connection.create_channel().await.map_err(failed)?;
        let declared = channel.exchange_declare(
            settings.exchange.as_str().into(),
            exchange_kind(&settings.exchange_type),
            options::ExchangeDeclareOptions::default(),
            FieldTable::default(),
        );
        declared.await.map_err(failed)?;
        Ok(channel)
    }

    /// Ends the connection in good order, then drops what is left of it after `limit`.
    pub async fn close(self, limit: Duration) {
        let _ = timeout(limit, self.connection.close(200, "OK".into())).await;
    }
}
