//! The core without Python: what naming, placing and writing a call cost.

use std::borrow::Cow;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use phanos::core::forest::Forest;
use phanos::core::path::{Path, PathCache, hash_name};
use phanos::core::record::{Batch, Labels, Metric, Record};
use phanos::core::value::Value;

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
            forest.insert_under(root, value);
        }
        criterion.bench_function(&format!("call beside {siblings} live ones"), |bencher| {
            bencher.iter(|| {
                let node = forest.insert_under(black_box(root), 1);
                forest.remove(node)
            });
        });
        assert_eq!(forest.len(), siblings + 1);
    }
}

fn batch(records: usize) -> Batch<Rc<Path>> {
    let method = Path::literal("Resource:get").child("load".into()).child("query".into());
    let record = Record {
        method,
        operation: Some(Cow::Borrowed("observe")),
        value: Value::Float(1.23),
        labels: Labels::ErrorRaised(false),
    };
    let metric = Metric::new("time_profiler", "histogram", "mS", "job");
    Batch { metric: Arc::new(metric), records: vec![record; records] }
}

fn written(criterion: &mut Criterion) {
    let hundred = batch(100);
    assert_eq!(hundred.text().lines().count(), 100);
    criterion.bench_function("text of 100 records", |bencher| {
        bencher.iter(|| black_box(&hundred).text());
    });
    assert!(hundred.json().starts_with(b"[{\"item\":\"Resource\""));
    criterion.bench_function("JSON of 100 records", |bencher| {
        bencher.iter(|| black_box(&hundred).json());
    });
    let mut mixed = hundred;
    for (record, number) in mixed.records.iter_mut().zip(0u8..) {
        // No two in a row alike, and digits that take a search.
        record.method = record.method.child(format!("step{}", number % 10).into());
        record.value = Value::Float(f64::from(number) / 7.0);
    }
    assert!(mixed.json().ends_with(br#""value":["observe",14.142857142857142]}]"#));
    criterion.bench_function("JSON of 100 unlike records", |bencher| {
        bencher.iter(|| black_box(&mixed).json());
    });
}

criterion_group!(benches, paths, forest, written);
criterion_main!(benches);
