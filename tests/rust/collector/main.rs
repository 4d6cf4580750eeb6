//! Tests of the collector.

mod bodies;
mod buckets;
mod call_tree;
mod committing;
mod counting;
mod exposition;
mod frames;
mod gauges;
mod hubs;
mod limits;
mod local_links;
mod names;
mod once;
mod protobuf_reader;
mod reading;
mod same_reading;
mod serving;
mod shown;
mod sockets;
mod stored;
