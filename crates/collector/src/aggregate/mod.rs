//! From records to series. Knows neither where messages come from nor how series are shown.
//!
//! | module        | concept |
//! |---------------|---------|
//! | `options`     | what can be chosen |
//! | `unit`        | units of profilers, and base units |
//! | `name`        | names of families |
//! | `labels`      | labels by Prometheus' rules |
//! | `exponential` | exponential histograms |
//! | `histogram`   | those, with classic buckets beside them |
//! | `gauge`       | gauges of several workers |
//! | `numbers`     | which messages of one worker were counted |
//! | `row`         | how rows of the store are written |
//! | `paths`       | call paths, and how often each is called for one call of its root |
//! | `frame`       | the calls of all paths in a span of time |
//! | `history`     | the last day, in frames |
//! | `changes`     | what has changed since it was last stored |
//! | `worker`      | workers, and what is remembered of each |
//! | `family`      | what the series of one metric share |
//! | `series`      | labels, and what was counted under them |
//! | `jobs`        | jobs, and how many series each has |
//! | `table`       | all series, found by family and labels |
//! | `heads`       | beginnings of records that were read before |
//! | `tally`       | what the collector counts of its own work |
//! | `view`        | what there is to be shown |
//! | `aggregation` | all of it: counts messages, shows series, hands out what is to be stored |

pub(crate) mod aggregation;
pub(crate) mod changes;
pub(crate) mod exponential;
pub(crate) mod family;
pub(crate) mod frame;
pub(crate) mod gauge;
pub(crate) mod heads;
pub(crate) mod histogram;
pub(crate) mod history;
pub(crate) mod jobs;
pub(crate) mod labels;
pub(crate) mod name;
pub(crate) mod numbers;
pub(crate) mod options;
pub(crate) mod paths;
pub(crate) mod row;
pub(crate) mod series;
pub(crate) mod table;
pub(crate) mod tally;
pub(crate) mod unit;
pub(crate) mod view;
pub(crate) mod worker;
