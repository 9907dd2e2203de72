//! The code cache: its limit holds, what it evicts can come back, and no memory is ever writable and executable.

use pvm_fuzzing::BlobBuilder;
use pvm_gas::GasModel;
use pvm_isa::{Instruction, Opcode, Operands, Profile};
use pvm_ops::Reg;
use pvm_program::Blob;
use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};
use std::sync::atomic::{AtomicBool, Ordering};

const MIB: usize = 1 << 20;

fn engine(config: Config) -> Engine {
    Engine::new(&config).unwrap()
}

fn module(engine: &Engine, blob: &Blob) -> Module {
    let options = Options { profile: Some(Profile::V0_7), gas_model: Some(GasModel::Instruction) };
    Module::from_program(engine, blob.clone().into(), options)
}

/// An endless program of many long blocks, each of which jumps to another far away.
fn ring(blocks: u32) -> Blob {
    let mut builder = BlobBuilder::new(Profile::V0_7);
    let len = 40;
    let push = |builder: &mut BlobBuilder, opcode, operands| {
        builder.push(Instruction { opcode, operands }).unwrap();
    };
    push(&mut builder, Opcode::LoadImm, Operands::RegImm { a: Reg::R7, x: 12345 });
    push(&mut builder, Opcode::Fallthrough, Operands::None);
    // Fixed sizes: three bytes an instruction, five for the jump, so that targets can be computed.
    let start = builder.pc();
    let size = 3 * len + 5;
    for block in 0..blocks {
        for number in 0..len {
            let (d, a) = (Reg::wrapping((number % 5 + 2) as u8), Reg::wrapping(((number + block) % 5 + 2) as u8));
            let opcode = [Opcode::Add64, Opcode::Xor, Opcode::Mul64, Opcode::Sub32][((number * block) % 4) as usize];
            push(&mut builder, opcode, Operands::RegRegReg { d, a, b: Reg::R7 });
        }
        // 17 is prime to the number of blocks, so that all of them are visited.
        let next = (block + 17) % blocks;
        let target = i64::from(start + next * size);
        let offset = (target - i64::from(builder.pc())) as i32;
        let bytes = [&[Opcode::Jump.byte(Profile::V0_7).unwrap()][..], &offset.to_le_bytes()].concat();
        builder.push_bytes(&bytes, true);
    }
    builder.finish()
}

fn run(module: &Module, gas: u64) -> (Exit, u32, u64, [u64; 13]) {
    let mut instance = Instance::new(module, &[]).unwrap();
    instance.set_gas(gas);
    let exit = instance.run();
    (exit, instance.pc(), instance.gas(), *instance.registers())
}

#[test]
fn a_block_is_compiled_whole_however_much_ir_it_takes() {
    const LEN: u32 = 3000;
    let mut builder = BlobBuilder::new(Profile::V0_7);
    for number in 0..LEN {
        let (d, b) = (Reg::wrapping((number % 7) as u8), Reg::wrapping((number % 5) as u8));
        let operands = Operands::RegRegReg { d, a: Reg::R7, b };
        builder.push(Instruction { opcode: Opcode::RemS64, operands }).unwrap();
    }
    builder.push(Instruction { opcode: Opcode::Trap, operands: Operands::None }).unwrap();
    let blob = builder.finish();
    let gas = u64::from(2 * LEN);
    let expected = run(&module(&engine(Config { jit: Jit::Off, ..Config::default() }), &blob), gas);
    let config = Config { jit_threshold: 0, region_limit: 2 * LEN as usize, ..Config::default() };
    let module = module(&engine(config), &blob);
    assert_eq!(run(&module, gas), expected);
    let stats = module.compile_stats();
    assert_eq!((stats.regions, stats.instructions), (1, u64::from(LEN) + 1));
}

#[test]
fn a_program_larger_than_the_cache_runs_right_within_the_limit() {
    for (blocks, code_limit, jit_threshold, region_limit) in
        [(7001, MIB, 0, 1000), (2003, MIB / 8, 2, 100), (101, MIB / 16, 0, 1)]
    {
        let blob = ring(blocks);
        let gas = 100 * u64::from(blocks);
        let expected = run(&module(&engine(Config { jit: Jit::Off, ..Config::default() }), &blob), gas);
        let config = Config { jit_threshold, region_limit, code_limit, verify: false, ..Config::default() };
        let module = module(&engine(config), &blob);
        let mut instance = Instance::new(&module, &[]).unwrap();
        let mut left = gas;
        while left > 0 {
            let slice = left.min(gas / 30);
            left -= slice;
            instance.set_gas(instance.gas() + slice);
            assert_eq!(instance.run(), Exit::OutOfGas);
            assert!(module.compile_stats().memory_bytes <= code_limit as u64);
        }
        let found = (Exit::OutOfGas, instance.pc(), instance.gas(), *instance.registers());
        assert_eq!(found, expected);
        let stats = module.compile_stats();
        assert!(stats.evicted > 0, "the cache was too small for the program: {stats:?}");
    }
}

/// A loop over more code than there is room for: without a limit to how often what is evicted comes back, everything would
/// be compiled on every round.
#[test]
fn a_loop_over_more_code_than_there_is_room_for_is_compiled_seldom() {
    let rounds = 100_000;
    let blob = ring(3);
    let gas = rounds * 3 * 41;
    let expected = run(&module(&engine(Config { jit: Jit::Off, ..Config::default() }), &blob), gas);
    for (jit_threshold, pages) in [(0, 2), (1, 2), (5, 1)] {
        // Each block is a region of its own, and takes a page.
        let config = Config {
            jit_threshold,
            region_limit: 41,
            code_limit: pages * 4096,
            count_instructions: true,
            ..Config::default()
        };
        let module = module(&engine(config), &blob);
        let mut instance = Instance::new(&module, &[]).unwrap();
        instance.set_gas(gas);
        assert_eq!(instance.run(), Exit::OutOfGas);
        let found = (Exit::OutOfGas, instance.pc(), instance.gas(), *instance.registers());
        assert_eq!(found, expected);
        let stats = module.compile_stats();
        assert!(stats.evicted > 0 && stats.memory_bytes <= pages as u64 * 4096, "{stats:?}");
        // Three blocks, each at most once more whenever it has been asked for twice as often.
        assert!(stats.regions <= 3 * 20, "{stats:?}");
        // What is there goes on to be used: a block that waits does not take the others' place.
        let run = instance.stats();
        assert!(run.instructions_native as usize > pages * rounds as usize * 41 / 2, "{run:?}, {stats:?}");
    }
}

#[test]
fn without_room_for_code_everything_is_interpreted() {
    let blob = ring(101);
    let expected = run(&module(&engine(Config { jit: Jit::Off, ..Config::default() }), &blob), 100_000);
    for code_limit in [0, 4095] {
        let module = module(&engine(Config { jit_threshold: 0, code_limit, ..Config::default() }), &blob);
        assert_eq!(run(&module, 100_000), expected);
        assert_eq!((module.compile_stats().regions, module.compile_stats().memory_bytes), (0, 0));
    }
}

#[test]
fn threads_share_a_small_cache_and_no_memory_is_writable_and_executable() {
    let blob = ring(1009);
    let gas = 2_000_000;
    let expected = run(&module(&engine(Config { jit: Jit::Off, ..Config::default() }), &blob), gas);
    let config = Config { jit_threshold: 1, region_limit: 200, code_limit: MIB / 4, ..Config::default() };
    let module = module(&engine(config), &blob);
    let done = AtomicBool::new(false);
    let samples = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut executable = 0;
            while !done.load(Ordering::Relaxed) {
                for rights in mappings() {
                    assert!(!(rights.contains('w') && rights.contains('x')), "a mapping is {rights}");
                    executable += u64::from(rights.contains('x'));
                }
            }
            executable
        });
        let guests: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..3).map(|_| run(&module, gas)).collect::<Vec<_>>())).collect();
        for guest in guests {
            assert!(guest.join().unwrap().iter().all(|found| *found == expected));
        }
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert!(module.compile_stats().regions > 0);
    assert!(!cfg!(target_os = "linux") || samples > 0, "mappings were looked at");
    assert!(module.compile_stats().memory_bytes <= MIB as u64 / 4);
}

/// The rights of every mapping of this process, as Linux lists them.
fn mappings() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect()
}

/// A loop that the guest comes to be in by way of the interpreter, because it was stopped within: it is compiled for
/// itself, and not interpreted to its end.
#[test]
fn a_loop_entered_in_the_middle_gets_hot() {
    // load_imm r7, 0; load_imm r3, 0x20000; loop: add r7, 1; load_u8 r4, [r3]; branch_ne r7, 50 000 000, loop; trap
    let mut builder = BlobBuilder::new(Profile::V0_7);
    let mut push = |opcode, operands| {
        let pc = builder.pc();
        builder.push(Instruction { opcode, operands }).unwrap();
        i64::from(pc)
    };
    push(Opcode::LoadImm, Operands::RegImm { a: Reg::R3, x: 0x20000 });
    push(Opcode::Fallthrough, Operands::None);
    push(Opcode::Fallthrough, Operands::None);
    let target = push(Opcode::AddImm64, Operands::RegRegImm { a: Reg::R7, b: Reg::R7, x: 1 });
    push(Opcode::LoadIndU8, Operands::RegRegImm { a: Reg::R4, b: Reg::R3, x: 0 });
    push(Opcode::BranchNeImm, Operands::RegImmOffset { a: Reg::R7, x: 1_000_000, target });
    push(Opcode::Trap, Operands::None);
    let blob = builder.finish();
    let config = Config { count_instructions: true, jit_threshold: 100, ..Config::default() };
    let module = module(&engine(config), &blob);
    // Compiles the region from the start of the program: the head of the loop is not an entry of it.
    module.compile_all();
    let mut instance = Instance::new(&module, &[]).unwrap();
    instance.set_gas(10_000_000);
    assert_eq!(instance.run(), Exit::PageFault { address: 0x20000 });
    instance.memory_mut().map(0x20000, 4096, pvm_runtime::Access::Read).unwrap();
    assert_eq!(instance.run(), Exit::Panic);
    assert_eq!(instance.registers()[7], 1_000_000);
    let stats = instance.stats();
    assert!(stats.instructions_native > 10 * stats.instructions_interpreted, "{stats:?}");
}
