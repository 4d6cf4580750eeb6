//! What can be chosen about aggregation.

use std::time::Duration;

/// How the values that workers give one gauge become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// One value for all workers: the last `set` counts, `inc` and `dec` change it.
    #[default]
    Last,
    /// Each worker has a value of its own; their sum is shown.
    Sum,
    /// As `Sum`, but the largest.
    Max,
    /// As `Sum`, but the smallest.
    Min,
    /// As `Sum`, without workers from which nothing has come for [`Options::live_timeout`].
    Live,
}

impl Policy {
    pub const ALL: [Self; 5] = [Self::Last, Self::Sum, Self::Max, Self::Min, Self::Live];

    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Min => "min",
            Self::Live => "live",
        }
    }
}

/// What is chosen for one metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricOptions {
    /// The metric's name in the profiler, or its family's name as served.
    pub name: String,
    /// Upper bounds of the classic buckets of a histogram in its base unit, rising; empty for none.
    pub buckets: Option<Vec<f64>>,
    /// Of a gauge.
    pub policy: Option<Policy>,
    /// How long a series without records stays; zero: for ever.
    pub time_to_live: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Series that one job may have.
    pub max_series: usize,
    /// Jobs that have series of their own; others share one.
    pub max_jobs: usize,
    /// Families that there may be.
    pub max_metrics: usize,
    /// How long a new series shows 0.
    pub zero_first: Duration,
    /// How long a gauge, an info or an enum without records stays; zero: for ever. Counters,
    /// summaries and histograms stay unless [`MetricOptions`] says otherwise.
    pub time_to_live: Duration,
    /// How long a worker without messages counts as alive, for gauges.
    pub live_timeout: Duration,
    /// How long it is remembered which messages of a worker were counted.
    pub worker_memory: Duration,
    /// The name of the label that holds the job.
    pub job_label: String,
    pub policy: Policy,
    pub metrics: Vec<MetricOptions>,
}

impl Options {
    /// # Errors
    /// What cannot be used, in words.
    pub fn check(&self) -> Result<(), String> {
        let label = &*self.job_label;
        let is_name = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && label.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && !label.starts_with("__");
        if !is_name || ["item", "method", "le", "quantile"].contains(&label) {
            return Err(format!("{label:?} is no name of a label that is free for the job"));
        }
        for MetricOptions { name, buckets, .. } in &self.metrics {
            let Some(buckets) = buckets else { continue };
            let rise = buckets.windows(2).all(|pair| pair[0] < pair[1]);
            if !rise || buckets.iter().any(|bound| !bound.is_finite()) {
                return Err(format!(
                    "metric {name:?}: buckets {buckets:?} are no numbers that rise"
                ));
            }
        }
        Ok(())
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Options {
    fn default() -> Self {
        Self {
            max_series: 10_000,
            max_jobs: 1_000,
            max_metrics: 1_000,
            zero_first: Duration::from_secs(15),
            time_to_live: DAY,
            live_timeout: Duration::from_secs(300),
            worker_memory: DAY * 7,
            job_label: "job".into(),
            policy: Policy::default(),
            metrics: Vec::new(),
        }
    }
}
