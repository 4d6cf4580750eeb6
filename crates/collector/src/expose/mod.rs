//! Series as Prometheus reads them.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `number`      | numbers as text |
//! | `encoder`     | what all formats do |
//! | `text`        | the text format, 0.0.4 and 1.0.0 |
//! | `openmetrics` | OpenMetrics 1.0 |
//! | `wire`        | how Protocol Buffers are written |
//! | `protobuf`    | Prometheus' own messages, with native histograms |
//! | `negotiate`   | which format a client wants |
//! | `own`         | the collector's own metrics |
//! | `page`        | all families in one format, compressed if wanted |

pub(crate) mod encoder;
pub(crate) mod negotiate;
pub(crate) mod number;
pub(crate) mod openmetrics;
pub(crate) mod own;
pub(crate) mod page;
pub(crate) mod protobuf;
pub(crate) mod text;
pub(crate) mod wire;
