//! The host gives no executable memory: programs are interpreted, that is said once, and little work is wasted on trying.
//!
//! A filter of system calls denies it to one thread, as a sandbox or a hardened kernel would; other threads stand for a
//! host that gives again.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Denies the calling thread `mprotect` with the right to execute, for good.
fn deny_executable_memory() {
    let executable = libc::PROT_EXEC as u64;
    let condition =
        SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), executable).unwrap();
    let rule = SeccompRule::new(vec![condition]).unwrap();
    let filter = SeccompFilter::new(
        [(libc::SYS_mprotect, vec![rule])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EACCES as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    apply_filter(&program).expect("the kernel filters system calls");
}

/// What was logged. In a shortage nothing but failures is: the first as a warning, the others for those who look closer.
#[derive(Clone, Default)]
struct Log {
    warnings: Arc<AtomicU64>,
    others: Arc<AtomicU64>,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let is_warning = *event.metadata().level() <= Level::WARN;
        let count = if is_warning { &self.warnings } else { &self.others };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Runs on a thread of its own that is denied executable memory; returns how many warnings were logged, too, and how many
/// other events.
fn in_a_shortage<T: Send>(work: impl FnOnce() -> T + Send) -> (T, u64, u64) {
    let log = Log::default();
    let for_thread = log.clone();
    let run = || {
        deny_executable_memory();
        tracing::subscriber::with_default(for_thread, work)
    };
    let result = thread::scope(|scope| scope.spawn(run).join().unwrap());
    (result, log.warnings.load(Ordering::Relaxed), log.others.load(Ordering::Relaxed))
}

fn module(config: Config) -> Module {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quicksort.jam");
    Module::new(&Engine::new(&config).unwrap(), &std::fs::read(file).unwrap(), Options::default()).unwrap()
}

/// All that a run ends with.
type End = (Exit, u32, u64, [u64; 13], Vec<u8>);

fn run(module: &Module) -> End {
    let mut instance = Instance::new(module, &[]).unwrap();
    instance.set_gas(1 << 40);
    let exit = instance.run();
    (exit, instance.pc(), instance.gas(), *instance.registers(), instance.output())
}

fn interpreted() -> End {
    run(&module(Config { jit: Jit::Off, ..Config::default() }))
}

#[test]
fn without_executable_memory_everything_is_interpreted_and_that_is_said_once() {
    let expected = interpreted();
    assert_eq!(expected.0, Exit::Halt);
    for jit_threshold in [0, 1, 1000] {
        let module = module(Config { jit_threshold, ..Config::default() });
        let (found, warnings, others) = in_a_shortage(|| run(&module));
        assert_eq!(found, expected, "threshold {jit_threshold}");
        assert_eq!(warnings, 1, "threshold {jit_threshold}");
        // At threshold 0 there are some ten million requests, of which one in 65,536 is tried in the end.
        assert!((1..400).contains(&others), "threshold {jit_threshold}: {others} times compiled in vain");
        let stats = module.compile_stats();
        assert_eq!((stats.regions, stats.memory_bytes), (0, 0));
    }
}

#[test]
fn when_memory_can_be_had_again_compiling_goes_on() {
    let expected = interpreted();
    for jit_threshold in [0, 1, 1000] {
        let module = module(Config { jit_threshold, ..Config::default() });
        let ((), warnings, _) = in_a_shortage(|| assert_eq!(run(&module), expected));
        assert_eq!((module.compile_stats().regions, warnings), (0, 1));
        // As many requests may have to come again as have been refused.
        let healed = (0..4).any(|_| {
            assert_eq!(run(&module), expected);
            module.compile_stats().regions > 0
        });
        assert!(healed, "threshold {jit_threshold}: {:?}", module.compile_stats());
        // A new shortage finds the code that is there by now, and is no news.
        let before = module.compile_stats().regions;
        let (found, warnings, _) = in_a_shortage(|| run(&module));
        assert_eq!((found, warnings), (expected.clone(), 0));
        assert_eq!(module.compile_stats().regions, before);
    }
}
