//! Costs that the pipeline model is known to give, and the cost table of the 0.8 line by class.

use pvm_gas::{GasModel, L1_LATENCY, L3_LATENCY, cost_from, pipeline_cost};
use pvm_isa::{Discount, Latency, Opcode, Profile, SPECS, Unit};
use pvm_program::{Blob, Code};

/// Code made of these instructions.
fn code(profile: Profile, instructions: &[&[u8]]) -> Code {
    let bytes = instructions.concat();
    let mut bitmask = vec![0; bytes.len().div_ceil(8)];
    let mut at = 0;
    for instruction in instructions {
        bitmask[at / 8] |= 1 << (at % 8);
        at += instruction.len();
    }
    Code::new(&Blob { code: bytes, bitmask, ..Blob::default() }, profile)
}

fn cost(instructions: &[&[u8]]) -> u32 {
    cost_from(GasModel::Pipeline, &code(Profile::Draft, instructions), 0)
}

const TRAP: &[u8] = &[0];
const UNLIKELY: &[u8] = &[3];
const ECALLI: &[u8] = &[10, 1];
const RETURN: &[u8] = &[50, 0];
/// load_u8 r7, 0x20000
const LOAD: &[u8] = &[52, 7, 0, 0, 2];
/// move_reg r8, r7
const MOVE: &[u8] = &[100, 0x78];
/// add_64 r7, r7, r8
const ADD_IN_PLACE: &[u8] = &[200, 0x87, 7];
/// add_64 r9, r7, r8
const ADD: &[u8] = &[200, 0x87, 9];
/// div_u_64 r9, r7, r8
const DIV: &[u8] = &[203, 0x87, 9];
/// mul_64 r9, r7, r8
const MUL: &[u8] = &[202, 0x87, 9];

#[test]
fn the_digest_s_numbers() {
    assert_eq!(cost(&[TRAP]), 2);
    assert_eq!(cost(&[]), 2);
    assert_eq!(cost(&[LOAD, TRAP]), 25);
    assert_eq!(cost(&[ECALLI, RETURN]), 100);
}

#[test]
fn an_undefined_opcode_costs_what_a_trap_does() {
    assert_eq!(cost(&[&[255]]), cost(&[TRAP]));
    assert_eq!(cost(&[LOAD, &[255]]), cost(&[LOAD, TRAP]));
    // Opcode 3 is only known to the draft numbering, opcode 2 is `unlikely` in 0.8.
    let in_profile = |profile, byte: u8| pipeline_cost(&code(profile, &[&[byte], TRAP]), 0, L1_LATENCY);
    assert_eq!(in_profile(Profile::V0_7, 3), 2);
    assert_eq!(in_profile(Profile::Draft, 3), 40);
    assert_eq!(in_profile(Profile::V0_8, 2), 40);
}

#[test]
fn memory_latency_is_a_parameter() {
    let code = code(Profile::Draft, &[LOAD, TRAP]);
    assert_eq!([0, 1, L1_LATENCY, L3_LATENCY, 255].map(|m| pipeline_cost(&code, 0, m)), [2, 2, 4, 37, 255]);
}

#[test]
fn independent_instructions_overlap_and_dependent_ones_do_not() {
    // Four decode slots: four additions in place are decoded in a cycle but wait for each other.
    assert_eq!(cost(&[ADD_IN_PLACE, ADD_IN_PLACE, ADD_IN_PLACE, ADD_IN_PLACE, TRAP]), 4);
    assert_eq!(cost(&[LOAD, LOAD, LOAD, TRAP]), 25);
    // One divider.
    assert_eq!(cost(&[DIV, DIV, TRAP]), 120);
    // A load through the register that a load produces: load_ind_u8 r7, [r7].
    assert_eq!(cost(&[LOAD, &[124, 0x77], TRAP]), 50);
}

#[test]
fn a_move_is_renamed() {
    // The copy of a loaded register is waited for like the register itself.
    assert_eq!(cost(&[LOAD, MOVE, &[124, 0x89], TRAP]), 50);
    // A copy of a register that nobody computes makes the destination free.
    assert_eq!(cost(&[&[52, 8], MOVE, &[124, 0x89], TRAP]), 25);
}

#[test]
fn a_conditional_move_does_not_wait_for_its_destination() {
    // div_u_64 r9; then cmov_iz r9 = r7 if r8 == 0; then a division that needs r9 but has to wait for the divider only.
    let with_cmov = cost(&[DIV, &[218, 0x87, 9], &[124, 0x9a], TRAP]);
    assert_eq!(with_cmov, 60);
    let with_add = cost(&[DIV, &[200, 0x97, 9], &[124, 0x9a], TRAP]);
    assert!(with_add > 80, "{with_add}");
}

#[test]
fn branches_are_cheap_where_a_way_is_cold() {
    // branch_eq r7, r8 to `target`, followed by `next`.
    let branch = |target: u8, next: &[u8]| cost(&[&[170, 0x87, target], next, &[1], &[1], &[3]]);
    assert_eq!(branch(4, &[1]), 20);
    assert_eq!(branch(4, TRAP), 1);
    assert_eq!(branch(4, UNLIKELY), 1);
    assert_eq!(branch(3, TRAP), 1);
    // To `unlikely`, far behind the code, before the code.
    assert_eq!([6, 100, 0x80].map(|target| branch(target, &[1])), [1, 1, 1]);
    // The byte counts, not the instruction: into the operands of this very branch, which are no trap.
    assert_eq!(branch(1, &[1]), 20);
    let operand_is_zero = cost(&[&[170, 0x00, 1], &[1], &[1]]);
    assert_eq!(operand_is_zero, 1);
}

#[test]
fn one_multiplication_starts_per_result() {
    let muls = |n: usize| cost(&[vec![MUL; n], vec![TRAP]].concat());
    assert_eq!([1, 2, 3, 4].map(muls), [3, 6, 9, 12]);
    assert_eq!(cost(&[ADD, TRAP]), 2);
}

#[test]
fn a_long_block_takes_linear_time() {
    let mut instructions = vec![DIV; 200_000];
    instructions.push(TRAP);
    let cost = cost(&instructions);
    assert!(cost >= 200_000 * 59, "{cost}");
}

/// The digest's table, a class a line: latency (`m` memory, `b` branch), decode slots, units, mnemonics.
const CLASSES: &str = "
2 1 - trap fallthrough
40 1 - unlikely
100 4 a ecalli sbrk
1 2 - load_imm_64
1 1 - load_imm
m 1 al load_u8 load_i8 load_u16 load_i16 load_u32 load_i32 load_u64 load_ind_u8 load_ind_i8 load_ind_u16 load_ind_i16 load_ind_u32 load_ind_i32 load_ind_u64
25 1 as store_u8 store_u16 store_u32 store_u64 store_ind_u8 store_ind_u16 store_ind_u32 store_ind_u64
25 1 as store_imm_u8 store_imm_u16 store_imm_u32 store_imm_u64 store_imm_ind_u8 store_imm_ind_u16 store_imm_ind_u32 store_imm_ind_u64
15 1 - jump load_imm_jump
22 1 - jump_ind load_imm_jump_ind
b 1 a branch_eq_imm branch_ne_imm branch_lt_u_imm branch_le_u_imm branch_ge_u_imm branch_gt_u_imm branch_lt_s_imm branch_le_s_imm branch_ge_s_imm branch_gt_s_imm
b 1 a branch_eq branch_ne branch_lt_u branch_lt_s branch_ge_u branch_ge_s
1 1 a count_set_bits_64 count_set_bits_32 leading_zero_bits_64 leading_zero_bits_32 sign_extend_8 sign_extend_16 zero_extend_16
2 1 aa trailing_zero_bits_64 trailing_zero_bits_32
1 1+1 a reverse_bytes add_imm_64 and_imm or_imm xor_imm shlo_l_imm_64 shlo_r_imm_64 shar_r_imm_64 rot_r_64_imm
2 2+1 a add_imm_32 shlo_l_imm_32 shlo_r_imm_32 shar_r_imm_32 rot_r_32_imm
1 1+2 a add_64 sub_64 and or xor
2 2+2 a add_32 sub_32
1 2+A a shlo_l_64 shlo_r_64 shar_r_64 rot_l_64 rot_r_64
2 3+A a shlo_l_32 shlo_r_32 shar_r_32 rot_l_32 rot_r_32
1 3 a shlo_l_imm_alt_64 shlo_r_imm_alt_64 shar_r_imm_alt_64 rot_r_64_imm_alt
2 4 a shlo_l_imm_alt_32 shlo_r_imm_alt_32 shar_r_imm_alt_32 rot_r_32_imm_alt
3 3 a set_lt_u set_lt_s set_lt_u_imm set_lt_s_imm set_gt_u_imm set_gt_s_imm
2 2 a cmov_iz cmov_nz
2 3 a cmov_iz_imm cmov_nz_imm
3 2+2 a max max_u min min_u
4 2+2 am mul_32
3 1+2 am mul_64
4 2+1 am mul_imm_32
3 1+1 am mul_imm_64
4 4 am mul_upper_s_s mul_upper_u_u
6 4 am mul_upper_s_u
60 4 ad div_u_32 div_s_32 rem_u_32 rem_s_32 div_u_64 div_s_64 rem_u_64 rem_s_64
2 3 a and_inv or_inv
2 2+2 a xnor
2 3 a neg_add_imm_64
3 4 a neg_add_imm_32
0 1 - move_reg
";

#[test]
fn the_table_has_these_costs() {
    let mut seen = 0;
    for class in CLASSES.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = class.split(' ').collect();
        for mnemonic in &words[3..] {
            let cost = Opcode::from_mnemonic(mnemonic).unwrap_or_else(|| panic!("{mnemonic}")).spec().cost;
            let latency = match cost.latency {
                Latency::Cycles(cycles) => cycles.to_string(),
                Latency::Memory => "m".to_string(),
                Latency::Branch => "b".to_string(),
            };
            let extra = match cost.extra {
                Discount::Flat => "",
                Discount::DstIsSrc => "+1",
                Discount::DstIsEither => "+2",
                Discount::DstIsShifted => "+A",
            };
            let units = match cost.unit {
                Unit::None => "-",
                Unit::Alu => "a",
                Unit::TwoAlu => "aa",
                Unit::Load => "al",
                Unit::Store => "as",
                Unit::Mul => "am",
                Unit::Div => "ad",
            };
            assert_eq!([latency, format!("{}{extra}", cost.decode), units.to_string()], words[..3], "{mnemonic}");
            assert_eq!(cost.eliminated, *mnemonic == "move_reg");
            seen += 1;
        }
    }
    assert_eq!(seen, SPECS.len());
}
