//! The native core of the `phanos` package.
#[cfg(feature = "python")]
mod clock;
#[path = "core/mod.rs"]
pub mod core;
#[cfg(feature = "python")]
mod py;
#[cfg(feature = "python")]
mod runtime;
