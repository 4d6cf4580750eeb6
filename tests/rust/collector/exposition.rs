//! The formats of the page, and which of them a client gets.

use std::io::Read as _;

use flate2::read::GzDecoder;
use phanos_collector::{Aggregate, Format, Kind, OwnFamily, accepts_gzip, gzip, index_of, page};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bodies::{call, record};
use crate::protobuf_reader::{Fields, delimited};
use crate::shown::{START_MS, brief_options, take};

/// Some of everything.
fn filled() -> Aggregate {
    let mut aggregate = Aggregate::new(brief_options("h"));
    let one = |kind: &str, units: &str, value: &str| [record(kind, units, "A:b", "{}", value)];
    take(&mut aggregate, "h", &[call("A:b", 500.0), call("A:b", 1500.0)]);
    take(&mut aggregate, "s", &one("summary", "B", r#"["observe",10]"#));
    take(&mut aggregate, "c", &one("counter", "", r#"["inc",2]"#));
    take(&mut aggregate, "g", &one("gauge", "", r#"["set",-3]"#));
    take(&mut aggregate, "i", &one("info", "info", r#"["info",{"version":"1"}]"#));
    take(&mut aggregate, "e", &one("enum", "enum", r#"["state","up"]"#));
    take(&mut aggregate, "e", &one("enum", "enum", r#"["state","down"]"#));
    aggregate
}

fn own() -> [OwnFamily; 1] {
    [OwnFamily {
        name: "phanos_collector_messages",
        kind: Kind::Counter,
        unit: "",
        help: "Messages that came.",
        samples: vec![(String::new(), 7.0), (r#"a="b""#.into(), 8.0)],
    }]
}

fn shown(format: Format) -> String {
    String::from_utf8(page(format, &filled(), &own(), START_MS, START_MS)).expect("UTF-8")
}

const LABELS: &str = r#"job="JOB",item="A",method="A:b""#;

#[test]
fn the_text_format() {
    let expected = r#"# HELP phanos_c_total The counter c, by call path.
# TYPE phanos_c_total counter
phanos_c_total{LABELS} 2.0
# HELP phanos_e The enum e, by call path.
# TYPE phanos_e gauge
phanos_e{LABELS,phanos_e="up"} 0
phanos_e{LABELS,phanos_e="down"} 1
# HELP phanos_g The gauge g, by call path.
# TYPE phanos_g gauge
phanos_g{LABELS} -3.0
# HELP phanos_h_seconds The histogram h, by call path.
# TYPE phanos_h_seconds histogram
phanos_h_seconds_bucket{LABELS,error_raised="false",le="1.0"} 1
phanos_h_seconds_bucket{LABELS,error_raised="false",le="+Inf"} 2
phanos_h_seconds_count{LABELS,error_raised="false"} 2
phanos_h_seconds_sum{LABELS,error_raised="false"} 2.0
# HELP phanos_i_info The info i, by call path.
# TYPE phanos_i_info gauge
phanos_i_info{LABELS,version="1"} 1
# HELP phanos_s_bytes The summary s, by call path.
# TYPE phanos_s_bytes summary
phanos_s_bytes_count{LABELS} 1
phanos_s_bytes_sum{LABELS} 10.0
# HELP phanos_collector_messages_total Messages that came.
# TYPE phanos_collector_messages_total counter
phanos_collector_messages_total 7.0
phanos_collector_messages_total{a="b"} 8.0
"#;
    assert_eq!(shown(Format::Text), expected.replace("LABELS", LABELS));
    assert_eq!(shown(Format::Text), shown(Format::Text1));
}

#[test]
fn open_metrics() {
    let expected = r#"# TYPE phanos_c counter
# HELP phanos_c The counter c, by call path.
phanos_c_total{LABELS} 2.0
# TYPE phanos_e stateset
# HELP phanos_e The enum e, by call path.
phanos_e{LABELS,phanos_e="up"} 0
phanos_e{LABELS,phanos_e="down"} 1
# TYPE phanos_g gauge
# HELP phanos_g The gauge g, by call path.
phanos_g{LABELS} -3.0
# TYPE phanos_h_seconds histogram
# UNIT phanos_h_seconds seconds
# HELP phanos_h_seconds The histogram h, by call path.
phanos_h_seconds_bucket{LABELS,error_raised="false",le="1.0"} 1
phanos_h_seconds_bucket{LABELS,error_raised="false",le="+Inf"} 2
phanos_h_seconds_count{LABELS,error_raised="false"} 2
phanos_h_seconds_sum{LABELS,error_raised="false"} 2.0
# TYPE phanos_i info
# HELP phanos_i The info i, by call path.
phanos_i_info{LABELS,version="1"} 1
# TYPE phanos_s_bytes summary
# UNIT phanos_s_bytes bytes
# HELP phanos_s_bytes The summary s, by call path.
phanos_s_bytes_count{LABELS} 1
phanos_s_bytes_sum{LABELS} 10.0
# TYPE phanos_collector_messages counter
# HELP phanos_collector_messages Messages that came.
phanos_collector_messages_total 7.0
phanos_collector_messages_total{a="b"} 8.0
# EOF
"#;
    assert_eq!(shown(Format::OpenMetrics), expected.replace("LABELS", LABELS));
    assert_eq!(shown(Format::OpenMetrics), shown(Format::OpenMetrics0));
}

/// The families of the protobuf format: name, type, metrics.
fn families(aggregate: &Aggregate) -> Vec<(String, u64, Vec<Fields>)> {
    let page = page(Format::Protobuf, aggregate, &own(), START_MS, START_MS);
    let families = delimited(&page).into_iter();
    families.map(|family| (family.text(1), family.integer(3), family.messages(4))).collect()
}

fn labels(metric: &Fields) -> String {
    let labels = metric.messages(1).into_iter();
    let pairs: Vec<_> =
        labels.map(|label| format!("{}={}", label.text(1), label.text(2))).collect();
    pairs.join(",")
}

#[test]
fn protobuf() {
    let families = families(&filled());
    let names: Vec<_> = families.iter().map(|(name, kind, _)| (name.as_str(), *kind)).collect();
    let expected = [
        ("phanos_c_total", 0),
        ("phanos_e", 1),
        ("phanos_g", 1),
        ("phanos_h_seconds", 4),
        ("phanos_i_info", 1),
        ("phanos_s_bytes", 2),
        ("phanos_collector_messages_total", 0),
    ];
    assert_eq!(names, expected);
    let metrics = |place: usize| &families[place].2;
    let counter = metrics(0)[0].message(3);
    assert_eq!(labels(&metrics(0)[0]), "job=JOB,item=A,method=A:b");
    assert_eq!(counter.double(1).to_bits(), 2_f64.to_bits());
    let created = counter.message(3);
    assert_eq!((created.integer(1), created.integer(2)), (START_MS / 1000, 0));
    let states: Vec<_> =
        metrics(1).iter().map(|metric| (labels(metric), metric.message(2).double(1))).collect();
    assert_eq!(states[1], ("job=JOB,item=A,method=A:b,phanos_e=down".into(), 1.0));
    assert_eq!(metrics(2)[0].message(2).double(1).to_bits(), (-3_f64).to_bits());
    assert_eq!(labels(&metrics(4)[0]), "job=JOB,item=A,method=A:b,version=1");
    let summary = metrics(5)[0].message(4);
    assert_eq!((summary.integer(1), summary.double(2).to_bits()), (1, 10_f64.to_bits()));
    assert_eq!(summary.message(4).integer(1), START_MS / 1000);
    assert_eq!(labels(&metrics(6)[1]), "a=b");
}

#[test]
fn native_histograms() {
    let histogram = families(&filled())[3].2[0].message(7);
    assert_eq!((histogram.integer(1), histogram.double(2).to_bits()), (2, 2_f64.to_bits()));
    let classic = histogram.message(3);
    assert_eq!((classic.integer(1), classic.double(2).to_bits()), (1, 1_f64.to_bits()));
    assert_eq!((histogram.signed(5), histogram.integer(7)), (3, 0));
    assert!(histogram.double(6) > 0.0);
    // 0.5 is the end of bucket -8, 1.5 in bucket 5.
    let spans: Vec<_> =
        histogram.messages(12).iter().map(|span| (span.signed(1), span.integer(2))).collect();
    assert_eq!(spans, [(-8, 1), (12, 1)]);
    assert_eq!(histogram.packed(13), [1, 0]);
    assert_eq!(histogram.message(15).integer(1), START_MS / 1000);
}

/// Buckets and counts of a native histogram, as spans and differences tell them.
fn buckets(histogram: &Fields, spans: u64, deltas: u64) -> Vec<(i64, u64)> {
    let mut deltas = histogram.packed(deltas).into_iter();
    let (mut index, mut count) = (0, 0);
    let mut buckets = Vec::new();
    for span in histogram.messages(spans) {
        index += span.signed(1);
        for _ in 0..span.integer(2) {
            count += deltas.next().expect("one for each bucket");
            if count > 0 {
                buckets.push((index, u64::try_from(count).expect("a count")));
            }
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets
}

proptest! {
    #[test]
    fn any_native_histogram_reads_back(numbers in vec(prop_oneof![-1e4..1e4, Just(0.0), -1e-30..1e-30], 1..60)) {
        let mut aggregate = Aggregate::new(brief_options("h"));
        let records: Vec<String> = numbers
            .iter()
            .map(|number| record("histogram", "", "m", "{}", &format!(r#"["observe",{number:?}]"#)))
            .collect();
        take(&mut aggregate, "h", &records);
        let histogram = families(&aggregate)[0].2[0].message(7);
        let expected = |sign: f64| {
            let mut counts = std::collections::BTreeMap::new();
            for number in numbers.iter().map(|number| number * sign) {
                if number > histogram.double(6) {
                    *counts.entry(i64::from(index_of(number))).or_insert(0) += 1;
                }
            }
            counts.into_iter().collect::<Vec<(i64, u64)>>()
        };
        prop_assert_eq!(buckets(&histogram, 12, 13), expected(1.0));
        prop_assert_eq!(buckets(&histogram, 9, 10), expected(-1.0));
        prop_assert_eq!(histogram.integer(1), numbers.len() as u64);
    }

    #[test]
    fn any_header_gets_an_answer(accept in "\\PC{0,60}|[a-z/*;=,.0-9 ]{0,60}") {
        Format::of_accept(&accept);
        accepts_gzip(&accept);
    }
}

#[test]
fn the_format_is_the_one_with_the_greatest_weight() {
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let open = "application/openmetrics-text";
    for (accept, format) in [
        (String::new(), Format::Text),
        ("*/*".into(), Format::Text),
        ("text/html, */*;q=0.1".into(), Format::Text),
        ("image/png".into(), Format::Text),
        ("text/plain;version=0.0.4".into(), Format::Text),
        ("text/plain;version=1.0.0".into(), Format::Text1),
        (open.into(), Format::OpenMetrics),
        (format!("{open};version=0.0.1"), Format::OpenMetrics0),
        (format!("{open};version=9.0.0,text/plain;q=0.1"), Format::Text),
        (format!("{protobuf};q=0.1"), Format::Protobuf),
        (format!("{protobuf};q=0"), Format::Text),
        (format!("{protobuf};q=2"), Format::Text),
        (protobuf.replace("delimited", "text"), Format::Text),
        (protobuf.replace("MetricFamily", "Other"), Format::Text),
        // Prometheus 2.42, without and with native histograms.
        (
            format!(
                "{open};version=1.0.0,{open};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            Format::OpenMetrics,
        ),
        (
            format!(
                "{protobuf},{open};version=1.0.0;q=0.8,{open};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            Format::Protobuf,
        ),
        // Prometheus 3.
        (
            format!(
                "{open};version=1.0.0;escaping=allow-utf-8;q=0.6,{open};version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            Format::OpenMetrics,
        ),
        (format!("TEXT/PLAIN ; Version=\"0.0.4\" ; Q=0.5 , {open} ; q=0.4"), Format::Text),
    ] {
        assert_eq!(Format::of_accept(&accept), format, "{accept}");
    }
    for format in Format::ALL {
        assert_eq!(Format::of_accept(format.content_type()), format);
    }
}

#[test]
fn gzip_is_for_those_who_take_it() {
    for (header, taken) in [
        ("", false),
        ("gzip", true),
        ("deflate, GZIP;q=0.5", true),
        ("gzip;q=0", false),
        ("gzip;q=0, *", false),
        ("*", true),
        ("*;q=0", false),
        ("br", false),
    ] {
        assert_eq!(accepts_gzip(header), taken, "{header}");
    }
    let page = shown(Format::Text);
    let mut read = String::new();
    GzDecoder::new(&*gzip(page.as_bytes())).read_to_string(&mut read).expect("gzip");
    assert_eq!(read, page);
}

#[test]
fn a_help_text_is_one_line() {
    let mut aggregate = Aggregate::new(brief_options("h"));
    take(&mut aggregate, "a\n# TYPE x\\", &[record("counter", "", "m", "{}", r#"["inc",1]"#)]);
    let text = String::from_utf8(page(Format::Text, &aggregate, &[], 0, START_MS)).expect("UTF-8");
    assert!(
        text.starts_with("# HELP phanos_a_type_x_total The counter a# TYPE x, by call path.\n")
    );
    assert_eq!(text.lines().count(), 3);
}
