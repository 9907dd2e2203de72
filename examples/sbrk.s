# Memory from sbrk: builds a linked list in pages that it asks for one by one, and walks along it.
#
# argument  how many pages, as a little-endian u32, taken for 16 000 if it is more; without one, 1000
# result    the sum of all values, of eight walks together, modulo 2^64, 8 bytes little-endian
#           without argument: 00a06d06979ad1b8
# work      10 million instructions by default; the program traps if sbrk gives no memory
#
# A page holds 256 nodes: the address of the next node (or 0), then a value, 8 bytes each. Nodes are put in front, so
# that the walk goes down through memory. The values are 1, 2, 3 and so on, multiplied by 0x9e3779b1.

        .info "sbrk", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ DEFAULT, 1000
        .equ LIMIT, 16_000
        .equ PAGE, 4096
        .equ NODE, 16
        .equ WALKS, 8

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   load_imm a2, DEFAULT            # a2: pages to go
        branch_eq_imm a1, 0, ready
        load_ind_u32 a2, [a0]
        load_imm t0, LIMIT
        min_u a2, a2, t0
        fallthrough
ready:  load_imm t0, 0                  # t0: the first node
        load_imm t1, 0                  # t1: how many nodes
        load_imm_64 a3, 0x9e3779b1
        load_imm s1, PAGE
        fallthrough

page:   branch_eq_imm a2, 0, built
        sbrk t2, s1                     # t2: the new page, which is zeroed
        branch_ne_imm t2, 0, given
        trap
given:  add_64 s0, t2, s1               # s0: its end
        fallthrough
node:   store_ind_u64 t0, [t2]
        add_imm_64 t1, t1, 1
        mul_64 a4, t1, a3
        store_ind_u64 a4, [t2 + 8]
        move_reg t0, t2
        add_imm_64 t2, t2, NODE
        branch_lt_u t2, s0, node
        add_imm_64 a2, a2, -1
        jump page

built:  load_imm a2, WALKS
        load_imm s0, 0                  # s0: the sum
        fallthrough
walk:   move_reg t2, t0
        branch_eq_imm t2, 0, walked
step:   load_ind_u64 t1, [t2 + 8]
        add_64 s0, s0, t1
        load_ind_u64 t2, [t2]
        branch_ne_imm t2, 0, step
walked: add_imm_64 a2, a2, -1
        branch_ne_imm a2, 0, walk

        store_u64 s0, [result]
        load_imm a0, result
        load_imm a1, 8
        jump_ind ra, 0

        .rwdata
result: .u64 0
