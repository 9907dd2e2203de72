//! Instances from the host's side: making and dropping one, reading and writing its memory.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pvm_benches::contender::Guest;
use pvm_benches::kernel;
use pvm_runtime::{Access, Config, Engine, Exit, GasModel, Instance, Jit, Linker, Module, Options, Store};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes for each access.
const SIZES: [usize; 3] = [8, 4096, 65536];

fn module(kernel: &str) -> Module {
    let mut kernels = kernel::load(None, &[kernel.to_owned()], Guest::Pvm).expect("our kernels are there");
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

/// Guests that are brought back to their start, or go on from where another was.
fn beginning(criterion: &mut Criterion) {
    let module = module("sieve");
    let mut instance = Instance::new(&module, &[]).expect("there is memory for it");
    let mut group = criterion.benchmark_group("beginning");
    group.bench_function("reset", |bencher| bencher.iter(|| instance.reset(&[])));
    let address = 0x4000_0000;
    instance.memory_mut().map(address, 16 << 20, Access::ReadWrite).expect("there is room");
    instance.memory_mut().write(address, &vec![7; 16 << 20]).expect("it is writable");
    let snapshot = instance.snapshot();
    group.bench_function("fork of 16 MiB", |bencher| {
        bencher.iter(|| Instance::from_snapshot(&module, &snapshot).expect("it is of the program"));
    });
    group.finish();
}

/// A call of the host and back, and a call of a function.
fn calling(criterion: &mut Criterion) {
    let engine =
        Engine::new(&Config { jit_threshold: 0, ..Config::default() }).expect("there is a compiler for this host");
    // A loop of `ecalli 1`, and a function that returns at once.
    let program = [0, 0, 6, 10, 1, 40, 0xfe, 50, 0, 0b1_0101];
    let options = Options { gas_model: Some(GasModel::Instruction), profile: None };
    let module = Module::new(&engine, &program, options).expect("it is a program");
    let mut linker = Linker::<u64>::new();
    linker.func(1, |caller| {
        *caller.data_mut() += 1;
        if *caller.data() % 1000 == 0 { Err(Exit::Interrupted.into()) } else { Ok(()) }
    });
    let mut store = Store::new(&module, &linker, 0).expect("there is memory for it");
    store.instance_mut().set_gas(u64::MAX);
    let mut group = criterion.benchmark_group("calling");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("1000 host calls", |bencher| bencher.iter(|| store.run().expect("the host does not fail")));
    group.throughput(Throughput::Elements(1));
    group.bench_function("a function", |bencher| bencher.iter(|| store.call(4, &[]).expect("it returns")));
    group.finish();
}

/// How long it takes until a run stops that another thread interrupts.
fn interrupting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interrupting");
    group.sample_size(10);
    for (name, jit) in [("compiled", Jit::default()), ("interpreted", Jit::Off)] {
        let engine = Engine::new(&Config { jit, jit_threshold: 0, ..Config::default() }).expect("there is a compiler");
        // add_imm_64 r7, r7, 1; jump to the start.
        let options = Options { gas_model: Some(GasModel::Instruction), profile: None };
        let module =
            Module::new(&engine, &[0, 0, 5, 149, 0x77, 1, 40, 0xfd, 0b1001], options).expect("it is a program");
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| latency(&module)).sum());
        });
    }
    group.finish();
}

/// Lets a guest run for two milliseconds and interrupts it.
fn latency(module: &Module) -> Duration {
    let mut instance = Instance::new(module, &[]).expect("there is memory for it");
    instance.set_gas(u64::MAX);
    let handle = instance.interrupt_handle();
    std::thread::scope(|scope| {
        let stopped = scope.spawn(move || {
            instance.run();
            Instant::now()
        });
        std::thread::sleep(Duration::from_millis(2));
        let asked = Instant::now();
        handle.interrupt();
        stopped.join().expect("no panic") - asked
    })
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

criterion_group!(benches, making, beginning, calling, interrupting, memory);
criterion_main!(benches);
