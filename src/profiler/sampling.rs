//! Which trees of calls are recorded, where only a share of them is.
//!
//! The choice is made once, where a root call begins, and the node of a tree that is left out says so
//! to whatever is called below it, in other tasks as well. Such a tree is run by a plan that records
//! nothing. Without sampling a plan has none of this, and no call asks for more than one flag.

use std::ptr;

use phanos_core::clock::Start;
use pyo3::prelude::*;

use crate::interp::garbage::impl_traverse;
use crate::interp::gil_cell::GilValue;
use crate::profiler::core::ProfilerCore;
use crate::profiler::plan::Plan;

pub(crate) struct Sampling {
    /// A tree is recorded if a random number is below this.
    threshold: u64,
    random: GilValue<u64>,
    /// The plan of calls that are not recorded.
    silent: Py<Plan>,
    /// Calls within a tree that is left out have nodes: operations of metrics record their paths.
    keeps_paths: bool,
}

impl_traverse!(Sampling { silent });

/// What becomes of a call that begins.
pub(crate) enum Choice<'py> {
    Record,
    /// It gets a node that is marked, and this plan, which records nothing.
    Silent(Bound<'py, Plan>),
    /// The function is called, and that is all.
    Skip,
}

impl Sampling {
    /// Records trees with probability `rate`, from 0 to 1.
    pub(crate) fn new(rate: f64, silent: Py<Plan>, keeps_paths: bool) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // From 0 to 2^53.
        let threshold = (rate.clamp(0.0, 1.0) * 2f64.powi(RANDOM_BITS)) as u64;
        let seed = ptr::from_ref(&threshold).addr() as u64 ^ u64::from(std::process::id());
        Self { threshold, random: GilValue::new(seed), silent, keeps_paths }
    }

    pub(crate) fn choose<'py>(&self, py: Python<'py>, core: &ProfilerCore) -> Choice<'py> {
        let Ok(caller) = core.tree.get().current(py) else { return Choice::Record };
        if caller.get().is_unsampled(py) {
            return if self.keeps_paths { self.silent(py) } else { Choice::Skip };
        }
        if !caller.get().path(py).is_empty() || self.next_random(py) < self.threshold {
            return Choice::Record;
        }
        self.silent(py)
    }

    fn silent<'py>(&self, py: Python<'py>) -> Choice<'py> {
        Choice::Silent(self.silent.bind(py).clone())
    }

    /// The time is mixed in, since forked children begin with one state.
    fn next_random(&self, py: Python<'_>) -> u64 {
        // SplitMix64.
        let state = self.random.get(py).wrapping_add(0x9e37_79b9_7f4a_7c15) ^ Start::now().ticks();
        self.random.set(py, state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> (64 - RANDOM_BITS)
    }
}

/// As many as a float holds exactly.
const RANDOM_BITS: i32 = 53;
