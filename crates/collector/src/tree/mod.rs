//! The call tree over time: what a client asks for, and the answer as JSON.
//!
//! | module     | concept |
//! |------------|---------|
//! | `window`   | a span of time as people ask for it |
//! | `quantile` | quantiles of exponential buckets |
//! | `look`     | what is taken from the aggregate, so that the rest needs no lock |
//! | `answer`   | the answer: all of it, then what has changed |
//! | `spread`   | how long calls took, for quantiles of several paths together |

pub(crate) mod answer;
pub(crate) mod look;
pub(crate) mod quantile;
pub(crate) mod spread;
pub(crate) mod window;
