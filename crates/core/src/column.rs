//! A metric's records while they wait: three columns of the same length.
//!
//! Columns and not rows, because users see them as three lists (`values`, `label_values`,
//! `method`) and may append to, clear or assign each on its own. Columns that no longer
//! match are cut to the rows that are complete.

/// The waiting records of one metric; the binding layer chooses what a cell holds.
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

/// Rows for which room is kept when a batch is taken.
const KEPT_ROOM: usize = 128;

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

    /// Records waiting: values, whether or not the other columns keep up.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True only if no column holds anything.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.labels.is_empty() && self.methods.is_empty()
    }

    /// Rows present in all three columns.
    pub fn complete(&self) -> usize {
        self.values.len().min(self.labels.len()).min(self.methods.len())
    }

    /// False if a user's edit left the columns with different lengths.
    pub fn is_even(&self) -> bool {
        self.values.len() == self.labels.len() && self.values.len() == self.methods.len()
    }

    /// Takes everything, leaving `spare`, which is empty, or else empty columns with room for
    /// as much again: the next batch is likely to be as large, and growing step by step would
    /// copy it six times.
    #[must_use]
    pub fn take(&mut self, spare: Option<Self>) -> Self {
        let empty = spare.unwrap_or_else(|| {
            let room = self.values.len().min(KEPT_ROOM);
            Self {
                values: Vec::with_capacity(room),
                labels: Vec::with_capacity(room),
                methods: Vec::with_capacity(room),
            }
        });
        std::mem::replace(self, empty)
    }

    /// Drops everything but the memory; false if that is more than is worth keeping.
    pub fn clear(&mut self) -> bool {
        self.values.clear();
        self.labels.clear();
        self.methods.clear();
        let room = self.values.capacity().max(self.labels.capacity());
        room.max(self.methods.capacity()) <= KEPT_ROOM
    }

    /// Puts older records back in front of the ones that came since.
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

    /// The complete rows, in order.
    pub fn into_rows(self) -> impl Iterator<Item = (V, L, M)> {
        self.values
            .into_iter()
            .zip(self.labels)
            .zip(self.methods)
            .map(|((value, label), method)| (value, label, method))
    }
}
