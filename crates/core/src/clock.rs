//! The clock that calls are timed with.
//!
//! The processor's time stamp counter where it is steady, the system's monotonic clock
//! elsewhere: quanta finds out, and takes half a millisecond to calibrate when it is first
//! asked. Two readings cost 16 ns, those of `Instant` 42.

use std::sync::LazyLock;

use quanta::Clock;

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// A moment, for [`Start::elapsed_ns`] alone.
#[derive(Clone, Copy, Default)]
pub struct Start(u64);

impl Start {
    #[inline]
    pub fn now() -> Self {
        Self(CLOCK.raw())
    }

    #[inline]
    pub fn elapsed_ns(self) -> u64 {
        CLOCK.delta_as_nanos(self.0, CLOCK.raw())
    }
}

/// Calibrates, so that no call has to.
pub fn prepare() {
    LazyLock::force(&CLOCK);
}
