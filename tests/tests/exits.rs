//! What compiled code leaves out on its way is there where it stops: gas of a branch that is part of another one or leads around
//! something, registers whose values only an access needs.

mod common;

use common::{MODELS, engines};
use pvm_asm::assemble;
use pvm_runtime::{Access, Exit, Instance, Module, Options};

/// How a run ends: the exit, where, the registers, the gas, and how many instructions it took.
fn end(mut instance: Instance, registers: &[(usize, u64)], gas: u64) -> (Exit, u32, [u64; 13], u64, u64) {
    registers.iter().for_each(|&(reg, value)| instance.registers_mut()[reg] = value);
    instance.set_gas(gas);
    let exit = instance.run();
    let registers = instance.registers()[..13].try_into().unwrap();
    let stats = instance.stats();
    let instructions = stats.instructions_interpreted + stats.instructions_native;
    (exit, instance.pc(), registers, instance.gas(), instructions)
}

#[test]
fn two_branches_to_one_place_charge_for_what_ran() {
    // Where the first leads if taken, the second, and where the first leads if not.
    let shapes = [
        "branch_eq_imm r7, 1, common\n branch_eq r8, r9, common\n jump other",
        "branch_eq_imm r7, 1, common\n branch_ne r8, r9, other\n jump common",
        "branch_ne_imm r7, 1, second\n jump common\n second: branch_eq r8, r9, common\n jump other",
        "branch_ne_imm r7, 1, second\n common: add_imm_64 r10, r10, 5\n jump end\n second: branch_lt_u r8, r9, common\n jump other",
    ];
    for shape in shapes {
        let common = if shape.contains("common:") { "" } else { "common: add_imm_64 r10, r10, 1\n jump end" };
        let program = format!(
            "
            .format raw
            load_imm r11, 3
            fallthrough
    round:  add_imm_64 r7, r7, -1
            {shape}
            {common}
    other:  add_imm_64 r10, r10, 100
            fallthrough
    end:    add_imm_64 r11, r11, -1
            branch_ne_imm r11, 0, round
            trap"
        );
        let code = assemble(&program).unwrap();
        for model in MODELS {
            let [interpreted, best, checks] = engines().map(|engine| {
                let options = Options { gas_model: Some(model), ..Options::default() };
                Module::new(&engine, &code, options).unwrap()
            });
            for (gas, r7, r8) in (0..60).flat_map(|gas| [(gas, 3, 0), (gas, 2, 1), (gas, 0, 1), (gas, 0, 0)]) {
                let run = |module: &Module| {
                    end(
                        Instance::new(module, &[]).unwrap(),
                        &[(7, r7), (8, r8), (9, 1)],
                        if gas == 59 { 1 << 40 } else { gas },
                    )
                };
                let expected = run(&interpreted);
                assert_eq!(run(&best), expected, "{shape}: {model:?}, gas {gas}, r7 {r7}, r8 {r8}");
                assert_eq!(run(&checks), expected, "{shape}: {model:?}, gas {gas}, r7 {r7}, r8 {r8}, checks");
            }
        }
    }
}

#[test]
fn a_branch_around_instructions_charges_for_what_ran() {
    // What is skipped, and where it stands: behind the branch or aside.
    let skipped = [
        "move_reg r10, r8",
        "load_imm r7, 5",
        "add_imm_64 r10, r10, 1\n xor r8, r8, r10",
        "sub_32 r8, r10, r8\n add_32 r8, r8, r8",
        "and r7, r8, r10\n move_reg r8, r7",
    ];
    let shapes = [
        "branch_lt_u r7, r8, behind\n SKIPPED\n fallthrough\n behind:",
        "branch_ge_s_imm r7, 5, aside\n behind:",
        "branch_ne_imm r7, 5, behind\n SKIPPED\n jump behind\n aside: trap\n behind:",
    ];
    for (skipped, shape) in skipped.iter().flat_map(|&skipped| shapes.map(|shape| (skipped, shape))) {
        let (aside, shape) = (shape.contains("aside\n"), shape.replace("SKIPPED", skipped));
        let aside = if aside { format!("aside: {skipped}\n jump behind") } else { String::new() };
        let program = format!(
            "
            .format raw
            load_imm r11, 3
            fallthrough
    round:  add_imm_64 r7, r7, -1
            add_32 r8, r8, r7
            {shape}
            add_64 r9, r9, r10
            add_imm_64 r11, r11, -1
            branch_ne_imm r11, 0, round
            load_ind_u64 r3, [r9]
            {aside}"
        );
        let code = assemble(&program).unwrap();
        for model in MODELS {
            let [interpreted, best, checks] = engines().map(|engine| {
                let options = Options { gas_model: Some(model), ..Options::default() };
                Module::new(&engine, &code, options).unwrap()
            });
            let starts = [(3, 9), (6, 2), (8, u64::MAX), (u64::MAX, 1 << 31), (1 << 40, 7), (7, 1 << 63)];
            for (gas, (r7, r8)) in (0..60).flat_map(|gas| starts.map(|start| (gas, start))) {
                let run = |module: &Module| {
                    let gas = if gas == 59 { 1 << 40 } else { gas };
                    end(Instance::new(module, &[]).unwrap(), &[(7, r7), (8, r8), (10, 0xffff_fffe)], gas)
                };
                let expected = run(&interpreted);
                assert_eq!(run(&best), expected, "{skipped}, {shape}: {model:?}, gas {gas}, r7 {r7}, r8 {r8}");
                assert_eq!(
                    run(&checks),
                    expected,
                    "{skipped}, {shape}: {model:?}, gas {gas}, r7 {r7}, r8 {r8}, checks"
                );
            }
        }
    }
}

#[test]
fn a_refused_access_leaves_the_address_that_it_computed() {
    let accesses = [
        "shlo_l_imm_64 r7, r7, 3\n add_64 r7, r7, r8\n load_ind_u32 r7, [r7 + 8]",
        "and_imm r7, r7, 1020\n add_64 r7, r8, r7\n load_ind_i8 r7, [r7 - 4]",
        "shlo_l_imm_64 r9, r7, 2\n load_ind_u64 r10, [r12]\n add_64 r9, r9, r8\n load_ind_u16 r9, [r9]",
        "add_64 r9, r7, r8\n store_ind_u64 r10, [r9]\n load_ind_u64 r9, [r9 + 8]",
        "shlo_l_imm_64 r9, r7, 1\n add_64 r11, r9, r8\n store_ind_u8 r11, [r11]\n load_imm r9, 7\n load_imm r11, 7",
        "add_64 r9, r7, r8\n add_64 r9, r9, r8\n load_ind_u64 r9, [r9]",
        "shlo_l_imm_64 r7, r7, 32\n shlo_r_imm_64 r7, r7, 30\n add_64 r7, r7, r8\n load_ind_u32 r7, [r7 + 8]",
        "add_32 r7, r7, r10\n shlo_l_imm_64 r9, r7, 32\n shlo_r_imm_64 r11, r9, 29\n add_64 r11, r8, r11\n store_ind_u32 r9, [r11]\n load_ind_i32 r11, [r11]",
        "shlo_l_imm_64 r9, r7, 56\n shlo_r_imm_64 r9, r9, 55\n load_ind_u8 r9, [r9 + 0x20f00]",
        "add_imm_32 r7, r7, 0\n shlo_l_imm_64 r7, r7, 2\n add_64 r7, r7, r8\n load_ind_u32 r7, [r7 + 8]",
        "sub_32 r9, r7, r10\n add_64 r11, r8, r9\n load_ind_u8 r10, [r11]\n add_64 r11, r9, r10",
        "add_32 r9, r7, r10\n shlo_l_imm_64 r11, r9, 3\n add_64 r11, r8, r11\n store_ind_u32 r9, [r11]\n load_ind_i32 r11, [r11]",
    ];
    for access in accesses {
        let code = assemble(&format!(".format raw\n load_imm r3, 1\n {access}\n add_imm_64 r3, r3, 1\n trap")).unwrap();
        let [interpreted, best, checks] =
            engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
        for index in [0, 1, 5, 100, 511, 512, 1 << 20, u64::MAX, u64::MAX << 29, 1 << 61] {
            for base in [0x20000, 0x20f00, 0x1ff00, 0x1_0002_0000, u64::MAX] {
                for pages in 0..=1 {
                    let run = |module: &Module| {
                        let mut instance = Instance::new(module, &[]).unwrap();
                        if pages > 0 {
                            instance.memory_mut().map(0x20000, pages * 4096, Access::ReadWrite).unwrap();
                        }
                        let registers = [(7, index), (8, base), (9, 11), (10, 12), (11, 13), (12, 0x20010)];
                        end(instance, &registers, 1000)
                    };
                    let expected = run(&interpreted);
                    assert_eq!(run(&best), expected, "{access}: index {index:#x}, base {base:#x}, {pages} pages");
                    assert_eq!(run(&checks), expected, "{access}: index {index:#x}, base {base:#x}, {pages}, checks");
                }
            }
        }
    }
}

#[test]
fn a_word_that_is_read_byte_by_byte_is_refused_where_a_byte_is() {
    let byte = |reg: u8, offset: i32| format!("load_ind_u8 r{reg}, [r8 + {offset}]\n");
    let join =
        |low: u8, high: u8, by: u8| format!("shlo_l_imm_64 r{high}, r{high}, {by}\n or r{low}, r{high}, r{low}\n");
    let half = |at| {
        let pair = |at, regs: [u8; 2]| byte(regs[0], at) + &byte(regs[1], at + 1) + &join(regs[0], regs[1], 8);
        pair(at, [9, 10]) + &pair(at + 2, [11, 12]) + &join(9, 11, 16)
    };
    let quarters = |order: [i32; 4]| -> String {
        (9..)
            .zip(order)
            .map(|(reg, at)| byte(reg, at) + &format!("shlo_l_imm_64 r{reg}, r{reg}, {}\n", 8 * at))
            .collect()
    };
    let or = "or r9, r9, r10\n or r11, r11, r12\n or r9, r9, r11\n";
    let from_above = byte(9, 3)
        + &byte(10, 2)
        + &byte(11, 1)
        + &byte(12, 0)
        + "shlo_l_imm_64 r10, r10, 8\n shlo_l_imm_64 r11, r11, 16\n shlo_l_imm_32 r12, r12, 24\n"
        + or;
    let words = [
        half(0),
        half(-3) + "move_reg r7, r9\n" + &half(1) + &join(7, 9, 32),
        quarters([0, 1, 2, 3]).replace("r9, r9, 0", "r9, r9, 64") + or,
        quarters([3, 1, 0, 2]) + or,
        from_above.clone(),
        from_above.replace("_32", "_64") + "store_ind_u32 r9, [r8 + 2]\n" + &half(1),
        // Shifts by amounts that hosts reduce.
        byte(9, 0)
            + &byte(10, 1)
            + "shlo_l_imm_32 r10, r10, -8\n shlo_l_imm_64 r10, r10, 16\n or r9, r9, r10\n"
            + &byte(11, 2)
            + &byte(12, 3)
            + &join(11, 12, 8)
            + &join(9, 11, 16),
        // Bytes that lie within what another access will have proven when they are loaded, but not before.
        "load_ind_u32 r11, [r8 + 8]\n".to_owned().replace("r11, [r8 + 8]", "r11, [r8]")
            + &byte(9, 0)
            + &byte(10, 1)
            + "load_ind_u64 r7, [r8 + 8]\n"
            + &join(9, 10, 8)
            + &byte(11, 2)
            + &byte(12, 3)
            + &join(11, 12, 8)
            + &join(9, 11, 16)
            + &half(4),
        // What is stored in between is read, too.
        byte(9, 0) + "store_ind_u8 r7, [r8 + 1]\n" + &byte(10, 1) + &join(9, 10, 8) + &byte(11, 2) + &byte(12, 3) + or,
        // The register of the address is the last to be written.
        byte(9, 0) + &byte(10, 1) + &join(9, 10, 8) + &byte(11, 2) + &byte(8, 3) + &join(11, 8, 8) + &join(9, 11, 16),
        // Three bytes, and one of another word.
        byte(9, 0) + &byte(10, 1) + &join(9, 10, 8) + &byte(11, 2) + &byte(12, 4) + &join(11, 12, 8) + &join(9, 11, 16),
    ];
    for word in words {
        let code = assemble(&format!(".format raw\n load_imm r3, 1\n {word}add_imm_64 r3, r3, 1\n trap")).unwrap();
        let [interpreted, best, checks] =
            engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
        for base in (-8..8).flat_map(|at| [0x20000 + at, 0x21000 + at]).chain([-2, 0xfff0]) {
            let run = |module: &Module| {
                let mut instance = Instance::new(module, &[]).unwrap();
                instance.memory_mut().map(0x20000, 4096, Access::ReadWrite).unwrap();
                let bytes: Vec<u8> = (0..4096).map(|at| (at * 37 + 0x91) as u8).collect();
                instance.memory_mut().write(0x20000, &bytes).unwrap();
                let registers = [(7, 0x1234), (8, base as u64), (9, 11), (10, 12), (11, 13), (12, 14)];
                end(instance, &registers, 1000)
            };
            let expected = run(&interpreted);
            assert_eq!(run(&best), expected, "{word}: base {base:#x}");
            assert_eq!(run(&checks), expected, "{word}: base {base:#x}, checks");
        }
    }
}

#[test]
fn the_lesser_of_results_of_32_bits_is_that_of_64() {
    let edges =
        [0, 1, 2, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff, 1 << 32, u64::MAX];
    for op in ["min", "min_u", "max", "max_u"] {
        let code = assemble(&format!(
            "
            .format raw
            store_ind_u32 r7, [r12]
            load_ind_i32 r9, [r12]
            add_imm_32 r10, r8, 0
            {op} r11, r9, r10
            {op} r10, r10, r9
            load_ind_u64 r6, [r12]
            add_32 r5, r11, r10
            {op} r5, r5, r8
            load_ind_u64 r6, [r4]"
        ))
        .unwrap();
        let [interpreted, best, checks] =
            engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
        for (a, b) in edges.iter().flat_map(|&a| edges.map(|b| (a, b))) {
            let run = |module: &Module| {
                let mut instance = Instance::new(module, &[]).unwrap();
                instance.memory_mut().map(0x20000, 4096, Access::ReadWrite).unwrap();
                end(instance, &[(7, a), (8, b), (12, 0x20000)], 1000)
            };
            let expected = run(&interpreted);
            assert_eq!(run(&best), expected, "{op} of {a:#x} and {b:#x}");
            assert_eq!(run(&checks), expected, "{op} of {a:#x} and {b:#x}, checks");
        }
    }
}

#[test]
fn an_inverted_comparison_is_the_opposite_one() {
    let edges = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];
    let comparisons =
        ["set_lt_u r9, r7, r8", "set_lt_s r9, r7, r8", "set_lt_u_imm r9, r7, 2", "set_gt_s_imm r9, r7, 2"];
    let inversions = [
        "xor_imm r9, r9, 1",
        "xor_imm r9, r9, 1\n xor_imm r9, r9, 1",
        "xor_imm r10, r9, 1",
        "xor_imm r9, r9, 3",
        "load_imm r7, 9\n xor_imm r9, r9, 1\n shlo_l_imm_64 r10, r9, 3\n add_64 r10, r10, r8",
    ];
    for (comparison, inversion) in comparisons.iter().flat_map(|one| inversions.map(|other| (one, other))) {
        let code = assemble(&format!(
            ".format raw
            {comparison}
            {inversion}
            cmov_nz r11, r8, r9
            branch_eq_imm r9, 0, end
            add_imm_64 r11, r11, 1
            fallthrough
        end: load_ind_u64 r6, [r4]"
        ))
        .unwrap();
        let [interpreted, best, checks] =
            engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
        for (a, b) in edges.iter().flat_map(|&a| edges.map(|b| (a, b))) {
            let run = |module: &Module| end(Instance::new(module, &[]).unwrap(), &[(7, a), (8, b)], 1000);
            let expected = run(&interpreted);
            assert_eq!(run(&best), expected, "{comparison}, {inversion}: {a:#x} and {b:#x}");
            assert_eq!(run(&checks), expected, "{comparison}, {inversion}: {a:#x} and {b:#x}, checks");
        }
    }
}

#[test]
fn a_choice_that_follows_from_a_counter_is_made_as_it_says() {
    // The last ones follow from no counter: from memory, from a product, from what the other choice has left.
    let choices = [
        "add_imm_64 r8, r5, -16\n cmov_iz_imm r6, r8, 3",
        "add_imm_64 r8, r5, -16\n cmov_nz_imm r6, r8, -1",
        "and_imm r8, r5, 3\n cmov_nz_imm r6, r8, 7\n cmov_iz_imm r8, r8, 9",
        "set_lt_u_imm r8, r5, 12\n cmov_nz_imm r6, r8, 7",
        "move_reg r8, r5\n sub_64 r8, r8, r9\n cmov_iz_imm r8, r8, 7\n load_imm r6, 0",
        "cmov_iz_imm r6, r9, 5",
        "move_reg r8, r5\n cmov_iz_imm r8, r8, -3\n cmov_nz_imm r6, r8, 1",
        "load_imm r8, 0\n cmov_iz_imm r6, r8, 5\n xor_imm r6, r6, 1\n cmov_nz_imm r8, r6, 2",
        "load_ind_u8 r8, [r4]\n cmov_iz_imm r6, r8, 3\n add_imm_64 r4, r4, 1",
        "mul_64 r8, r5, r9\n cmov_iz_imm r6, r8, 3",
        "cmov_iz_imm r8, r10, 3\n and_imm r10, r8, 1\n cmov_nz_imm r6, r8, 2",
    ];
    for (choice, after) in choices.iter().flat_map(|one| [(one, "fallthrough\n join:"), (one, "")]) {
        // With a second block in the loop, which is none of one block then.
        let code = assemble(&format!(
            ".format raw
        round:  {choice}
                {after}
                mul_imm_64 r11, r11, 31
                add_64 r11, r11, r6
                store_ind_u64 r11, [r3 + 4072]
                add_imm_64 r3, r3, 1
                add_imm_64 r5, r5, 1
                branch_ne r5, r12, round
                trap"
        ))
        .unwrap();
        for model in MODELS {
            let [interpreted, best, checks] = engines().map(|engine| {
                let options = Options { gas_model: Some(model), ..Options::default() };
                Module::new(&engine, &code, options).unwrap()
            });
            // The store is refused after some rounds, or gas is used up, or the loop ends.
            for (gas, rounds, r9) in
                (0..400).step_by(7).flat_map(|gas| [(gas, 40, 0), (gas, 18, 16), (1 << 40, gas, 5)])
            {
                let run = |module: &Module| {
                    let mut instance = Instance::new(module, &[]).unwrap();
                    instance.memory_mut().map(0x20000, 0x2000, Access::ReadWrite).unwrap();
                    instance.memory_mut().write(0x20000, &[0, 1, 0, 0, 5]).unwrap();
                    let registers = [(3, 0x20ff0), (4, 0x20000), (5, 0), (9, r9), (10, 7), (12, rounds.max(1))];
                    end(instance, &registers, gas)
                };
                let expected = run(&interpreted);
                assert_eq!(run(&best), expected, "{choice}: {model:?}, gas {gas}, {rounds} rounds");
                assert_eq!(run(&checks), expected, "{choice}: {model:?}, gas {gas}, {rounds} rounds, checks");
            }
        }
    }
}

#[test]
fn sums_and_products_are_the_same_in_other_shapes() {
    let edges = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];
    let uses = [
        "shlo_l_imm_64 r9, r9, 1\n add_64 r10, r10, r9",
        "shlo_l_imm_64 r9, r9, 1\n add_64 r9, r10, r9",
        "shlo_l_imm_64 r9, r9, 1\n shlo_l_imm_64 r9, r9, 1\n sub_64 r10, r9, r10",
        "move_reg r10, r9\n shlo_l_imm_64 r9, r9, 1\n shlo_r_imm_64 r10, r10, 63\n or r9, r9, r10",
        "shlo_r_imm_64 r10, r9, 63\n shlo_l_imm_64 r9, r9, 1\n xor r9, r10, r9",
        "shlo_r_imm_64 r10, r9, 62\n shlo_l_imm_64 r9, r9, 1\n or r9, r10, r9",
        "shlo_r_imm_64 r10, r10, 63\n shlo_l_imm_64 r9, r9, 1\n or r9, r10, r9",
        "shlo_l_imm_64 r9, r9, 1\n shlo_r_imm_64 r10, r9, 1\n shar_r_imm_64 r8, r9, 1",
        "and_imm r9, r9, 1023\n shlo_l_imm_64 r9, r9, 1\n add_64 r8, r4, r9\n load_ind_u16 r8, [r8]",
        "mul_upper_u_u r10, r9, r10\n mul_upper_u_u r9, r9, r9\n shlo_l_imm_64 r9, r9, 1",
        "load_imm_64 r8, 0xcccccccccccccccd\n mul_upper_u_u r10, r10, r8\n mul_upper_u_u r8, r8, r9\n mul_64 r9, r9, r8",
        "add_imm_64 r10, r9, 2047\n add_imm_64 r8, r10, 1",
        "add_imm_64 r10, r9, 0x7fffffff\n add_imm_64 r8, r10, 0x7fffffff\n add_imm_64 r10, r8, -5",
        "add_imm_64 r10, r9, -0x80000000\n add_imm_64 r8, r10, -1\n add_imm_64 r10, r8, 0x7fffffff",
        "add_imm_32 r10, r9, 0x7fffffff\n add_imm_32 r8, r10, 1\n add_imm_64 r10, r10, 1",
        "add_imm_32 r10, r9, -1\n add_imm_32 r8, r10, -1\n add_imm_64 r10, r8, -1",
        "load_imm_64 r8, 0xcccccccccccccccd\n mul_64 r11, r8, r9\n mul_upper_u_u r9, r8, r9\n mul_upper_s_u r8, r10, r8",
    ];
    for instructions in uses {
        // The register is kept, too, or not.
        for kept in ["", "load_imm r9, 1"] {
            let code =
                assemble(&format!(".format raw\n {instructions}\n {kept}\n load_ind_u64 r6, [r2]\n trap")).unwrap();
            let [interpreted, best, checks] =
                engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
            for (a, b) in edges.iter().flat_map(|&a| edges.map(|b| (a, b))) {
                let run = |module: &Module| {
                    let mut instance = Instance::new(module, &[]).unwrap();
                    instance.memory_mut().map(0x20000, 0x1000, Access::ReadWrite).unwrap();
                    end(instance, &[(9, a), (10, b), (4, 0x20000)], 1000)
                };
                let expected = run(&interpreted);
                assert_eq!(run(&best), expected, "{instructions}: {a:#x} and {b:#x}");
                assert_eq!(run(&checks), expected, "{instructions}: {a:#x} and {b:#x}, checks");
            }
        }
    }
}

#[test]
fn functions_that_call_themselves_stop_where_the_gas_ends() {
    let code = ".format raw
        .jump_table 1
            .jump_entry outer
            .jump_entry inner
        .text
            load_imm_jump r0, 2, function
        outer:
            trap
        function:
            add_imm_64 r1, r1, -24
            store_ind_u64 r0, [r1 + 16]
            store_ind_u64 r5, [r1 + 8]
            store_ind_u64 r6, [r1]
            load_imm r8, 2
            move_reg r5, r7
            load_imm r6, 0
            branch_lt_u r7, r8, leaf
        again:
            add_imm_64 r7, r5, -1
            load_imm_jump r0, 4, function
        inner:
            add_imm_64 r5, r5, -2
            add_64 r6, r6, r7
            branch_gt_u_imm r5, 1, again
        leaf:
            add_64 r7, r5, r6
            load_ind_u64 r0, [r1 + 16]
            load_ind_u64 r5, [r1 + 8]
            load_ind_u64 r6, [r1]
            add_imm_64 r1, r1, 24
            jump_ind r0, 0";
    let code = assemble(code).unwrap();
    let [interpreted, best, checks] = engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
    let run = |module: &Module, gas: u64| {
        let mut instance = Instance::new(module, &[]).unwrap();
        instance.memory_mut().map(0x20000, 0x1000, Access::ReadWrite).unwrap();
        end(instance, &[(7, 7), (1, 0x21000)], gas)
    };
    let (exit, _, registers, left, _) = run(&interpreted, 10_000);
    assert_eq!((exit, registers[7]), (Exit::Panic, 13));
    for gas in 0..=10_000 - left {
        let expected = run(&interpreted, gas);
        assert_eq!(run(&best, gas), expected, "{gas}");
        assert_eq!(run(&checks, gas), expected, "{gas}, checks");
    }
}

#[test]
fn a_switch_goes_where_the_jump_table_says() {
    // Entries are at even addresses from 2 on; a jump to 0xffff0000 halts.
    let addresses = (0..10).chain([99, 100, 101, 0xfffe_ffff, 0xffff_0000, 0xffff_0001, 1 << 31, (1 << 31) + 1]);
    for address in addresses.chain([0xffff_fffe, u64::from(u32::MAX), 1 << 32, (1 << 32) + 2, (1 << 63) + 4]) {
        for past in ["", "branch_gt_u_imm r7, 99, past"] {
            let code = format!(
                ".format raw
                .jump_table 1
                    .jump_entry one
                    .jump_entry two
                    .jump_entry three
                .text
                    move_reg r9, r7
                    {past}
                    jump_ind r7, 0
                one:
                    load_imm r8, 1
                    jump past
                two:
                    add_64 r9, r8, r8
                    load_imm r8, 2
                    jump past
                three:
                    load_imm r9, 3
                past:
                    add_64 r10, r9, r8
                    load_ind_u64 r6, [r7]
                    trap"
            );
            let code = assemble(&code).unwrap();
            let [interpreted, best, checks] =
                engines().map(|engine| Module::new(&engine, &code, Options::default()).unwrap());
            let run = |module: &Module| end(Instance::new(module, &[]).unwrap(), &[(7, address), (8, 5)], 1000);
            let expected = run(&interpreted);
            assert_eq!(run(&best), expected, "{address:#x} {past}");
            assert_eq!(run(&checks), expected, "{address:#x} {past}, checks");
        }
    }
}
