//! The memory that waiting records take.

use super::allocated::allocated;
use super::fixtures::{metric, number};
use crate::records::buffer::Buffer;
use crate::records::chunk::{Content, Converted};
use phanos_core::path::{Path, TextSlot};

const RECORDS: usize = 1_000_000;
const LIMIT: usize = 40_000_000;

/// As a program may do that makes a name for each user or file.
#[test]
fn a_metric_name_per_record_is_counted() {
    let buffer = Buffer::new(usize::MAX / 2);
    let before = allocated();
    for record in 0..100_000 {
        buffer.push(|chunk| {
            let metric = chunk.metric_of_json(&format!("metric of record {record}"), "JOB");
            let json = Converted::Json { record: vec![b'1'; 150].into(), error_raised: false };
            let content = Content::Converted(Box::new(json));
            chunk.push(metric, TextSlot::default(), content);
        });
    }
    let taken = (allocated() - before).cast_unsigned();
    let mut counted = 0;
    while let Some((chunk, _)) = buffer.take() {
        counted += chunk.bytes;
    }
    assert!(taken < counted * 3 / 2, "{taken} bytes taken, {counted} counted");
}

/// Records as a profiler adds them: 24 bytes each, and the context's text once per chunk.
#[test]
fn a_million_records_take_less_than_40_megabytes() {
    let buffer = Buffer::new(usize::MAX / 2);
    let metric = metric("time_profiler");
    let paths: Vec<_> = (0..100).map(|i| Path::literal(&format!("Owner:root.leaf{i}"))).collect();
    let before = allocated();
    for record in 0..RECORDS {
        let path = &paths[record % paths.len()];
        buffer.push(|chunk| {
            let metric = chunk.metric(&metric);
            let slot: TextSlot = chunk.text(path.slot().get(), |text| path.write_text(text));
            path.slot().set(slot);
            chunk.push(metric, slot, number(0.09));
        });
    }
    let taken = (allocated() - before).cast_unsigned();
    assert_eq!(buffer.records(), RECORDS as u64);
    assert!(taken < LIMIT, "{taken} bytes for {RECORDS} records");
    let mut counted = 0;
    while let Some((chunk, _)) = buffer.take() {
        counted += chunk.bytes;
    }
    assert!(counted < LIMIT && counted > 24 * RECORDS, "{counted} bytes counted");
}
