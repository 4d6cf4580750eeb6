//! The native core of the `phanos` package.
#[path = "core/mod.rs"]
pub mod core;
#[cfg(feature = "python")]
mod py;
#[cfg(feature = "python")]
mod runtime;
