//! Which of the engine's own messages may still be sent.
//!
//! A message is settled when it is confirmed or dropped. One that was confirmed may still come back:
//! a link may tell of a return with the confirmation after. So it counts as settled only with the
//! confirmation after.

use std::collections::BTreeSet;

/// Numbers of messages, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Unsettled {
    numbers: BTreeSet<u64>,
    /// Confirmed with the last confirmations.
    lately: Vec<u64>,
}

impl Unsettled {
    /// A message was made, or came back.
    pub(crate) fn add(&mut self, number: u64) {
        self.lately.retain(|other| *other != number);
        self.numbers.insert(number);
    }

    /// A message will not be sent again unless it comes back.
    pub(crate) fn end(&mut self, number: u64) {
        self.lately.push(number);
    }

    /// What was ended before this cannot come back any more.
    pub(crate) fn settle(&mut self) {
        for number in self.lately.drain(..) {
            self.numbers.remove(&number);
        }
    }

    /// No message with a lower number will follow.
    pub(crate) fn lowest(&self) -> Option<u64> {
        self.numbers.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_is_that_of_a_message_that_may_come() {
        let mut unsettled = Unsettled::default();
        assert_eq!(unsettled.lowest(), None);
        for number in 1..=3 {
            unsettled.add(number);
        }
        unsettled.end(1);
        assert_eq!(unsettled.lowest(), Some(1), "may come back with the next confirmation");
        unsettled.settle();
        assert_eq!(unsettled.lowest(), Some(2));
        unsettled.end(2);
        unsettled.add(2);
        unsettled.settle();
        assert_eq!(unsettled.lowest(), Some(2), "came back");
    }
}
