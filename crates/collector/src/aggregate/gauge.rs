//! A gauge: one value, or one for each worker.

use phanos_core::record::Operation;

use crate::aggregate::options::Policy;

/// Beyond this many workers, values of those that are gone are put together.
const SEPARATE_WORKERS: usize = 64;

/// The value of one worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WorkerValue {
    pub worker: u64,
    pub value: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gauge {
    /// The value for all workers, or of workers that are gone.
    pub shared: Option<f64>,
    pub workers: Vec<WorkerValue>,
}

impl Gauge {
    pub(crate) fn change(
        &mut self,
        policy: Policy,
        worker: u64,
        operation: Operation,
        number: f64,
        is_live: impl Fn(u64) -> bool,
    ) {
        if policy == Policy::Last {
            self.shared = Some(changed(self.value(policy, is_live), operation, number));
            self.workers.clear();
            return;
        }
        let known = self.workers.iter_mut().find(|other| other.worker == worker);
        if let Some(own) = known {
            own.value = changed(Some(own.value), operation, number);
            return;
        }
        if self.workers.len() >= SEPARATE_WORKERS {
            self.join_ended(policy, &is_live);
        }
        self.workers.push(WorkerValue { worker, value: changed(None, operation, number) });
    }

    /// The value to show.
    pub(crate) fn value(&self, policy: Policy, is_live: impl Fn(u64) -> bool) -> Option<f64> {
        let shown = |other: &&WorkerValue| policy != Policy::Live || is_live(other.worker);
        let values = self.workers.iter().filter(shown).map(|other| other.value);
        self.shared.into_iter().chain(values).reduce(|one, other| joined(policy, one, other))
    }

    /// Puts together what workers have left that are gone, or with `Live` forgets it.
    pub(crate) fn join_ended(&mut self, policy: Policy, is_live: impl Fn(u64) -> bool) {
        let shared = &mut self.shared;
        self.workers.retain(|other| {
            let live = is_live(other.worker);
            if !live && policy != Policy::Live {
                let value = other.value;
                *shared = Some(shared.map_or(value, |shared| joined(policy, shared, value)));
            }
            live
        });
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.workers.capacity() * size_of::<WorkerValue>()
    }
}

fn changed(value: Option<f64>, operation: Operation, number: f64) -> f64 {
    let value = value.unwrap_or(0.0);
    match operation {
        Operation::Inc => value + number,
        Operation::Dec => value - number,
        Operation::Set | Operation::Observe => number,
    }
}

fn joined(policy: Policy, one: f64, other: f64) -> f64 {
    match policy {
        Policy::Last => other,
        Policy::Sum | Policy::Live => one + other,
        Policy::Max => one.max(other),
        Policy::Min => one.min(other),
    }
}
