//! An engine that is dropped in the middle of its work, since its runtime has ended by a panic,
//! leaves its messages to the next one.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::engine::state::Engine;
use crate::messages::message::Body;
use crate::report::stats::{ConnectionState, add, subtract};

impl Drop for Engine {
    /// After an end in good order there are no messages any more.
    fn drop(&mut self) {
        self.at_once(|engine| {
            engine.outbox.put_all_back();
            let counters = &engine.shared.counters;
            for message in engine.outbox.waiting_mut() {
                // The next engine finds the file of this one, and adopts what is in it.
                if let Some(spooled) = message.spooled.take() {
                    subtract(&counters.spooled, u64::from(spooled.counted));
                }
            }
            let on_disk = |body: &Body| matches!(body, Body::Spool { .. });
            for message in engine.outbox.remove_waiting(|message| on_disk(&message.body)) {
                subtract(&counters.outstanding, message.records());
                add(&counters.left, message.records());
            }
        });
        // The next engine takes what it is left under the same lock, and thereby waits for all of
        // this: it is not started before the messages are there, nor called abandoned afterwards.
        let mut orphans = self.shared.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        if self.outbox.waiting() > 0 {
            self.shared.counters.set_state(ConnectionState::Connecting);
            *orphans = Some(std::mem::take(&mut self.outbox));
        }
        self.commands.close();
        self.shared.abandoned.store(true, Ordering::Release);
    }
}
