//! Compiling, for each guest instruction: a small region, and one as large as regions get.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pvm_benches::contender::Guest;
use pvm_benches::generator::{generate, parse};
use pvm_benches::kernel::{self, Kernel};
use pvm_runtime::{Config, Engine, Module, Options, Program};

/// About a thousand instructions: one region, or few.
const SIZE: usize = 3_000;

fn compiling(criterion: &mut Criterion) {
    let engine = Engine::new(&Config::default()).expect("there is a compiler for this host");
    let kernels =
        kernel::load(None, &["sieve".to_owned(), "sha256".to_owned()], Guest::Pvm).expect("our kernels are there");
    let small = kernels.into_iter().map(|Kernel { name, pvm, .. }| (name, pvm.expect("a PVM program").program));
    let generated = generate(SIZE).expect("programs of this size can be made");
    let (large, _) = parse(&generated.file).expect("generated programs are valid");

    let mut group = criterion.benchmark_group("compiling");
    group.sample_size(10);
    for (name, program) in small.chain([("generated".to_owned(), large)]) {
        let module = |program: &Program| Module::from_program(&engine, program.clone(), Options::default());
        let counted = module(&program);
        counted.compile_all();
        group.throughput(Throughput::Elements(counted.compile_stats().instructions));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| module(&program), |module| module.compile_all(), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, compiling);
criterion_main!(benches);
