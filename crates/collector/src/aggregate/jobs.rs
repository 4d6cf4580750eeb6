//! Jobs, and how many series each has.

use std::collections::HashMap;

/// The job of records whose own would be one too many.
pub(crate) const OVERFLOW: &str = "(overflow)";

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: Box<str>,
    /// Without overflow series.
    pub(crate) series: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Jobs {
    list: Vec<Job>,
    by_name: HashMap<Box<str>, u32>,
}

impl Jobs {
    /// The place of a job; beyond `limit` jobs the one of all others.
    pub(crate) fn enter(&mut self, name: &str, limit: usize) -> u32 {
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        if self.list.len() >= limit && name != OVERFLOW {
            return self.enter(OVERFLOW, limit);
        }
        let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(Job { name: name.into(), series: 0 });
        self.by_name.insert(name.into(), place);
        place
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, place: u32) -> &Job {
        &self.list[place as usize]
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> &mut Job {
        &mut self.list[place as usize]
    }

    /// Those that have series.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.list.iter().filter(|job| job.series > 0)
    }
}
