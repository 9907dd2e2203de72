# Quicksort of pseudo-random numbers: loads, stores and branches that are hard to foresee, and a recursive function.
#
# argument  how many numbers, as a little-endian u32, taken for 1 000 000 if it is more; without one, 100 000
# result    16 bytes: the sum of (i + 1) * number[i] over the sorted numbers, modulo 2^64, and 1 if every number is at
#           least as great as the one before, else 0; both as little-endian u64
#           without argument: d139537c82919fc6 0100000000000000
# work      14 million instructions by default
#
# The numbers are those of x := 1664525 x + 1013904223 modulo 2^32, beginning after 1.

        .info "quicksort", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ DEFAULT, 100_000
        .equ LIMIT, 1_000_000
        .heap_pages 977                 # LIMIT numbers of four bytes
        .stack 4096                     # at most 20 frames, because the smaller part is sorted first

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   load_imm a2, DEFAULT
        branch_eq_imm a1, 0, ready
        load_ind_u32 a2, [a0]
        load_imm t0, LIMIT
        min_u a2, a2, t0
        fallthrough
ready:  add_imm_64 sp, sp, -16
        store_ind_u64 ra, [sp]
        shlo_l_imm_64 a2, a2, 2
        add_imm_64 a2, a2, numbers      # a2: the end of the numbers
        store_ind_u64 a2, [sp + 8]

        load_imm t0, numbers
        load_imm t1, 1
        fallthrough
fill:   branch_ge_u t0, a2, filled
        mul_imm_32 t1, t1, 1664525
        add_imm_32 t1, t1, 1013904223
        store_ind_u32 t1, [t0]
        add_imm_64 t0, t0, 4
        jump fill

filled: load_imm a0, numbers
        add_imm_64 a1, a2, -4
        load_imm_jump ra, @sorted, sort

sorted: load_ind_u64 a2, [sp + 8]
        load_imm t0, numbers
        load_imm t1, 0                  # t1: the number before
        load_imm t2, 1                  # t2: i + 1
        load_imm s0, 0                  # s0: the sum
        load_imm s1, 1                  # s1: whether all is in order
        fallthrough
check:  branch_ge_u t0, a2, done
        load_ind_u32 a0, [t0]
        set_lt_u a1, a0, t1
        cmov_nz_imm s1, a1, 0
        move_reg t1, a0
        mul_64 a0, a0, t2
        add_64 s0, s0, a0
        add_imm_64 t2, t2, 1
        add_imm_64 t0, t0, 4
        jump check

done:   store_u64 s0, [result]
        store_u64 s1, [result + 8]
        load_ind_u64 ra, [sp]
        add_imm_64 sp, sp, 16
        load_imm a0, result
        load_imm a1, 16
        jump_ind ra, 0

# Sorts the numbers from address a0 to address a1, both included; changes everything but sp.
#
# t0: the pivot; t1: all before it are at most the pivot; t2: all behind it are at least the pivot.
sort:   branch_lt_u a0, a1, split
        jump_ind ra, 0
split:  sub_64 t0, a1, a0
        shlo_r_imm_64 t0, t0, 3
        shlo_l_imm_64 t0, t0, 2
        add_64 t0, t0, a0
        load_ind_u32 t0, [t0]           # the one in the middle
        move_reg t1, a0
        move_reg t2, a1
        fallthrough

up:     load_ind_u32 s0, [t1]
        add_imm_64 t1, t1, 4
        branch_lt_u s0, t0, up
        add_imm_64 t1, t1, -4
        fallthrough
down:   load_ind_u32 s1, [t2]
        add_imm_64 t2, t2, -4
        branch_lt_u t0, s1, down
        add_imm_64 t2, t2, 4
        branch_lt_u t2, t1, parts       # they have met
        store_ind_u32 s1, [t1]
        store_ind_u32 s0, [t2]
        add_imm_64 t1, t1, 4
        add_imm_64 t2, t2, -4
        branch_ge_u t2, t1, up

# The parts are a0 to t2 and t1 to a1. The smaller one is sorted by a call, the other one by starting over.
parts:  add_imm_64 sp, sp, -24
        store_ind_u64 ra, [sp]
        sub_64 s0, t2, a0
        sub_64 s1, a1, t1
        branch_lt_s s0, s1, left
        store_ind_u64 a0, [sp + 8]
        store_ind_u64 t2, [sp + 16]
        move_reg a0, t1
        load_imm_jump ra, @rest, sort
left:   store_ind_u64 t1, [sp + 8]
        store_ind_u64 a1, [sp + 16]
        move_reg a1, t2
        load_imm_jump ra, @rest, sort
rest:   load_ind_u64 ra, [sp]
        load_ind_u64 a0, [sp + 8]
        load_ind_u64 a1, [sp + 16]
        add_imm_64 sp, sp, 24
        jump sort

        .rwdata
result: .u64 0, 0
numbers:                                # in the zeroed pages after the data
