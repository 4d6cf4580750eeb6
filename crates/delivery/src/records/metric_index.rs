//! Which metrics a chunk has already. Most programs have a few, some have one for each of hundreds
//! of jobs, and some make a name per record.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use phanos_core::record::Metric;

/// Up to this many metrics are looked through one by one, which is quicker.
const FEW: usize = 8;

/// Finds metrics among those of its chunk, whose first ones it has looked at so far.
#[derive(Debug, Default)]
pub(crate) struct MetricIndex {
    hashes: RandomState,
    by_address: HashMap<usize, u32>,
    /// By the hash of name and job; the last one of those that share it.
    by_name: HashMap<u64, u32>,
    indexed: usize,
}

impl MetricIndex {
    /// The place of this very metric.
    pub(crate) fn by_address(&mut self, all: &[Arc<Metric>], metric: &Arc<Metric>) -> Option<u32> {
        if all.len() <= FEW {
            // Most often it is the last one again.
            return place(all.iter().rposition(|known| Arc::ptr_eq(known, metric)));
        }
        self.catch_up(all);
        self.by_address.get(&Arc::as_ptr(metric).addr()).copied()
    }

    /// The place of a metric of that name and job.
    pub(crate) fn by_name(&mut self, all: &[Arc<Metric>], name: &str, job: &str) -> Option<u32> {
        let is_it = |known: &Arc<Metric>| known.name() == name && known.job() == job;
        if all.len() <= FEW {
            return place(all.iter().rposition(is_it));
        }
        self.catch_up(all);
        let found = self.by_name.get(&self.hashes.hash_one((name, job))).copied()?;
        // If two share a hash, one of them is added once more, which does no harm.
        all.get(found as usize).is_some_and(is_it).then_some(found)
    }

    fn catch_up(&mut self, all: &[Arc<Metric>]) {
        for (number, metric) in all.iter().enumerate().skip(self.indexed) {
            let Some(number) = place(Some(number)) else { continue };
            self.by_address.insert(Arc::as_ptr(metric).addr(), number);
            let hash = self.hashes.hash_one((metric.name(), metric.job()));
            self.by_name.insert(hash, number);
        }
        self.indexed = all.len();
    }
}

fn place(found: Option<usize>) -> Option<u32> {
    found.and_then(|found| u32::try_from(found).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_metrics_are_found() {
        let mut index = MetricIndex::default();
        let mut all = Vec::new();
        for number in 0..1000_u32 {
            let (name, job) = (format!("name{}", number % 300), format!("job{}", number / 300));
            assert_eq!(index.by_name(&all, &name, &job), None);
            let metric = Arc::new(Metric::new(&name, "", "", &job));
            assert_eq!(index.by_address(&all, &metric), None);
            all.push(metric);
        }
        for (number, metric) in all.iter().enumerate() {
            let number = u32::try_from(number).ok();
            assert_eq!(index.by_address(&all, metric), number);
            assert_eq!(index.by_name(&all, metric.name(), metric.job()), number);
        }
        assert_eq!(index.by_name(&all, "name0", "job9"), None);
    }
}
