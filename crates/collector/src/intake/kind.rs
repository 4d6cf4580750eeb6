//! The kinds of metrics.

use phanos_core::record::Operation;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Histogram,
    Summary,
    Counter,
    Gauge,
    Info,
    Enum,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Histogram, Self::Summary, Self::Counter, Self::Gauge, Self::Info, Self::Enum];

    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Enum => "enum",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// True if metrics of this kind have the operation.
    pub fn has(self, operation: Operation) -> bool {
        match self {
            Self::Histogram | Self::Summary => operation == Operation::Observe,
            Self::Counter => operation == Operation::Inc,
            Self::Gauge => operation != Operation::Observe,
            Self::Info | Self::Enum => false,
        }
    }
}

/// The operation of that name, if it is one with a number.
pub(crate) fn operation_of_name(name: &[u8]) -> Option<Operation> {
    match name {
        b"observe" => Some(Operation::Observe),
        b"inc" => Some(Operation::Inc),
        b"dec" => Some(Operation::Dec),
        b"set" => Some(Operation::Set),
        _ => None,
    }
}
