//! What needs no Python: what timing, naming, placing and writing a call cost.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use phanos_core::clock::Start;
use phanos_core::forest::Forest;
use phanos_core::lines::Lines;
use phanos_core::path::Path;
use phanos_core::path_cache::{PathCache, hash_name};
use phanos_core::record::{Metric, Operation};
use phanos_delivery::{Chunk, Content, encode};

fn clock(criterion: &mut Criterion) {
    phanos_core::clock::prepare();
    let (wall, start) = (Instant::now(), Start::now());
    let before = start.elapsed_ns();
    assert!(before <= start.elapsed_ns() && u128::from(before) <= wall.elapsed().as_nanos());
    criterion.bench_function("two readings of the clock", |bencher| {
        bencher.iter(|| Start::now().elapsed_ns());
    });
}

fn paths(criterion: &mut Criterion) {
    let mut cache = PathCache::new(1 << 17);
    let name: Arc<str> = "leaf".into();
    let hash = hash_name(&name);
    let root = cache.root(&"A:root".into());
    assert_eq!(cache.child(&root, &name, hash).text(), "A:root.leaf");
    criterion.bench_function("path of a known call", |bencher| {
        bencher.iter(|| cache.child(black_box(&root), &name, hash));
    });
    let deep = (0..10).fold(root, |path, _| path.child(Arc::clone(&name)));
    let mut out = String::new();
    criterion.bench_function("text of a path eleven deep", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(&deep).write_text(&mut out);
            out.len()
        });
    });
}

fn forest(criterion: &mut Criterion) {
    for siblings in [0, 100_000] {
        let mut forest = Forest::new();
        let root = forest.insert(0);
        for value in 0..siblings {
            forest.insert_under(root, value).unwrap();
        }
        criterion.bench_function(&format!("call beside {siblings} live ones"), |bencher| {
            bencher.iter(|| {
                let node = forest.insert_under(black_box(root), 1).unwrap();
                forest.remove(node)
            });
        });
        assert_eq!(forest.len(), siblings + 1);
    }
}

/// Rows of one metric: contexts and milliseconds.
type Rows = Vec<(Rc<Path>, f64)>;

fn like_rows() -> Rows {
    let path = Path::literal("Resource:get").child("load".into()).child("query".into());
    vec![(path, 1.23); 100]
}

/// No two in a row alike, and digits that take a search.
fn unlike_rows() -> Rows {
    let root = Path::literal("Resource:get");
    let steps: Vec<_> = (0..10).map(|step| root.child(format!("step{step}").into())).collect();
    let row = |number: u8| (Rc::clone(&steps[usize::from(number % 10)]), f64::from(number) / 7.0);
    (0..100).map(row).collect()
}

fn text(metric: &Metric, rows: &Rows) -> String {
    let mut lines = Lines::new(metric, rows.len());
    for (path, number) in rows {
        lines.add_number(path, *number, Some(false));
    }
    lines.text
}

/// As a handler puts rows down, a chunk at a time, and the network side takes them.
fn json(metric: &Arc<Metric>, rows: &Rows) -> Vec<u8> {
    let mut chunk = Chunk::default();
    let known = chunk.metric(metric);
    for (path, number) in rows {
        let slot = chunk.text(path.slot().get(), |text| path.write_text(text));
        path.slot().set(slot);
        let operation = Operation::Observe;
        let content = Content::Number { operation, error_raised: Some(false), number: *number };
        chunk.push(known, slot, content);
    }
    let mut body = Vec::new();
    encode(&chunk, |message| body = message.body);
    body
}

fn written(criterion: &mut Criterion) {
    let metric = Arc::new(Metric::new("time_profiler", "histogram", "mS", "job"));
    for (kind, rows, last) in
        [("like", like_rows(), "1.23"), ("unlike", unlike_rows(), "14.142857142857142")]
    {
        let lines = text(&metric, &rows);
        assert_eq!(lines.lines().count(), 100);
        assert!(lines.ends_with(&format!("value: {last} mS, labels: error_raised=False")));
        criterion.bench_function(&format!("text of 100 {kind} records"), |bencher| {
            bencher.iter(|| text(&metric, black_box(&rows)));
        });
        let body = json(&metric, &rows);
        let records: Vec<serde_json::Value> = serde_json::from_slice(&body).expect("an array");
        assert_eq!(records.len(), 100);
        assert!(body.ends_with(format!(r#""value":["observe",{last}]}}]"#).as_bytes()));
        criterion.bench_function(&format!("JSON of 100 {kind} records"), |bencher| {
            bencher.iter(|| json(&metric, black_box(&rows)));
        });
    }
}

criterion_group!(benches, clock, paths, forest, written);
criterion_main!(benches);
