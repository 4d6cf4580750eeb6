//! What is to be stored, and what was.

use crate::aggregate::aggregation::Aggregate;
use crate::aggregate::changes::{Changes, Stored};
use crate::aggregate::options::Options;
use crate::aggregate::row::{RowReader, RowWriter};
use crate::aggregate::series::{RowHead, Series, read_data, write_row};

impl Aggregate {
    /// As it was stored.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn load(options: Options, stored: &Stored) -> Result<Self, String> {
        let mut aggregate = Self::new(options);
        for (name, row) in &stored.families {
            let loaded = aggregate.families.load(&aggregate.options, name, row);
            loaded.ok_or_else(|| format!("family {name} cannot be read"))?;
        }
        for (name, row) in &stored.workers {
            let loaded = aggregate.workers.load(name, row);
            loaded.ok_or_else(|| format!("worker {name} cannot be read"))?;
        }
        for (id, row) in &stored.series {
            let loaded = aggregate.load_series(*id, row);
            loaded.ok_or_else(|| format!("series {id} cannot be read"))?;
        }
        Ok(aggregate)
    }

    fn load_series(&mut self, id: u64, bytes: &[u8]) -> Option<()> {
        let mut row = RowReader(bytes);
        let head = RowHead::read(&mut row)?;
        let family = self.families.place(head.family)?;
        let data = read_data(self.families.get(family), &mut row)?;
        let job = self.jobs.enter(head.job, usize::MAX);
        let path = self.path_of(family, job, head.labels);
        let place = self.add_series(Series {
            id,
            family,
            job,
            is_overflow: head.is_overflow,
            changed: false,
            labels: head.labels.into(),
            created_ms: head.created_ms,
            updated_ms: head.updated_ms,
            path,
            data,
        });
        self.know(place);
        Some(())
    }

    /// What has changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        changes.families = self.families.take_changes();
        (changes.workers, changes.forgotten_workers) = self.workers.take_changes();
        changes.removed_series = std::mem::take(&mut self.removed);
        let mut row = RowWriter::default();
        for place in self.changed.drain(..) {
            // The place of a series that is gone may have another one, or none.
            let Some(series) = self.table.get_mut(place).filter(|series| series.changed) else {
                continue;
            };
            series.changed = false;
            let start = row.0.len();
            let (family, job) = (self.families.get(series.family), self.jobs.get(series.job));
            write_row(series, &family.name, &job.name, &mut row);
            changes.bytes = row.0;
            changes.add_series(place, series.id, start);
            row.0 = std::mem::take(&mut changes.bytes);
        }
        changes.bytes = row.0;
        changes
    }

    /// Takes back changes that could not be stored.
    pub fn put_back(&mut self, changes: Changes) {
        self.families.put_back(changes.families);
        self.workers.put_back(changes.workers, changes.forgotten_workers);
        self.removed.extend(changes.removed_series);
        for place in changes.places {
            if let Some(series) = self.table.get_mut(place)
                && !std::mem::replace(&mut series.changed, true)
            {
                self.changed.push(place);
            }
        }
    }
}
