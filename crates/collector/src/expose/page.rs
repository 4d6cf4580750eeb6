//! All families in one format, compressed if wanted.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::aggregate::aggregation::Aggregate;
use crate::expose::encoder::Encoder;
use crate::expose::negotiate::Format;
use crate::expose::openmetrics::OpenMetricsEncoder;
use crate::expose::own::OwnFamily;
use crate::expose::protobuf::ProtobufEncoder;
use crate::expose::text::TextEncoder;

/// Room for a line of text, and for what it is in protobuf. A page that outgrows its memory is
/// copied; memory that is asked for and not used costs nothing.
const LINE_BYTES: usize = 192;
const BUCKET_BYTES: usize = 64;

/// The page: what was counted, then the collector's own metrics, which began at `started_ms`.
pub fn page(
    format: Format,
    aggregate: &Aggregate,
    own: &[OwnFamily],
    started_ms: u64,
    now_ms: u64,
) -> Vec<u8> {
    let all = (aggregate, own, started_ms, now_ms);
    let lines = aggregate.lines();
    match format {
        Format::Text | Format::Text1 => written(TextEncoder::new(lines * LINE_BYTES), all),
        Format::OpenMetrics | Format::OpenMetrics0 => {
            written(OpenMetricsEncoder::new(lines * LINE_BYTES), all)
        }
        Format::Protobuf => written(ProtobufEncoder::new(lines * BUCKET_BYTES), all),
    }
}

fn written(
    mut encoder: impl Encoder,
    (aggregate, own, started_ms, now_ms): (&Aggregate, &[OwnFamily], u64, u64),
) -> Vec<u8> {
    for (family, points) in aggregate.views(now_ms) {
        encoder.begin(&family);
        points.for_each(|point| encoder.point(&point));
    }
    for family in own {
        encoder.begin(&family.view());
        family.points(started_ms).for_each(|point| encoder.point(&point));
    }
    encoder.finish()
}

/// Compressed in little time rather than well: what is sent stays on the machine or in its network.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
