//! Why a record, or a whole body, is not counted.

/// Why something is not counted. The name is the label `reason` of the collector's own metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The body, from here on, is no JSON.
    NotJson,
    /// The body is JSON and no array.
    NotAnArray,
    /// An element of the array is no object, or has a key twice.
    NotARecord,
    /// `metric`, `method` or `value` is missing.
    KeyMissing,
    /// The value of a key has another type than expected.
    WrongType,
    /// `metric` is none of histogram, summary, counter, gauge, info and enum.
    UnknownKind,
    /// The operation is none that the kind of metric has.
    UnknownOperation,
    /// The value is no number: NaN and infinities are null in JSON.
    NotANumber,
    /// A counter was to fall.
    Negative,
    /// There are too many labels, or one is too long.
    Labels,
    /// The family's name is taken by a metric of another kind.
    TypeConflict,
    /// The job has as many series as it may have, and this kind has no overflow series.
    SeriesLimit,
    /// There are as many metrics as there may be.
    MetricLimit,
}

impl Reason {
    pub const ALL: [Self; 13] = [
        Self::NotJson,
        Self::NotAnArray,
        Self::NotARecord,
        Self::KeyMissing,
        Self::WrongType,
        Self::UnknownKind,
        Self::UnknownOperation,
        Self::NotANumber,
        Self::Negative,
        Self::Labels,
        Self::TypeConflict,
        Self::SeriesLimit,
        Self::MetricLimit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnArray => "not_an_array",
            Self::NotARecord => "not_a_record",
            Self::KeyMissing => "key_missing",
            Self::WrongType => "wrong_type",
            Self::UnknownKind => "unknown_kind",
            Self::UnknownOperation => "unknown_operation",
            Self::NotANumber => "not_a_number",
            Self::Negative => "negative",
            Self::Labels => "labels",
            Self::TypeConflict => "type_conflict",
            Self::SeriesLimit => "series_limit",
            Self::MetricLimit => "metric_limit",
        }
    }

    /// True for what ends the reading of a body.
    pub fn is_of_body(self) -> bool {
        matches!(self, Self::NotJson | Self::NotAnArray)
    }

    /// A sentence for log lines.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotJson => "the body, or the rest of it, is no JSON",
            Self::NotAnArray => "the body is no JSON array",
            Self::NotARecord => "an element of the array is no record: no object, or a key twice",
            Self::KeyMissing => "a record lacks metric, method or value",
            Self::WrongType => "a record's key has a value of another type than expected",
            Self::UnknownKind => {
                "metric is none of histogram, summary, counter, gauge, info and enum"
            }
            Self::UnknownOperation => "the operation is none that the kind of metric has",
            Self::NotANumber => "the value is no finite number",
            Self::Negative => "a counter was to fall",
            Self::Labels => "a record has too many labels, or one that is too long",
            Self::TypeConflict => "the name is taken by a metric of another kind",
            Self::SeriesLimit => "the job has as many series as it may have (max_series)",
            Self::MetricLimit => "there are as many metrics as there may be (max_metrics)",
        }
    }
}
