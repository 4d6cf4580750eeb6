//! All series, found by family and labels.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::aggregate::series::Series;

#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Option<Series>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    last_id: u64,
    length: usize,
}

impl Table {
    pub(crate) fn find(&self, family: u32, labels: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((family, labels));
        let found = self.index.find(hash, |place| {
            self.get(*place)
                .is_some_and(|series| series.family == family && *series.labels == *labels)
        });
        found.copied()
    }

    /// A number that no series had before.
    pub(crate) fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// Adds a series; there must be none of its family and labels.
    pub(crate) fn insert(&mut self, series: Series) -> u32 {
        self.last_id = self.last_id.max(series.id);
        self.length += 1;
        let hash = self.hasher.hash_one((series.family, &*series.labels));
        let place = if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(series);
            place
        } else {
            self.slots.push(Some(series));
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        let rehash = |place: &u32| {
            let series = slots[*place as usize].as_ref();
            series.map_or(0, |series| hasher.hash_one((series.family, &*series.labels)))
        };
        self.index.insert_unique(hash, place, rehash);
        place
    }

    pub(crate) fn remove(&mut self, place: u32) -> Option<Series> {
        let series = self.slots.get_mut(place as usize)?.take()?;
        let hash = self.hasher.hash_one((series.family, &*series.labels));
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.free.push(place);
        self.length -= 1;
        Some(series)
    }

    pub(crate) fn get(&self, place: u32) -> Option<&Series> {
        self.slots.get(place as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut Series> {
        self.slots.get_mut(place as usize)?.as_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Series)> {
        (0..).zip(&self.slots).filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }
}
