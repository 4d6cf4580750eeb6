//! Tests of the collector.

mod bodies;
mod buckets;
mod counting;
mod gauges;
mod limits;
mod names;
mod once;
mod reading;
mod same_reading;
mod shown;
