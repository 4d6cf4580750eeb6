//! Which messages of one worker were counted: the number below which all were, and the few beyond.

/// Beyond this many gaps the oldest is taken for messages that will never come.
const MOST_GAPS: usize = 512;

/// A set of numbers that has nearly all up to some point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// All numbers below this one are in.
    below: u64,
    /// Ranges beyond it, first and last number, in order, with gaps between them.
    beyond: Vec<(u64, u64)>,
}

impl Default for Numbers {
    /// None yet; the first number is 1.
    fn default() -> Self {
        Self { below: 1, beyond: Vec::new() }
    }
}

impl Numbers {
    pub fn new(below: u64, beyond: Vec<(u64, u64)>) -> Self {
        let mut numbers = Self { below, beyond };
        numbers.join();
        numbers
    }

    pub fn below(&self) -> u64 {
        self.below
    }

    pub fn beyond(&self) -> &[(u64, u64)] {
        &self.beyond
    }

    pub fn contains(&self, number: u64) -> bool {
        if number < self.below {
            return true;
        }
        let place = self.beyond.partition_point(|(_, last)| *last < number);
        self.beyond.get(place).is_some_and(|(first, _)| *first <= number)
    }

    /// Adds a number; false if it was in.
    pub fn add(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        let place = self.beyond.partition_point(|(_, last)| *last < number);
        let follows = place > 0 && self.beyond[place - 1].1 == number.wrapping_sub(1);
        let precedes = self.beyond.get(place).is_some_and(|(first, _)| *first - 1 == number);
        match (follows, precedes) {
            (true, true) => {
                self.beyond[place - 1].1 = self.beyond[place].1;
                self.beyond.remove(place);
            }
            (true, false) => self.beyond[place - 1].1 = number,
            (false, true) => self.beyond[place].0 = number,
            (false, false) => self.beyond.insert(place, (number, number)),
        }
        self.join();
        if self.beyond.len() > MOST_GAPS {
            self.settle(self.beyond[0].0);
        }
        true
    }

    /// Counts all numbers below this one as in.
    pub fn settle(&mut self, below: u64) {
        self.below = self.below.max(below);
        self.join();
    }

    /// Joins ranges to what is below.
    fn join(&mut self) {
        let mut joined = 0;
        while let Some((first, last)) = self.beyond.get(joined)
            && *first <= self.below
        {
            self.below = self.below.max(last.saturating_add(1));
            joined += 1;
        }
        self.beyond.drain(..joined);
    }
}
