//! Tests of the collector.

mod bodies;
mod reading;
mod same_reading;
