//! From the bytes of a program to a module: decoding, finding blocks, all of it together.
//!
//! The program is a generated one of 100 KB.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pvm_benches::generator::generate;
use pvm_isa::Profile;
use pvm_program::{Code, Program};
use pvm_runtime::{Config, Engine, Module, Options};
use std::hint::black_box;

const SIZE: usize = 100_000;

fn preparing(criterion: &mut Criterion) {
    let generated = generate(SIZE).expect("programs of this size can be made");
    let program = Program::parse(&generated.file).expect("generated programs are valid");
    let code = Code::new(&program.blob, Profile::V0_7);
    let engine = Engine::new(&Config::default()).expect("there is a compiler for this host");

    let mut group = criterion.benchmark_group("preparing");
    group.throughput(Throughput::Elements(generated.instructions));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| code.instruction_starts().filter_map(|pc| code.instruction(black_box(pc))).count());
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Program::parse(black_box(&generated.file)));
    });
    group.bench_function("blocks", |bencher| {
        bencher.iter(|| Code::new(black_box(&program.blob), Profile::V0_7));
    });
    group.bench_function("module", |bencher| {
        bencher.iter(|| Module::new(&engine, black_box(&generated.file), Options::default()));
    });
    group.finish();
}

criterion_group!(benches, preparing);
criterion_main!(benches);
