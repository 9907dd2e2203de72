//! Loops, of which many rounds are made at once or written one after the other, end as single rounds do, wherever they
//! are stopped: by their end, by what they may not access, by the gas.

mod common;

use common::{MODELS, engines};
use pvm_asm::assemble;
use pvm_runtime::{Access, Exit, FaultDetection, GasModel, Instance, Module, Options};

const PAGE: u64 = 4096;
/// A page that may be read and written, one that may only be read, and three more of the first kind; nothing around them.
const FIRST: u64 = 0x20000;
const PAGES: [Access; 5] = [Access::ReadWrite, Access::Read, Access::ReadWrite, Access::ReadWrite, Access::ReadWrite];
const LEN: u64 = PAGES.len() as u64 * PAGE;

/// From r1 to r2, until r3 is reached or r4 used up. The first twelve copy or fill.
const LOOPS: [&str; 104] = [
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, 1\n add_imm_64 r8, r2, 1\n store_ind_u8 r7, [r2]\n move_reg r2, r8\n branch_ne r8, r3, round",
    "load_ind_i8 r7, [r1 - 3]\n store_ind_u8 r7, [r2 + 2]\n add_imm_64 r4, r4, -1\n add_imm_64 r2, r2, 1\n add_imm_64 r1, r1, 1\n branch_gt_s_imm r4, 0, round",
    "add_imm_64 r1, r1, 2\n load_ind_i16 r7, [r1 - 2]\n add_imm_64 r2, r2, 2\n store_ind_u16 r7, [r2 - 2]\n branch_lt_u r2, r3, round",
    "load_ind_i32 r7, [r1]\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_ge_u r3, r2, round",
    "load_ind_u32 r7, [r1]\n store_ind_u32 r7, [r2]\n add_imm_64 r4, r4, -4\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_gt_u_imm r4, 3, round",
    "load_ind_u64 r7, [r1]\n store_ind_u64 r7, [r2]\n add_imm_64 r4, r4, -8\n add_imm_64 r1, r1, 8\n add_imm_64 r2, r2, 8\n branch_ge_s_imm r4, 8, round",
    "store_ind_u8 r5, [r2]\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "store_ind_u16 r5, [r2 + 1]\n add_imm_64 r2, r2, 2\n add_imm_64 r4, r4, -2\n branch_ne_imm r4, 0, round",
    "store_imm_ind_u32 [r2], 0x1234567\n add_imm_64 r2, r2, 4\n branch_lt_s r2, r3, round",
    "store_ind_u64 r5, [r2]\n add_imm_64 r4, r4, -1\n add_imm_64 r2, r2, 8\n branch_ne_imm r4, 1, round",
    "store_ind_u8 r5, [r2]\n add_imm_64 r2, r2, 1\n add_imm_64 r4, r4, -3\n branch_gt_s_imm r4, 3, round",
    // A bound that may go around.
    "add_imm_64 r8, r3, 8\n store_ind_u8 r5, [r2]\n add_imm_64 r2, r2, 1\n branch_lt_u r2, r8, round",
    // It goes on for certain; registers step that are accessed off, stored, and added.
    "load_ind_u64 r7, [r1]\n add_imm_64 r1, r1, 8\n load_ind_u32 r8, [r2 + 4]\n mul_64 r8, r8, r7\n add_64 r6, r6, r8\n add_imm_64 r2, r2, 3\n branch_ne r2, r3, round",
    "store_ind_u16 r2, [r2]\n add_imm_64 r2, r2, 2\n add_64 r6, r6, r2\n branch_lt_u r2, r3, round",
    "store_ind_u8 r4, [r2 + 1]\n add_imm_64 r4, r4, -1\n add_imm_64 r2, r2, 4\n xor r6, r6, r4\n branch_gt_s_imm r4, 0, round",
    "add_imm_64 r2, r2, -16\n load_ind_i8 r7, [r2 + 20]\n add_64 r6, r6, r7\n add_imm_64 r2, r2, 17\n branch_ge_s r3, r2, round",
    "add_imm_64 r3, r3, -4\n store_ind_u32 r3, [r3 - 2]\n add_64 r6, r6, r3\n branch_lt_u r2, r3, round",
    "add_imm_64 r2, r2, 1\n add_imm_64 r4, r4, -2\n load_ind_u8 r7, [r2]\n add_64 r6, r6, r7\n branch_ge_u_imm r4, 5, round",
    // Nobody knows beforehand whether it goes on.
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, 1\n store_ind_u8 r1, [r2 + 9]\n add_imm_64 r2, r2, 5\n branch_ne_imm r7, 3, round",
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, 7\n sub_64 r4, r4, r7\n branch_gt_s_imm r4, 0, round",
    // It steps the wrong way, and comes to its end by going around.
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, -1\n add_64 r6, r6, r7\n add_imm_64 r4, r4, 1\n branch_ne_imm r4, 200, round",
    // Of several blocks: with a way out in the middle, with some that are skipped, counted by what was before the step, and without
    // an access.
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, 1\n branch_eq_imm r7, 3, out\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round\n out:",
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, 1\n branch_lt_u_imm r7, 100, skip\n store_ind_u8 r7, [r2]\n fallthrough\n skip: add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "move_reg r8, r4\n add_imm_64 r4, r4, -1\n branch_eq_imm r7, 9, out\n load_ind_u32 r7, [r1]\n add_imm_64 r1, r1, 3\n add_64 r6, r6, r7\n branch_ne_imm r8, 0, round\n out:",
    "mul_64 r6, r6, r5\n branch_lt_s_imm r6, 0, down\n add_imm_64 r6, r6, 5\n jump on\n down: xor r6, r6, r4\n fallthrough\n on: add_imm_64 r4, r4, -1\n branch_gt_s_imm r4, 2, round",
    // In vectors: bytes, in place and not; what is wider than what is loaded; sums, the greatest, the least, and what all have.
    "load_ind_u8 r7, [r1]\n load_ind_u8 r8, [r2]\n xor r7, r7, r8\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_u8 r8, [r1 + 2]\n mul_64 r8, r8, r5\n add_imm_64 r1, r1, 1\n shlo_r_imm_64 r8, r8, 8\n store_ind_u8 r8, [r2]\n add_imm_64 r2, r2, 1\n branch_lt_u r2, r3, round",
    "load_ind_u32 r7, [r2]\n add_imm_64 r7, r7, 5\n store_ind_u32 r7, [r2]\n add_imm_64 r2, r2, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_i16 r8, [r1]\n load_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n sub_64 r8, r8, r7\n max r8, r8, r7\n shar_r_imm_64 r8, r8, 1\n store_ind_u16 r8, [r2]\n add_imm_64 r2, r2, 2\n branch_ge_u r3, r2, round",
    "load_ind_i32 r7, [r1]\n load_ind_i32 r8, [r2]\n mul_64 r7, r7, r8\n add_32 r6, r6, r7\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_i32 r7, [r1]\n add_64 r6, r7, r6\n add_imm_64 r1, r1, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u8 r7, [r1]\n set_lt_u_imm r7, r7, 9\n add_32 r6, r6, r7\n add_imm_64 r1, r1, 1\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round",
    "load_ind_i16 r7, [r1]\n max r6, r7, r6\n min r5, r5, r7\n or r9, r9, r7\n add_imm_64 r1, r1, 2\n add_imm_64 r4, r4, -2\n branch_gt_s_imm r4, 1, round",
    "load_ind_i32 r7, [r1]\n and r5, r5, r7\n xor r6, r6, r7\n add_imm_64 r1, r1, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_i8 r7, [r1]\n load_imm r8, 100\n min_u r8, r8, r7\n store_ind_u8 r8, [r2]\n add_64 r6, r6, r8\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    // With what the round before has loaded.
    "mul_imm_64 r8, r7, 3\n load_ind_i32 r7, [r1]\n add_imm_64 r1, r1, 4\n add_64 r8, r8, r7\n store_ind_u32 r8, [r2]\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "sub_32 r8, r7, r5\n load_ind_u8 r7, [r1 - 1]\n xor r8, r8, r7\n store_ind_u8 r8, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "add_64 r8, r7, r11\n move_reg r11, r7\n load_ind_i16 r7, [r1 + 2]\n add_imm_64 r1, r1, 2\n add_64 r8, r8, r7\n store_ind_u16 r8, [r2]\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    // With what is chosen by a comparison, with a register that fits or does not, with how far the loop is, and in 64 bits.
    "load_ind_u8 r7, [r1]\n add_imm_64 r8, r7, -97\n and_imm r8, r8, 255\n set_lt_u_imm r8, r8, 26\n load_imm r11, -32\n cmov_iz_imm r11, r8, 0\n add_64 r11, r11, r7\n store_ind_u8 r11, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_i32 r7, [r1]\n load_ind_i32 r8, [r2]\n set_lt_s r8, r8, r7\n cmov_nz r7, r6, r8\n add_32 r9, r9, r7\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_i16 r7, [r1]\n min r7, r7, r5\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_i16 r7, [r1]\n max r7, r7, r6\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_u32 r7, [r1]\n add_imm_64 r4, r4, -4\n mul_64 r7, r7, r4\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u64 r7, [r1]\n xor r8, r7, r4\n shlo_r_imm_64 r8, r8, 5\n add_64 r6, r6, r8\n xor r9, r9, r7\n add_imm_64 r1, r1, 8\n add_imm_64 r4, r4, -8\n branch_gt_s_imm r4, 7, round",
    // In words of eight bytes; with products of halves; sums of bytes, and of what is not zero, in 64 bits.
    "load_ind_u64 r7, [r1]\n load_ind_u64 r8, [r2]\n xor r7, r7, r8\n store_ind_u64 r7, [r2]\n add_imm_64 r1, r1, 8\n add_imm_64 r2, r2, 8\n branch_lt_u r2, r3, round",
    "load_ind_i32 r7, [r1]\n load_ind_i32 r8, [r1 + 4]\n mul_64 r7, r7, r8\n add_64 r6, r6, r7\n add_imm_64 r1, r1, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u32 r7, [r1]\n mul_64 r7, r7, r7\n add_64 r6, r6, r7\n add_imm_64 r1, r1, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u8 r7, [r1]\n add_64 r6, r6, r7\n add_imm_64 r1, r1, 1\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round",
    "load_ind_i8 r7, [r1]\n load_ind_u8 r8, [r2]\n set_gt_u_imm r11, r8, 0\n add_32 r9, r9, r11\n add_64 r6, r6, r7\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_i8 r7, [r1]\n max r6, r6, r7\n min r9, r7, r9\n add_imm_64 r1, r1, 1\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round",
    "load_ind_u16 r7, [r1]\n load_ind_u16 r8, [r1 + 2]\n add_64 r6, r6, r7\n add_32 r9, r8, r9\n add_imm_64 r1, r1, 2\n add_imm_64 r4, r4, -2\n branch_gt_s_imm r4, 1, round",
    // With what grows by a register, or by a constant in 32 bits, looked at before and after that.
    "store_ind_u32 r7, [r2]\n add_32 r7, r7, r5\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "xor r8, r7, r6\n add_64 r7, r5, r7\n add_64 r8, r8, r7\n store_ind_u16 r8, [r2]\n add_imm_64 r2, r2, 2\n add_imm_64 r4, r4, -2\n branch_gt_s_imm r4, 1, round",
    "load_ind_u64 r8, [r2]\n add_64 r9, r9, r5\n add_64 r8, r8, r9\n store_ind_u64 r8, [r2]\n add_imm_64 r2, r2, 8\n branch_ne r2, r3, round",
    "add_imm_32 r5, r5, -3\n load_ind_u32 r8, [r1]\n add_imm_64 r1, r1, 4\n xor r8, r8, r5\n store_ind_u32 r8, [r2]\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    // With what later rounds store over.
    "load_ind_i32 r7, [r2 + 4]\n load_ind_i32 r8, [r2]\n add_64 r8, r8, r7\n store_ind_u32 r8, [r2]\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "store_ind_u8 r7, [r2]\n load_ind_u8 r8, [r2 + 3]\n add_imm_64 r2, r2, 1\n add_imm_64 r4, r4, -1\n add_64 r6, r6, r8\n branch_ne_imm r4, 0, round",
    // Rotated; with a register that is kept at a fixed address meanwhile, which may be refused; to several places.
    "load_ind_i32 r7, [r1]\n rot_r_32_imm r7, r7, 9\n xor r7, r7, r5\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_u64 r7, [r2]\n rot_r_64_imm r7, r7, 19\n store_ind_u64 r7, [r2]\n add_imm_64 r2, r2, 8\n branch_ne r2, r3, round",
    "load_ind_i32 r7, [r1]\n store_u64 r5, [0x24fc0]\n set_gt_s_imm r5, r7, 0\n cmov_iz_imm r7, r5, 0\n load_u64 r5, [0x24fc0]\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_i8 r7, [r1]\n add_imm_64 r1, r1, 1\n store_u64 r5, [0x24fc0]\n set_gt_s_imm r5, r7, 0\n cmov_iz_imm r7, r5, 0\n load_u64 r5, [0x24fc0]\n add_64 r7, r7, r5\n store_u64 r5, [0x24fc0]\n and_imm r5, r7, 15\n add_64 r6, r6, r5\n load_u64 r5, [0x24fc0]\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round",
    "load_ind_u8 r7, [r1]\n store_u64 r5, [0x21ff8]\n xor r5, r7, r6\n add_32 r9, r9, r5\n load_u64 r5, [0x21ff8]\n add_imm_64 r1, r1, 1\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round",
    "load_ind_u8 r7, [r1]\n store_u64 r5, [0x24fc0]\n xor r5, r7, r6\n store_u64 r5, [0x24fd0]\n add_32 r5, r5, r5\n load_u64 r5, [0x24fd0]\n add_32 r9, r9, r5\n load_u64 r5, [0x24fc0]\n add_imm_64 r1, r1, 1\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round",
    "load_ind_i32 r7, [r1]\n load_ind_i32 r8, [r2]\n add_64 r11, r7, r8\n sub_64 r7, r7, r8\n store_ind_u32 r11, [r1]\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_u8 r7, [r1]\n add_imm_64 r8, r7, 3\n store_ind_u8 r8, [r1]\n add_imm_64 r1, r1, 1\n store_ind_u32 r7, [r2]\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_u16 r7, [r2 + 400]\n store_ind_u16 r7, [r2]\n xor r8, r7, r5\n store_ind_u16 r8, [r2 + 200]\n add_imm_64 r2, r2, 2\n add_imm_64 r4, r4, -2\n branch_gt_s_imm r4, 1, round",
    // To a bound that is in memory.
    "load_ind_u32 r7, [r1]\n shlo_l_imm_32 r7, r7, 3\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n load_ind_u64 r7, [r10]\n branch_lt_u r2, r7, round",
    "load_ind_u8 r8, [r1]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n add_32 r6, r6, r8\n load_ind_u64 r8, [r10]\n branch_ne r2, r8, round",
    // With what is kept in memory meanwhile: a value, a register that steps, and what nobody changes.
    "load_ind_u8 r7, [r1]\n store_ind_u64 r7, [r10 + 8]\n shlo_l_imm_64 r7, r7, 1\n sub_64 r8, r7, r2\n load_ind_u64 r7, [r10 + 8]\n add_64 r8, r8, r7\n store_ind_u8 r8, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "store_ind_u64 r2, [r10 + 8]\n load_ind_u16 r2, [r1 + 2]\n mul_64 r2, r2, r5\n move_reg r7, r2\n load_ind_u64 r2, [r10 + 8]\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_u8 r8, [r10 + 9]\n load_ind_u8 r7, [r1]\n add_64 r7, r7, r8\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    // From the last element to the first one, and compared before the step.
    "move_reg r8, r1\n load_ind_u32 r7, [r8]\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r8, -4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_u8 r7, [r2]\n xor_imm r7, r7, 85\n store_ind_u8 r7, [r2]\n add_imm_64 r2, r2, -1\n add_imm_64 r4, r4, -1\n branch_gt_s_imm r4, 0, round",
    "move_reg r8, r4\n load_ind_i8 r7, [r1]\n add_imm_64 r1, r1, 1\n store_ind_u16 r7, [r2]\n add_imm_64 r2, r2, -2\n add_imm_64 r4, r8, -1\n branch_ne_imm r8, 1, round",
    "move_reg r8, r2\n load_ind_u8 r7, [r1]\n or r6, r6, r7\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n load_ind_u64 r7, [r10]\n branch_ne r8, r7, round",
    "add_64 r11, r7, r8\n move_reg r8, r7\n load_ind_i16 r7, [r1]\n store_ind_u16 r11, [r2]\n add_imm_64 r1, r1, -2\n add_imm_64 r2, r2, 2\n add_imm_64 r4, r4, -2\n branch_gt_s_imm r4, 1, round",
    "load_ind_u16 r7, [r2 + 16]\n add_imm_64 r7, r7, 9\n store_ind_u16 r7, [r2]\n store_ind_u16 r7, [r1]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, -2\n add_imm_64 r4, r4, -2\n branch_gt_s_imm r4, 1, round",
    "load_ind_u8 r7, [r1]\n store_ind_u64 r7, [r10 + 8]\n xor r7, r7, r5\n load_ind_u64 r8, [r10 + 8]\n sub_64 r7, r7, r8\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, -1\n add_imm_64 r2, r2, -1\n add_imm_64 r4, r4, -1\n branch_gt_s_imm r4, 0, round",
    "load_ind_u64 r8, [r10 + 8]\n load_ind_u32 r7, [r1]\n xor r7, r7, r8\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, -4\n add_imm_64 r2, r2, -4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    // Totals of several values, which other registers have in part.
    "load_ind_u8 r7, [r1]\n load_ind_u8 r8, [r2]\n add_64 r11, r6, r7\n sub_64 r12, r11, r8\n add_64 r6, r12, r7\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_i32 r7, [r1]\n load_ind_u32 r8, [r2]\n sub_32 r11, r6, r7\n add_32 r6, r8, r11\n xor r12, r8, r9\n xor r9, r12, r7\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    // Averages, bits, signs, and comparisons of 33 bits.
    "load_ind_u8 r7, [r1]\n load_ind_u8 r8, [r2]\n add_64 r7, r7, r8\n add_imm_64 r7, r7, 1\n shlo_r_imm_64 r7, r7, 1\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_u16 r7, [r1]\n load_ind_u16 r8, [r2]\n add_64 r7, r8, r7\n add_imm_64 r7, r7, 1\n shar_r_imm_64 r7, r7, 1\n add_64 r6, r6, r7\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_i8 r7, [r1]\n shlo_l_imm_64 r8, r7, 61\n shar_r_imm_64 r8, r8, 63\n shlo_r_imm_64 r11, r7, 7\n and_imm r11, r11, 27\n and r8, r8, r11\n shlo_l_imm_64 r7, r7, 1\n xor r7, r7, r8\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_u16 r7, [r1]\n shlo_l_imm_64 r8, r7, 53\n shar_r_imm_64 r8, r8, 63\n shlo_l_imm_64 r11, r7, 51\n shlo_r_imm_64 r11, r11, 55\n sign_extend_8 r12, r7\n shlo_r_imm_64 r12, r12, 3\n sub_64 r8, r8, r11\n xor r8, r8, r12\n store_ind_u16 r8, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_i32 r7, [r1]\n load_ind_i32 r8, [r2]\n set_lt_u r11, r8, r7\n sub_64 r12, r7, r8\n sub_64 r8, r8, r7\n cmov_nz r8, r12, r11\n add_64 r6, r6, r8\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    // Divided by constants.
    "load_ind_u32 r7, [r1]\n mul_64 r7, r7, r0\n shlo_r_imm_64 r7, r7, 35\n store_ind_u32 r7, [r2]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 4\n branch_lt_u r2, r3, round",
    "load_ind_u8 r7, [r1]\n load_ind_u8 r8, [r2]\n add_64 r7, r7, r8\n shlo_l_imm_64 r7, r7, 48\n mul_upper_u_u r7, r7, r0\n shlo_r_imm_64 r7, r7, 12\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_u16 r7, [r1]\n mul_imm_64 r7, r7, 0x1999999a\n shlo_r_imm_64 r7, r7, 32\n add_64 r6, r6, r7\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_i32 r7, [r1]\n mul_32 r7, r7, r5\n mul_imm_64 r8, r7, 0x66666667\n shar_r_imm_64 r11, r8, 34\n shlo_r_imm_64 r8, r8, 63\n add_32 r8, r8, r11\n mul_imm_64 r8, r8, 10\n add_64 r6, r6, r7\n sub_32 r6, r6, r8\n add_imm_64 r1, r1, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u16 r7, [r1]\n mul_64 r7, r7, r12\n shlo_r_imm_64 r7, r7, 32\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    // Several elements further on: one of them, all of them in another order, in place, spread and packed; made for what is expected.
    "load_ind_i32 r7, [r1]\n add_64 r6, r6, r7\n add_imm_64 r1, r1, 8\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_i16 r7, [r2]\n load_ind_i16 r8, [r2 - 2]\n store_ind_u16 r7, [r2 - 2]\n store_ind_u16 r8, [r2]\n add_imm_64 r2, r2, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u8 r7, [r1]\n load_ind_u8 r8, [r1 + 1]\n load_ind_u8 r11, [r1 + 2]\n mul_imm_64 r7, r7, 77\n mul_imm_64 r8, r8, 150\n mul_imm_64 r11, r11, 29\n add_64 r7, r7, r8\n add_64 r7, r7, r11\n shlo_r_imm_64 r7, r7, 8\n store_ind_u8 r7, [r2]\n add_imm_64 r1, r1, 3\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    "load_ind_u8 r7, [r1]\n xor r8, r7, r5\n store_ind_u8 r7, [r2 + 1]\n store_ind_u8 r8, [r2]\n store_ind_u8 r7, [r2 + 2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 3\n add_imm_64 r4, r4, -1\n branch_gt_s_imm r4, 0, round",
    "load_ind_u32 r7, [r1 + 4]\n load_ind_u32 r8, [r1]\n add_64 r11, r7, r8\n sub_64 r12, r8, r7\n store_ind_u32 r12, [r2 + 4]\n store_ind_u32 r11, [r2]\n add_imm_64 r1, r1, 8\n add_imm_64 r2, r2, 8\n add_imm_64 r4, r4, -8\n branch_gt_s_imm r4, 7, round",
    "load_ind_u64 r7, [r1 + 16]\n load_ind_u64 r8, [r2]\n xor r7, r7, r8\n store_ind_u64 r7, [r2]\n add_imm_64 r1, r1, 24\n add_imm_64 r2, r2, 8\n add_imm_64 r4, r4, -24\n branch_gt_s_imm r4, 23, round",
    "load_ind_u8 r7, [r2 + 3]\n load_ind_u8 r8, [r2]\n store_ind_u8 r8, [r2 + 3]\n load_ind_u8 r8, [r2 + 1]\n store_ind_u8 r7, [r2]\n store_ind_u8 r8, [r2 + 2]\n store_ind_u8 r5, [r2 + 1]\n add_64 r6, r6, r7\n add_imm_64 r2, r2, 4\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_u16 r7, [r1]\n load_ind_u16 r8, [r1 + 2]\n store_ind_u16 r8, [r2]\n store_ind_u16 r7, [r2 + 2]\n store_ind_u16 r7, [r2 + 4]\n add_imm_64 r1, r1, 4\n add_imm_64 r2, r2, 6\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    "load_ind_i8 r7, [r1]\n load_ind_i8 r8, [r1 + 1]\n mul_64 r7, r7, r10\n mul_64 r8, r8, r10\n min r7, r7, r8\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_i8 r7, [r1]\n load_ind_i8 r8, [r1 + 1]\n mul_64 r7, r7, r12\n mul_64 r8, r8, r12\n min r7, r7, r8\n store_ind_u16 r7, [r2]\n add_imm_64 r1, r1, 2\n add_imm_64 r2, r2, 2\n branch_lt_u r2, r3, round",
    "load_ind_i32 r7, [r1]\n add_imm_64 r1, r1, 8\n add_32 r6, r6, r7\n add_imm_64 r4, r4, -4\n branch_gt_s_imm r4, 3, round",
    // Of so many values that what is left behind the last group is half a vector.
    "load_ind_u8 r7, [r1]\n load_ind_u8 r8, [r1 + 1]\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n xor r7, r7, r8\n add_64 r8, r8, r5\n store_ind_u8 r8, [r2]\n add_imm_64 r1, r1, 1\n add_imm_64 r2, r2, 1\n branch_ne r2, r3, round",
    // With two ways out to one place, which is in another loop.
    "load_ind_u8 r7, [r1]\n add_imm_64 r1, r1, 1\n branch_eq_imm r7, 3, out\n branch_eq_imm r7, 9, out\n add_imm_64 r4, r4, -1\n branch_ne_imm r4, 0, round\n out: add_imm_64 r6, r6, 1\n branch_lt_u_imm r6, 5, out",
];

#[derive(Debug, PartialEq)]
struct End {
    exit: Exit,
    pc: u32,
    registers: Vec<u64>,
    gas: u64,
    instructions: u64,
    /// All pages.
    memory: Vec<u8>,
}

/// Runs from one address to another, to the end of so many bytes, with so much gas.
fn run(module: &Module, from: u64, to: u64, len: u64, gas: u64) -> End {
    let mut instance = Instance::new(module, &[]).unwrap();
    let memory = instance.memory_mut();
    let mut bytes: Vec<u8> = (0..LEN).map(|at| (at * 7 + at / 251) as u8).collect();
    memory.map(FIRST as u32, LEN, Access::ReadWrite).unwrap();
    memory.write(FIRST as u32, &bytes).unwrap();
    for (at, access) in (0..).zip(PAGES) {
        memory.protect((FIRST + at * PAGE) as u32, PAGE, access).unwrap();
    }
    instance.registers_mut()[1..6].copy_from_slice(&[from, to, to.wrapping_add(len), len, 0xa5b6_c7d8_e9fa_0b1c]);
    instance.set_gas(gas);
    let exit = instance.run();
    instance.memory().read(FIRST as u32, &mut bytes).unwrap();
    let stats = instance.stats();
    End {
        exit,
        pc: instance.pc(),
        registers: instance.registers().to_vec(),
        gas: instance.gas(),
        instructions: stats.instructions_interpreted + stats.instructions_native,
        memory: bytes,
    }
}

fn modules(body: &str, model: GasModel) -> [Module; 3] {
    // The end is in memory, too. r12 is not what was loaded last.
    let divisors = "load_imm_64 r0, 0xcccccccd\n load_imm r12, 0x1999999a\n add_imm_64 r12, r12, 0x10000000";
    let end = format!("load_imm r10, {:#x}\n store_ind_u64 r3, [r10]", FIRST + LEN - 16);
    let before = format!("{divisors}\n {end}\n load_imm r7, 1\n fallthrough");
    let program = format!(".format raw\n {before}\n round: {body}\n add_imm_64 r9, r9, 1\n trap");
    let code = assemble(&program).unwrap();
    engines()
        .map(|engine| Module::new(&engine, &code, Options { gas_model: Some(model), ..Options::default() }).unwrap())
}

#[track_caller]
fn assert_alike([interpreted, best, checks]: &[Module; 3], body: &str, from: u64, to: u64, len: u64, gas: u64) {
    let expected = run(interpreted, from, to, len, gas);
    for (module, how) in [(best, "best"), (checks, "checks")] {
        let found = run(module, from, to, len, gas);
        assert!(found == expected, "{body}: {how}, from {from:#x} to {to:#x}, {len} bytes, gas {gas}");
    }
}

/// Enough for all of these loops.
const PLENTY: u64 = 100_000;

#[test]
fn what_is_copied_may_overlap() {
    for body in LOOPS {
        let modules = modules(body, GasModel::Instruction);
        for distance in (0..80).chain([200, 1000]) {
            for len in [8, 24, 32, 40, 96, 104, 200] {
                let from = FIRST + 1000;
                assert_alike(&modules, body, from, from + distance, len, PLENTY);
                assert_alike(&modules, body, from + distance, from, len, PLENTY);
            }
        }
    }
}

#[test]
fn loops_of_any_length_end() {
    for body in LOOPS {
        let modules = modules(body, GasModel::Block);
        for len in 0..140 {
            assert_alike(&modules, body, FIRST + 100, FIRST + 1001, len, 3000);
        }
        // Ends that are not reached, or by going around, with nothing accessible on the way.
        let around = (FIRST + 1001 + 4).wrapping_neg();
        for len in [around, u64::MAX, 1 << 63, (1 << 63) - 1, u64::MAX - 7, 1 << 32] {
            assert_alike(&modules, body, FIRST + 100, FIRST + 1001, len, PLENTY);
        }
    }
}

#[test]
fn refused_accesses_are_those_of_single_rounds() {
    let edges = [FIRST, FIRST + PAGE, FIRST + 2 * PAGE, FIRST + LEN, 0, 1 << 32];
    for body in LOOPS {
        for model in [GasModel::Instruction, GasModel::None] {
            let modules = modules(body, model);
            for edge in edges {
                for before in [0, 1, 7, 8, 15, 31, 32, 33, 47, 64, 100] {
                    let at = edge.wrapping_sub(before);
                    assert_alike(&modules, body, at, FIRST + 500, 144, PLENTY);
                    assert_alike(&modules, body, FIRST + 500, at, 144, PLENTY);
                    assert_alike(&modules, body, at, at.wrapping_add(40), 144, PLENTY);
                }
            }
        }
    }
}

#[test]
fn gas_ends_where_it_does_in_single_rounds() {
    for body in LOOPS {
        for model in MODELS {
            if model == GasModel::None {
                continue;
            }
            let modules = modules(body, model);
            for gas in (0..700).step_by(3) {
                assert_alike(&modules, body, FIRST + 100, FIRST + 1001, 120, gas);
            }
        }
    }
}

/// What an instruction that computes takes into itself has no landing, and then the host watches over no access of the region.
#[test]
fn the_host_watches_over_accesses() {
    if FaultDetection::best() != FaultDetection::Signals {
        return;
    }
    for body in LOOPS {
        let [_, best, _] = modules(body, GasModel::Instruction);
        run(&best, FIRST, FIRST + 2 * PAGE, 120, PLENTY);
        assert_ne!(best.compile_stats().landings, 0, "{body}");
    }
}

#[test]
fn what_is_long_is_moved_in_pieces() {
    let far = FIRST + 2 * PAGE;
    let ends =
        [(far + 5, far + 65, 11_900), (far + 100, far + 3, 12_000), (far + 1001, far + 5000, 7000), (FIRST, far, 8184)];
    for body in &LOOPS[..12] {
        for model in MODELS {
            let modules = modules(body, model);
            for (from, to, len) in ends {
                for gas in [400_000, 100_000, 65_000, 30_001, 20_480, 8190, 4097] {
                    assert_alike(&modules, body, from, to, len, gas);
                }
            }
        }
    }
}
