//! Instances from the host's side: making and dropping one, reading and writing its memory.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pvm_benches::kernel;
use pvm_runtime::{Config, Engine, Instance, Module, Options};
use std::hint::black_box;

/// Bytes for each access.
const SIZES: [usize; 3] = [8, 4096, 65536];

fn module(kernel: &str) -> Module {
    let mut kernels = kernel::load(None, &[kernel.to_owned()]).expect("our kernels are there");
    let kernel = kernels.remove(0).pvm.expect("a PVM program");
    let engine = Engine::new(&Config::default()).expect("there is a compiler for this host");
    Module::from_program(&engine, kernel.program, Options::default())
}

fn making(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("make and drop");
    for kernel in ["fib", "sieve", "coremix"] {
        let module = module(kernel);
        group.bench_function(kernel, |bencher| bencher.iter(|| Instance::new(&module, &[])));
    }
    group.finish();
}

fn memory(criterion: &mut Criterion) {
    // The sieve has enough writable memory.
    let module = module("sieve");
    let mut instance = Instance::new(&module, &[]).expect("there is memory for it");
    let segments = &module.program().expect("kernels are PVM programs").image.segments;
    let address = segments.iter().find(|segment| segment.name == "rw-data").expect("it has data").address;
    let mut group = criterion.benchmark_group("memory");
    for size in SIZES {
        let mut buffer = vec![1; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("read {size}"), |bencher| {
            bencher.iter(|| instance.memory().read(black_box(address), &mut buffer));
        });
        group.bench_function(format!("write {size}"), |bencher| {
            bencher.iter(|| instance.memory_mut().write(black_box(address), &buffer));
        });
    }
    group.finish();
}

criterion_group!(benches, making, memory);
criterion_main!(benches);
