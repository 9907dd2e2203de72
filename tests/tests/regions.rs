//! Regions of PVM programs: what runs together is compiled together in the end, also where programs do not show it ahead.

use pvm_asm::assemble;
use pvm_runtime::{Config, Engine, Exit, GasModel, Instance, Jit, Module, Options};

const ROUNDS: u64 = 1_000_000;

/// Two loops that call one function, the second long after the first. Nothing leads from one to the other but returns.
const TWO_CALLERS: &str = "
            .jump_table 1
            .jump_entry between
            .jump_entry end
            .jump_entry counted
            .jump_entry counted_again
            load_imm_jump r0, 2, first
    between: load_imm_jump r0, 4, second
    end:    trap
    first:  move_reg r10, r0
            load_imm r5, 1000000
            fallthrough
    call:   load_imm_jump r0, 6, function
    counted: add_imm_64 r5, r5, -1
            branch_ne_imm r5, 0, call
            jump_ind r10, 0
    second: move_reg r10, r0
            load_imm r5, 1000000
            fallthrough
    again:  load_imm_jump r0, 8, function
    counted_again: add_imm_64 r7, r7, 16
            add_imm_64 r5, r5, -1
            branch_ne_imm r5, 0, again
            jump_ind r10, 0
    function: add_imm_64 r7, r7, 1
            branch_eq_imm r7, 0, end
            jump_ind r0, 0";

/// A loop that calls functions by their addresses, one after the other, with what it counts in a second register, which one of them changes.
const BY_ADDRESS: &str = "
            .jump_table 1
            .jump_entry one
            .jump_entry back
            .jump_entry other
            jump start
    other:  add_imm_64 r7, r7, 16
            jump_ind r0, 0
    start:  load_imm r9, 2
            load_imm r5, 2000000
            fallthrough
    call:   move_reg r8, r5
            load_imm_jump_ind r0, r9, 4, 0
    back:   xor_imm r9, r9, 4
            add_64 r10, r10, r8
            add_imm_64 r5, r5, -1
            branch_ne_imm r5, 0, call
            trap
    unused: trap
    one:    add_imm_64 r7, r7, 1
            add_imm_64 r8, r8, 5
            jump_ind r0, 0";

/// Runs a program to its end: the program counter, the registers, the gas, and how often machine code was entered.
fn run(program: &str, model: GasModel, config: Config) -> (u32, Vec<u64>, u64, u64) {
    let code = assemble(&format!(".format raw\n{program}")).unwrap();
    let options = Options { gas_model: Some(model), ..Options::default() };
    let module = Module::new(&Engine::new(&config).unwrap(), &code, options).unwrap();
    let mut instance = Instance::new(&module, &[]).unwrap();
    instance.set_gas(1 << 40);
    assert_eq!(instance.run(), Exit::Panic);
    (instance.pc(), instance.registers().to_vec(), instance.gas(), instance.stats().native_entries)
}

#[test]
fn what_calls_a_function_and_the_function_are_one_region_in_the_end() {
    for (program, sum) in [(TWO_CALLERS, ROUNDS * 18), (BY_ADDRESS, ROUNDS * 17)] {
        for model in [GasModel::Instruction, GasModel::None] {
            let expected = run(program, model, Config { jit: Jit::Off, ..Config::default() });
            assert_eq!(expected.1[7], sum);
            for jit_threshold in [3, 1000] {
                // On a busy machine compiling may take more than its share of the time, and waits.
                let is_joined = (0..5).any(|_| {
                    let config = Config { jit_threshold, ..Config::default() };
                    let (pc, registers, gas, entries) = run(program, model, config);
                    assert_eq!(
                        (pc, &registers, gas),
                        (expected.0, &expected.1, expected.2),
                        "{model:?}, {jit_threshold}"
                    );
                    entries < ROUNDS / 2
                });
                assert!(is_joined, "{model:?}: machine code is left in most rounds, at a threshold of {jit_threshold}");
            }
        }
    }
}

/// Regions of a few instructions cannot have both; what they have may change hands, but not for ever.
#[test]
fn regions_that_have_no_room_for_both_are_not_compiled_for_ever() {
    for region_limit in [1, 4, 9] {
        let code = assemble(&format!(".format raw\n{TWO_CALLERS}")).unwrap();
        let config = Config { jit_threshold: 3, region_limit, ..Config::default() };
        let module = Module::new(&Engine::new(&config).unwrap(), &code, Options::default()).unwrap();
        let mut instance = Instance::new(&module, &[]).unwrap();
        instance.set_gas(1 << 40);
        assert_eq!(instance.run(), Exit::Panic);
        assert_eq!(instance.registers()[7], ROUNDS * 18);
        let stats = module.compile_stats();
        assert!(stats.regions <= 40, "limit {region_limit}: {stats:?}");
    }
}
