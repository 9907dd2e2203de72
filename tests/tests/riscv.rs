//! RISC-V guests: code that changes, code that is shared, traps, reservations, counters, machine mode.

use pvm_program::Executable;
use pvm_runtime::{Access, Config, Engine, Exit, GasModel, Instance, Jit, Module, ModuleError, Options, Trap};

const BASE: u32 = 0x1_0000;

/// Engines that interpret, compile at once, and compile what is hot.
fn engines() -> [Engine; 4] {
    [(Jit::Off, 1, 1000), (Jit::Cranelift, 0, 1000), (Jit::Cranelift, 1000, 1000), (Jit::Cranelift, 0, 3)].map(
        |(jit, jit_threshold, region_limit)| {
            Engine::new(&Config { jit, jit_threshold, region_limit, ..Config::default() }).expect("there is a compiler")
        },
    )
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn module(engine: &Engine, words: &[u32]) -> Module {
    let executable = Executable::flat(&bytes(words), BASE).expect("it is small");
    Module::from_executable(engine, executable, Options::default()).expect("it is not metered")
}

fn instance(engine: &Engine, words: &[u32]) -> Instance {
    Instance::new(&module(engine, words), &[]).expect("there is memory")
}

/// Calls a function in another page 3000 times; adds one to its immediate; calls it before and after a fence; and again.
const SELF_MODIFYING: [u32; 22] = [
    0x0020_0413, // li s0, 2
    0x0001_24b7, // lui s1, 0x12
    0x0000_1937, // round: li s2, 3000
    0xbb89_0913,
    0x0000_0513, // li a0, 0
    0x0004_80e7, // loop: jalr s1
    0xfff9_0913, // addi s2, s2, -1
    0xfe09_1ce3, // bnez s2, loop
    0x0000_0073, // ecall
    0x0004_a283, // lw t0, 0(s1)
    0x0010_0337, // lui t1, 0x100
    0x0062_82b3, // add t0, t0, t1
    0x0054_a023, // sw t0, 0(s1)
    0x0005_0993, // mv s3, a0
    0x0000_0513, // li a0, 0
    0x0004_80e7, // jalr s1
    0x0000_0073, // ecall
    0x0000_100f, // fence.i
    0x0000_0513, // li a0, 0
    0x0004_80e7, // jalr s1
    0x0000_0073, // ecall
    0xfb5f_f06f, // j round
];

/// addi a0, a0, 1; ret
const FUNCTION: [u32; 2] = [0x0015_0513, 0x0000_8067];

fn with_function() -> Vec<u32> {
    let mut words = SELF_MODIFYING.to_vec();
    words.resize(0x2000 / 4, 0);
    words.extend(FUNCTION);
    words
}

#[test]
fn hot_code_changes_when_it_is_fenced() {
    for engine in engines() {
        let mut guest = instance(&engine, &with_function());
        for step in 1..6_u64 {
            for expected in [3000 * step, step, step + 1] {
                assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, expected), "step {step}");
            }
        }
    }
}

#[test]
fn guests_that_change_their_code_do_not_change_that_of_others() {
    for engine in engines() {
        let module = module(&engine, &with_function());
        let mut guests = [(); 2].map(|()| Instance::new(&module, &[]).expect("there is memory"));
        for (turn, step) in [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2)] {
            let guest: &mut Instance = &mut guests[turn];
            for expected in [3000 * step, step, step + 1] {
                assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, expected), "guest {turn}");
            }
        }
    }
}

#[test]
fn code_that_the_host_writes_is_seen_at_once() {
    for engine in engines() {
        let mut guest = instance(&engine, &with_function());
        assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, 3000));
        guest.memory_mut().initialise(BASE + 0x2000, &bytes(&[0x0075_0513])).expect("it is there");
        guest.set_pc(BASE + 8);
        assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, 7 * 3000));
        // Written as the guest would, it needs a fence.
        guest.memory_mut().write(BASE + 0x2000, &bytes(&[0x0095_0513])).expect("it is writable");
        guest.set_pc(BASE + 8);
        assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, 7 * 3000));
        guest.fence_code();
        guest.set_pc(BASE + 8);
        assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, 9 * 3000));
        // What may not be run any more, is not.
        guest.memory_mut().protect(BASE + 0x2000, 0x1000, Access::ReadWrite).expect("it is there");
        guest.set_pc(BASE + 8);
        let trap = Exit::Trap { trap: Trap::FetchFault, value: BASE + 0x2000 };
        assert_eq!((guest.run(), guest.pc()), (trap, BASE + 0x2000));
    }
}

#[test]
fn traps_say_what_and_where() {
    // The instruction, what the guest has in a0, and the trap.
    let cases: [(u32, u64, Trap, u32); 14] = [
        (0xffff_ffff, 0, Trap::IllegalInstruction, 0xffff_ffff),
        (0x0000_0000, 0, Trap::IllegalInstruction, 0),
        (0x0010_0073, 0, Trap::Breakpoint, BASE),
        (0x3020_0073, 0, Trap::IllegalInstruction, 0x3020_0073), // mret
        (0x3000_2573, 0, Trap::IllegalInstruction, 0x3000_2573), // csrr a0, mstatus
        (0xc000_1073, 0, Trap::IllegalInstruction, 0xc000_1073), // csrw cycle, zero
        (0x0005_2503, 0x5000_0002, Trap::LoadFault, 0x5000_0002), // lw a0, 0(a0)
        (0x0005_2003, 0x5000_0000, Trap::LoadFault, 0x5000_0000), // lw zero, 0(a0)
        (0x0005_2023, 0x5000_0001, Trap::StoreFault, 0x5000_0001), // sw zero, 0(a0)
        (0x0005_2023, 0x1_0ffe, Trap::StoreFault, 0x1_1000),     // across the end of what there is
        (0x1005_25af, u64::from(BASE | 2), Trap::MisalignedLoad, BASE | 2), // lr.w a1, (a0)
        (0x18b5_262f, u64::from(BASE | 1), Trap::MisalignedStore, BASE | 1), // sc.w a2, a1, (a0)
        (0x00b5_262f, u64::from(BASE | 2), Trap::MisalignedStore, BASE | 2), // amoadd.w a2, a1, (a0)
        (0x00b5_262f, 0x5000_0000, Trap::StoreFault, 0x5000_0000),
    ];
    for engine in engines() {
        for (word, a0, trap, value) in cases {
            let mut guest = instance(&engine, &[word]);
            guest.all_registers_mut()[10] = a0;
            let expected = (Exit::Trap { trap, value }, BASE, a0);
            // A resumed run tries again.
            for _ in 0..2 {
                assert_eq!((guest.run(), guest.pc(), guest.all_registers()[10]), expected, "{word:#010x}");
            }
        }
        let mut guest = instance(&engine, &[0x0005_0067]); // jr a0
        guest.all_registers_mut()[10] = 0x5000_0001;
        let trap = Exit::Trap { trap: Trap::FetchFault, value: 0x5000_0000 };
        assert_eq!((guest.run(), guest.pc()), (trap, 0x5000_0000));
        guest.set_pc(BASE + 1);
        assert_eq!(guest.run(), Exit::Trap { trap: Trap::MisalignedTarget, value: BASE + 1 });
    }
}

/// Stores one behind the other leave machine code at the same place: what is seen of that is that each is refused by itself.
#[test]
fn stores_in_a_row_are_refused_one_by_one() {
    // sw to a0, a1, a2 of t0, t1, t2; add t0, t0, t1; sw to a3, a4 of t0, t1; ecall
    let store = |value: u32, to: u32| value << 20 | to << 15 | 2 << 12 | 0x23;
    let add = 0x0062_82b3;
    let words = [store(5, 10), store(6, 11), store(7, 12), add, store(5, 13), store(6, 14), 0x0000_0073];
    let stores = [0, 1, 2, 4, 5];
    let values = [[7, 8, 9], [15, 8, 9]];
    for engine in engines() {
        let executable = Executable::flat(&bytes(&words), BASE).expect("it is small");
        let options = Options { gas_model: Some(GasModel::Instruction), profile: None };
        let module = Module::from_executable(&engine, executable, options).expect("the model fits");
        for (refused, at) in stores.into_iter().enumerate() {
            let mut guest = Instance::new(&module, &[]).expect("there is memory");
            guest.set_gas(100);
            // Stores to where code may be are refused.
            guest.memory_mut().map(0x8_0000, 0x1000, Access::ReadWrite).expect("it is free");
            let place = |number: usize| 0x8_0000 + 4 * number as u32;
            let registers = guest.all_registers_mut();
            registers[5..8].copy_from_slice(&values[0]);
            (0..5).for_each(|number| registers[10 + number] = u64::from(place(number)));
            registers[10 + refused] = 0x5000_0000;
            let before = registers.to_vec();
            let trap = Exit::Trap { trap: Trap::StoreFault, value: 0x5000_0000 };
            assert_eq!((guest.run(), guest.pc(), guest.gas()), (trap, BASE + 4 * at, 99 - u64::from(at)), "{refused}");
            let [t0, t1, t2] = values[usize::from(refused > 2)];
            let stored = [values[0][0], t1, t2, t0, t1].map(|value| Ok(value as u32));
            let expected: Vec<_> = (0..5).map(|number| if number < refused { stored[number] } else { Ok(0) }).collect();
            let found: Vec<_> = (0..5).map(|number| guest.memory().read_u32(place(number))).collect();
            assert_eq!(found, expected, "{refused}");
            assert_eq!(guest.all_registers()[5], t0);
            assert_eq!(guest.all_registers()[6..], before[6..]);
        }
    }
}

#[test]
fn only_what_is_reserved_is_stored_conditionally() {
    // lr.w a1, (a0); sc.w a2, a3, (a0); sc.w a4, a3, (a0); lw a5, 0(a0); ecall
    let words = [0x1005_25af, 0x18d5_262f, 0x18d5_272f, 0x0005_2783, 0x0000_0073, 17];
    for engine in engines() {
        let mut guest = instance(&engine, &words);
        (guest.all_registers_mut()[10], guest.all_registers_mut()[13]) = (u64::from(BASE + 20), 99);
        assert_eq!(guest.run(), Exit::Ecall);
        let registers = guest.all_registers();
        assert_eq!([11, 12, 14, 15].map(|register| registers[register]), [17, 0, 1, 99]);
    }
}

#[test]
fn reservations_do_not_leave_compiled_code() {
    let words = [
        0x1004_22af, // loop: lr.w t0, (s0)
        0x0012_8293, // addi t0, t0, 1
        0x1854_232f, // sc.w t1, t0, (s0)
        0xfe03_1ae3, // bnez t1, loop
        0xfff4_8493, // addi s1, s1, -1
        0xfe04_96e3, // bnez s1, loop
        0x0000_0073, // ecall
        0,
    ];
    for engine in engines() {
        let mut guest = instance(&engine, &words);
        (guest.all_registers_mut()[8], guest.all_registers_mut()[9]) = (u64::from(BASE + 28), 5000);
        assert_eq!(guest.run(), Exit::Ecall);
        assert_eq!(guest.memory().read_u32(BASE + 28), Ok(5000));
        let config = engine.config();
        if config.jit == Jit::Cranelift && config.region_limit == 1000 {
            let entries = guest.stats().native_entries;
            assert!((1..20).contains(&entries), "{entries}");
        }
    }
}

#[test]
fn what_never_runs_is_hardly_compiled() {
    // loop: eight times a beq t0, t1 over 120 times addi a0, a0, 1; then addi s1, s1, -1; bnez s1, loop; ecall
    let way = std::iter::once(branch(0x0062_8063, 4 * 121)).chain([0x0015_0513; 120]);
    let mut words: Vec<u32> = std::iter::repeat_n(way, 8).flatten().collect();
    let offset = -4 * (words.len() as i32 + 1);
    words.extend([0xfff4_8493, branch(0x0004_9063, offset), 0x0000_0073]);
    let config = Config { jit: Jit::Cranelift, jit_threshold: 1000, ..Config::default() };
    let mut guest = instance(&Engine::new(&config).expect("the host has a compiler"), &words);
    guest.all_registers_mut()[9] = 100_000;
    assert_eq!(guest.run(), Exit::Ecall);
    assert_eq!(guest.all_registers()[10], 0);
    let compiled = guest.compile_stats().instructions;
    assert!((10..300).contains(&compiled), "{compiled} of {}", words.len());
}

/// A branch, given as one to itself, that leads elsewhere.
fn branch(itself: u32, offset: i32) -> u32 {
    let bits = |from: u32, count: u32| offset as u32 >> from & ((1 << count) - 1);
    itself | bits(12, 1) << 31 | bits(5, 6) << 25 | bits(1, 4) << 8 | bits(11, 1) << 7
}

#[test]
fn instructions_are_counted_and_paid_for() {
    // li a0, 5; loop: addi a0, a0, -1; bnez a0, loop; rdinstret a1; ecall
    let words = [0x0050_0513, 0xfff5_0513, 0xfe05_1ee3, 0xc020_25f3, 0x0000_0073];
    for engine in engines() {
        let executable = Executable::flat(&bytes(&words), BASE).expect("it is small");
        let options = Options { gas_model: Some(GasModel::Instruction), profile: None };
        let module = Module::from_executable(&engine, executable.clone(), options).expect("the model fits");
        for gas in 0..14 {
            let mut guest = Instance::new(&module, &[]).expect("there is memory");
            guest.set_gas(gas);
            let exit = guest.run();
            assert_eq!(guest.instructions_retired(), Some(gas.min(13)));
            if gas < 13 {
                assert_eq!((exit, guest.gas()), (Exit::OutOfGas, 0));
                guest.set_gas(100);
                assert_eq!((guest.run(), guest.gas()), (Exit::Ecall, 100 - (13 - gas)));
            } else {
                assert_eq!((exit, guest.gas()), (Exit::Ecall, gas - 13));
            }
            assert_eq!((guest.all_registers()[11], guest.instructions_retired()), (11, Some(13)));
        }
        let options = Options { gas_model: Some(GasModel::Pipeline), profile: None };
        let refused = Module::from_executable(&engine, executable, options);
        assert!(matches!(refused, Err(ModuleError::GasModel { model: GasModel::Pipeline })));
    }
}

/// A loop that calls a function only in the second half of its rounds, when it is compiled already. A jump keeps the function from
/// being decoded before, together with what stands in front of it.
const CALLS_LATER: [u32; 10] = [
    0x0006_2937, // lui s2, 0x62
    0x0003_19b7, // lui s3, 0x31
    0x0139_7463, // loop: bgeu s2, s3, skip
    0x0140_00ef, // jal f
    0xfff9_0913, // skip: addi s2, s2, -1
    0xfe09_1ae3, // bnez s2, loop
    0x0000_0073, // ecall
    0x0000_006f, // j .
    0x0015_0513, // f: addi a0, a0, 1
    0x0000_8067, // ret
];

#[test]
fn what_gets_warm_later_is_taken_into_the_region_that_leads_there() {
    // Compiling may take any time with so low a threshold, so that how fast it is does not matter here.
    let engine = Engine::new(&Config { jit_threshold: 99, ..Config::default() }).expect("the host has a compiler");
    let mut guest = instance(&engine, &CALLS_LATER);
    assert_eq!((guest.run(), guest.all_registers()[10]), (Exit::Ecall, 0x3_1000 - 1));
    let stats = guest.stats();
    // With two regions, each call would be two of them. The function was not in the first one, or this tests nothing.
    assert!((20..20_000).contains(&stats.native_entries), "{stats:?}");
}

#[test]
fn machine_mode_has_the_guest_handle_its_traps() {
    // auipc t0, 0; addi t0, t0, 32; csrw mtvec, t0; csrw mepc, t0; mret, to user mode and the handler, which may not read
    // mcause there: an illegal instruction, and the handler runs again in machine mode.
    let words = [
        0x0000_0297,
        0x0202_8293,
        0x3052_9073,
        0x3412_9073,
        0x3020_0073,
        0x0000_0013,
        0x0000_0013,
        0x0000_0013,
        0x3420_2573, // handler: csrr a0, mcause
        0x3430_25f3, // csrr a1, mtval
        0x3050_1073, // csrw mtvec, zero
        0x0000_0073, // ecall
    ];
    for engine in engines() {
        let mut guest = instance(&engine, &words);
        guest.set_machine_mode(true);
        assert_eq!((guest.run(), guest.pc()), (Exit::Ecall, BASE + 44));
        assert_eq!((guest.all_registers()[10], guest.all_registers()[11]), (2, 0x3420_2573));
    }
}
