//! How long a picture takes to be laid out and written as SVG: images in a chain, images on one base, and images on any
//! earlier one, a thousand and four thousand of each. Four times as many should take about four times as long.

use std::hint::black_box;
use std::io;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use layerbuild::picture::{Edge, Node, Picture, Role, Shape, svg};

/// Which image one stands on.
type Base = fn(usize) -> usize;

/// Images, each of which but the first stands on the one that `base` says.
fn picture(count: usize, base: Base) -> Picture {
    let node = |at: usize| {
        let id = format!("//p:t{at}");
        Node { text: id.clone(), id, kind: "image rule".to_owned(), shape: Shape::Image, ..Node::default() }
    };
    let edge = |at: usize| Edge { from: at, to: base(at), role: Role::Base, text: String::new() };
    let (nodes, edges) = ((0..count).map(node).collect(), (1..count).map(edge).collect());
    Picture { title: "bench".to_owned(), nodes, edges, clusters: Vec::new() }
}

/// A number below `at` that looks like any.
fn any(at: usize) -> usize {
    (at.wrapping_mul(2_654_435_761) >> 7) % at
}

fn pictures(c: &mut Criterion) {
    let mut group = c.benchmark_group("picture");
    group.sample_size(10);
    let shapes: [(&str, Base); 3] = [("chain", |at| at - 1), ("fan", |_| 0), ("tree", any)];
    for (name, base) in shapes {
        for count in [1_000, 4_000] {
            let picture = picture(count, base);
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| svg::write(black_box(&picture), &mut io::sink()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pictures);
criterion_main!(benches);
