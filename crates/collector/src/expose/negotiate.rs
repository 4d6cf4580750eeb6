//! Which format and compression a client wants, by its headers.

/// A format of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Text,
    /// The text format's version 1.0.0, which differs in nothing that is served here.
    Text1,
    OpenMetrics,
    /// What some clients call OpenMetrics before 1.0.
    OpenMetrics0,
    Protobuf,
}

impl Format {
    pub const ALL: [Self; 5] =
        [Self::Text, Self::Text1, Self::OpenMetrics, Self::OpenMetrics0, Self::Protobuf];

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text1 => "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format that an `Accept` header asks for: the one with the greatest weight, of several
    /// the first. Without any that is known it is the text format, which every client reads.
    pub fn of_accept(accept: &str) -> Self {
        let mut best = (Self::Text, 0.0);
        for part in accept.split(',') {
            let mut parameters = part.split(';').map(str::trim);
            let kind = parameters.next().unwrap_or("").to_ascii_lowercase();
            let parameters: Vec<(String, &str)> = parameters.filter_map(parameter).collect();
            let value = |name: &str| {
                parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
            };
            let weight = value("q").map_or(Some(1.0), |weight| weight.parse::<f64>().ok());
            let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
            let format = match (&*kind, value("version")) {
                ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Self::Text,
                ("text/plain", Some("1.0.0")) => Self::Text1,
                ("application/openmetrics-text", None | Some("1.0.0")) => Self::OpenMetrics,
                ("application/openmetrics-text", Some("0.0.1")) => Self::OpenMetrics0,
                ("application/vnd.google.protobuf", _)
                    if value("proto") == Some("io.prometheus.client.MetricFamily")
                        && value("encoding") == Some("delimited") =>
                {
                    Self::Protobuf
                }
                _ => continue,
            };
            if weight > best.1 {
                best = (format, weight);
            }
        }
        best.0
    }
}

/// True if an `Accept-Encoding` header takes gzip.
pub fn accepts_gzip(accept_encoding: &str) -> bool {
    let mut any = false;
    for part in accept_encoding.split(',') {
        let mut parameters = part.split(';').map(str::trim);
        let name = parameters.next().unwrap_or("");
        let weight = parameters.filter_map(parameter).find(|(name, _)| name == "q");
        let taken = weight.is_none_or(|(_, weight)| weight.parse::<f64>().is_ok_and(|q| q > 0.0));
        if name.eq_ignore_ascii_case("gzip") {
            return taken;
        }
        any |= name == "*" && taken;
    }
    any
}

fn parameter(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
}
