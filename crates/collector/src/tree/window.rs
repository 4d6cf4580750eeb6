//! A span of time as people ask for it.

use std::fmt;

/// Seconds of each unit.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// All that was counted, before a restart as well.
    All,
    /// So long, until some time ago.
    Last { length_ms: u64, ago_ms: u64 },
    /// From one moment to another, in milliseconds of the epoch.
    Between { from_ms: u64, to_ms: u64 },
}

impl Window {
    /// Reads `all`, `5m`, `1h@5m` (the hour that ended five minutes ago), `FROM..TO` or `FROM..`
    /// (milliseconds of the epoch).
    ///
    /// # Errors
    /// What was given and what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let window = if text == "all" {
            Some(Self::All)
        } else if let Some((from, to)) = text.split_once("..") {
            let to_ms = if to.is_empty() { Some(u64::MAX) } else { to.parse().ok() };
            from.parse().ok().zip(to_ms).map(|(from_ms, to_ms)| Self::Between { from_ms, to_ms })
        } else {
            let (length, ago) = text.split_once('@').unwrap_or((text, "0s"));
            time_ms(length)
                .filter(|length_ms| *length_ms > 0)
                .zip(time_ms(ago))
                .map(|(length_ms, ago_ms)| Self::Last { length_ms, ago_ms })
        };
        window.ok_or_else(|| {
            format!("{text:?} is no window such as 5m, 1h@5m, all or FROM..TO in milliseconds")
        })
    }

    /// The beginning and the end, seen from a moment; `None` for all.
    pub fn span(self, now_ms: u64) -> Option<(u64, u64)> {
        match self {
            Self::All => None,
            Self::Last { length_ms, ago_ms } => {
                let to_ms = now_ms.saturating_sub(ago_ms);
                Some((to_ms.saturating_sub(length_ms), to_ms))
            }
            Self::Between { from_ms, to_ms } => Some((from_ms, to_ms.min(now_ms))),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Last { length_ms, ago_ms: 0 } => write!(formatter, "{}s", length_ms / 1000),
            Self::Last { length_ms, ago_ms } => {
                write!(formatter, "{}s@{}s", length_ms / 1000, ago_ms / 1000)
            }
            Self::Between { from_ms, to_ms: u64::MAX } => write!(formatter, "{from_ms}.."),
            Self::Between { from_ms, to_ms } => write!(formatter, "{from_ms}..{to_ms}"),
        }
    }
}

fn time_ms(text: &str) -> Option<u64> {
    let (_, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = &text[..text.len() - 1];
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(*seconds * 1000)
}
