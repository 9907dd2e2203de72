//! Running: instructions interpreted and compiled, and the way from compiled code to the host and back.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pvm_benches::contender::Guest;
use pvm_benches::kernel;
use pvm_benches::ours::ARGUMENT;
use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};

/// How often the kernel's outermost loop runs.
const ROUNDS: u64 = 1;
/// More than anything here uses.
const GAS: u64 = 1 << 60;

/// A loop around a host call: `loop: ecalli 1; jump loop`.
const HOST_CALLS: &str = "
.format raw
        load_imm a0, 0
        fallthrough
loop:   ecalli 1
        add_imm_64 a0, a0, 1
        jump loop
";

fn kernel_instance(config: Config) -> (Instance, u32) {
    let mut kernels = kernel::load(None, &["sieve".to_owned()], Guest::Pvm).expect("our kernels are there");
    let kernel = kernels.remove(0).pvm.expect("a PVM program");
    let engine = Engine::new(&config).expect("there is a compiler for this host");
    let module = Module::from_program(&engine, kernel.program, Options::default());
    (Instance::new(&module, &[]).expect("there is memory for it"), kernel.entry)
}

fn run(instance: &mut Instance, entry: u32) {
    instance.set_gas(GAS);
    instance.set_pc(entry);
    // The former run has left them as it needed them.
    instance.registers_mut()[0] = u64::from(pvm_program::HALT_ADDRESS);
    instance.registers_mut()[ARGUMENT] = ROUNDS;
    assert_eq!(instance.run(), Exit::Halt);
}

fn kernels(criterion: &mut Criterion) {
    let (mut counting, entry) =
        kernel_instance(Config { jit: Jit::Off, count_instructions: true, ..Config::default() });
    run(&mut counting, entry);
    let mut group = criterion.benchmark_group("sieve");
    group.throughput(Throughput::Elements(counting.stats().instructions_interpreted)).sample_size(20);
    let interpreted = Config { jit: Jit::Off, ..Config::default() };
    for (name, config) in [("interpreted", interpreted), ("compiled", Config::default())] {
        let (mut instance, entry) = kernel_instance(config);
        group.bench_function(name, |bencher| bencher.iter(|| run(&mut instance, entry)));
    }
    group.finish();
}

fn host_calls(criterion: &mut Criterion) {
    let program = pvm_asm::assemble(HOST_CALLS).expect("the source is valid");
    let mut group = criterion.benchmark_group("host call");
    let interpreted = Config { jit: Jit::Off, ..Config::default() };
    let compiled = Config { jit_threshold: 0, ..Config::default() };
    for (name, config) in [("interpreted", interpreted), ("compiled", compiled)] {
        let engine = Engine::new(&config).expect("there is a compiler for this host");
        let module = Module::new(&engine, &program, Options::default()).expect("the program is valid");
        let mut instance = Instance::new(&module, &[]).expect("there is memory for it");
        instance.set_gas(GAS);
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert!(matches!(instance.run(), Exit::HostCall { id: 1 })));
        });
    }
    group.finish();
}

criterion_group!(benches, kernels, host_calls);
criterion_main!(benches);
