//! A metric's records while they wait: three columns of the same length.
//!
//! Columns and not rows, because users see them as three lists (`values`, `label_values`,
//! `method`) and may append to, clear or assign each on its own. Columns that no longer
//! match are cut to the rows that are complete.

/// The waiting records of one metric; the extension chooses what a cell holds.
#[derive(Debug)]
pub struct Columns<V, L, M> {
    pub values: Vec<V>,
    pub labels: Vec<L>,
    pub methods: Vec<M>,
}

impl<V, L, M> Default for Columns<V, L, M> {
    fn default() -> Self {
        Self { values: Vec::new(), labels: Vec::new(), methods: Vec::new() }
    }
}

/// The largest capacity, in rows, that columns keep from one batch to the next.
const KEPT_ROWS: usize = 128;

impl<V, L, M> Columns<V, L, M> {
    // Passed by value, cells are written to memory in parts and read back whole, which the
    // processor waits for: 25 ns per call.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn push(&mut self, value: V, label: L, method: M) {
        self.values.push(value);
        self.labels.push(label);
        self.methods.push(method);
    }

    /// The number of waiting values, even if the other columns are shorter or longer.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True only if no column holds anything.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.labels.is_empty() && self.methods.is_empty()
    }

    /// The number of rows that are present in all three columns.
    pub fn complete(&self) -> usize {
        self.values.len().min(self.labels.len()).min(self.methods.len())
    }

    /// False if a user's edit left the columns with different lengths.
    pub fn is_even(&self) -> bool {
        self.values.len() == self.labels.len() && self.values.len() == self.methods.len()
    }

    /// Takes all rows. What stays is `spare`, which must be empty, or else new columns with a
    /// capacity for as many rows: the next batch is likely to be as large, and growing step by
    /// step would copy it six times.
    #[must_use]
    pub fn take(&mut self, spare: Option<Self>) -> Self {
        let empty = spare.unwrap_or_else(|| {
            let capacity = self.values.len().min(KEPT_ROWS);
            Self {
                values: Vec::with_capacity(capacity),
                labels: Vec::with_capacity(capacity),
                methods: Vec::with_capacity(capacity),
            }
        });
        std::mem::replace(self, empty)
    }

    /// Drops all rows and keeps the memory; false if there is more memory than is worth keeping.
    pub fn clear(&mut self) -> bool {
        self.values.clear();
        self.labels.clear();
        self.methods.clear();
        let capacity = self.values.capacity().max(self.labels.capacity());
        capacity.max(self.methods.capacity()) <= KEPT_ROWS
    }

    /// Puts records back that were taken, in front of the ones that came since.
    pub fn put_back(&mut self, mut older: Self) {
        older.values.append(&mut self.values);
        older.labels.append(&mut self.labels);
        older.methods.append(&mut self.methods);
        *self = older;
    }

    /// Drops the oldest rows until `keep` are left; returns what was dropped.
    #[must_use]
    pub fn drop_oldest(&mut self, keep: usize) -> Self {
        let excess = |length: usize| length.saturating_sub(keep);
        Self {
            values: self.values.drain(..excess(self.values.len())).collect(),
            labels: self.labels.drain(..excess(self.labels.len())).collect(),
            methods: self.methods.drain(..excess(self.methods.len())).collect(),
        }
    }
}
