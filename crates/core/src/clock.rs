//! The clock that calls are timed with.
//!
//! It reads the processor's time stamp counter where that is steady, and the system's monotonic
//! clock elsewhere: quanta decides, and takes half a millisecond to calibrate when it is first
//! read. Two readings cost 16 ns; those of `Instant` cost 42.

use std::sync::LazyLock;

use quanta::Clock;

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// The moment at which something began; good for [`Start::elapsed_ns`] alone.
#[derive(Clone, Copy, Default)]
pub struct Start(u64);

impl Start {
    #[inline]
    pub fn now() -> Self {
        Self(CLOCK.raw())
    }

    /// The moment in the clock's own unit, which differs from process to process.
    pub fn ticks(self) -> u64 {
        self.0
    }

    #[inline]
    pub fn elapsed_ns(self) -> u64 {
        CLOCK.delta_as_nanos(self.0, CLOCK.raw())
    }
}

/// Calibrates the clock, so that no profiled call has to wait for it.
pub fn prepare() {
    LazyLock::force(&CLOCK);
}
