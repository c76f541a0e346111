//! The inner loops, for profiling: `cargo bench --bench kernels`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serin::prover::commit::Commitment;
use serin::prover::infer::infer;
use serin::synthetic::{Net, batch, square};
use serin_circuits::field::{Ext, from_uniform};
use serin_circuits::poly::{dot_rows, eq_table, fold_rows};
use serin_circuits::weights::Layout;
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::commit::{Code, Shape};
use serin_verifier::proof::Mode;
use serin_verifier::verify::verify;

fn any_ext(random: &mut SplitMix64) -> Ext {
    let mut limb = || {
        let word = u128::from(random.next_word()) << 64 | u128::from(random.next_word());
        from_uniform(word.to_le_bytes())
    };
    Ext::new(limb(), limb())
}

fn folds(c: &mut Criterion) {
    let mut random = SplitMix64::new(1);
    let (rows, width) = (256, 1024);
    let integers: Vec<i32> = (0..rows * width).map(|_| (random.next_word() % 255) as i32 - 127).collect();
    let outer: Vec<Ext> = (0..rows).map(|_| any_ext(&mut random)).collect();
    let inner: Vec<Ext> = (0..width).map(|_| any_ext(&mut random)).collect();
    let point: Vec<Ext> = (0..16).map(|_| any_ext(&mut random)).collect();
    let mut group = c.benchmark_group("fold");
    group.throughput(Throughput::Elements((rows * width) as u64));
    group.bench_function("rows of integers", |b| {
        b.iter(|| fold_rows(black_box(&outer), &integers, width, 127))
    });
    group.bench_function("columns of integers", |b| b.iter(|| dot_rows(black_box(&integers), &inner, 127)));
    group.throughput(Throughput::Elements(1 << 16));
    group.bench_function("eq table", |b| b.iter(|| eq_table(black_box(&point))));
    group.finish();
}

fn commitments(c: &mut Criterion) {
    let model = Net::new(1, &[784]).dense(128).rescale(0).dense(128).rescale(0).dense(10).finish();
    let layout = Layout::of(model.graph());
    let mut group = c.benchmark_group("commitment");
    group.sample_size(20).throughput(Throughput::Elements(layout.used() as u64));
    group.bench_function("mlp weights", |b| {
        b.iter_with_setup(
            || model.weights().flatten(&layout),
            |vector| Commitment::new(vector, Shape::of(&layout)),
        );
    });
    let mut random = SplitMix64::new(2);
    for bits in [14, 17, 20] {
        let shape = Shape::new(1 << bits, bits, Code::of_batch(1 << bits));
        let vector: Vec<i32> = (0..1 << bits).map(|_| random.next_word() as i32 >> 16).collect();
        group.throughput(Throughput::Elements(1 << bits));
        group.bench_function(BenchmarkId::new("batch columns", vector.len()), |b| {
            b.iter_with_setup(|| vector.clone(), |vector| Commitment::new(vector, shape));
        });
    }
    group.finish();
}

fn batches(c: &mut Criterion) {
    let lenet = Net::new(1, &[1, 28, 28])
        .conv(1, 6, square(5, 1, 0))
        .rescale(0)
        .max_pool(square(2, 2, 0))
        .conv(1, 16, square(5, 1, 0))
        .rescale(0)
        .max_pool(square(2, 2, 0))
        .dense(120)
        .rescale(0)
        .dense(84)
        .rescale(0)
        .dense(10)
        .finish();
    let mut group = c.benchmark_group("lenet");
    for n in [1, 64] {
        let inputs = batch(lenet.graph(), 3, n);
        let trace = lenet.infer(&inputs);
        let proof = lenet.prove("bench", &[0; 32], &inputs, &trace, Mode::Revealed).expect("an honest batch");
        let statement = lenet.statement("bench", &[0; 32], &inputs, trace.output());
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("infer", n), |b| {
            b.iter(|| infer(lenet.graph(), lenet.weights(), black_box(&inputs)));
        });
        group.bench_function(BenchmarkId::new("prove", n), |b| {
            b.iter(|| lenet.prove("bench", &[0; 32], black_box(&inputs), &trace, Mode::Revealed));
        });
        group.bench_function(BenchmarkId::new("verify", n), |b| {
            b.iter(|| verify(&statement, black_box(&proof)))
        });
    }
    group.finish();
}

criterion_group!(benches, folds, commitments, batches);
criterion_main!(benches);
