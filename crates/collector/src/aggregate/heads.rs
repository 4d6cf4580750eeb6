//! Heads of records that were read before, and the series that they lead to.

use hashbrown::HashMap;

use crate::aggregate::unit::Scale;

/// Heads beyond twice the number of series and these are not worth their memory: then all go, and
/// those in use come back.
const SPARE: usize = 4096;
/// The same for names of metrics.
const MOST_METRICS: usize = 4096;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The place of the series.
    pub(crate) series: u32,
    pub(crate) scale: Scale,
}

/// By the metric's name in the message, which is part of a series' identity and not in its records.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    places: HashMap<Box<str>, usize>,
    metrics: Vec<HashMap<Box<[u8]>, Head>>,
    length: usize,
}

impl Heads {
    /// The place of a metric, for as long as no other one is asked for.
    pub(crate) fn metric(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        if self.metrics.len() >= MOST_METRICS {
            self.clear();
        }
        self.metrics.push(HashMap::default());
        self.places.insert(name.into(), self.metrics.len() - 1);
        self.metrics.len() - 1
    }

    #[inline]
    pub(crate) fn get(&self, metric: usize, head: &[u8]) -> Option<Head> {
        self.metrics.get(metric)?.get(head).copied()
    }

    /// Keeps a head; `series` is the number of all series.
    pub(crate) fn insert(&mut self, metric: usize, bytes: &[u8], head: Head, series: usize) {
        if self.length >= 2 * series + SPARE {
            self.metrics.iter_mut().for_each(HashMap::clear);
            self.length = 0;
        }
        if let Some(heads) = self.metrics.get_mut(metric) {
            heads.insert(bytes.into(), head);
            self.length += 1;
        }
    }

    /// Forgets all heads, since they lead to series that are gone.
    pub(crate) fn clear(&mut self) {
        self.metrics.clear();
        self.places.clear();
        self.length = 0;
    }

    pub(crate) fn bytes(&self) -> usize {
        let heads = self.metrics.iter().flat_map(HashMap::keys);
        heads.map(|bytes| bytes.len() + size_of::<(Box<[u8]>, Head)>() + 1).sum()
    }
}
