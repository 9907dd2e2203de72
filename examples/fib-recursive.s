# The Fibonacci numbers as they are defined: calls, stack frames and returns through the jump table.
#
# argument  n as a little-endian u32, taken for 40 if it is more; without one, 28
# result    the n-th Fibonacci number, 8 bytes little-endian (the 0th is 0, the 1st is 1)
#           without argument: 73d9040000000000 (317 811)
# work      9 million instructions by default

        .info "fib-recursive", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ DEFAULT, 28
        .equ LIMIT, 40
        .stack 4096                     # 42 frames of 24 bytes are the most that are needed

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   load_imm a2, DEFAULT
        branch_eq_imm a1, 0, ready
        load_ind_u32 a2, [a0]
        load_imm t0, LIMIT
        min_u a2, a2, t0
        fallthrough
ready:  add_imm_64 sp, sp, -8
        store_ind_u64 ra, [sp]
        move_reg a0, a2
        load_imm_jump ra, @main.1, fib
main.1: load_ind_u64 ra, [sp]
        add_imm_64 sp, sp, 8
        store_u64 a0, [result]
        load_imm a0, result
        load_imm a1, 8
        jump_ind ra, 0

# fib(a0) in a0; changes a1.
# The frame: where to return to, the argument, the first of the two numbers.
        .equ FRAME, 24
fib:    branch_ge_u_imm a0, 2, fib.0
        jump_ind ra, 0                  # 0 and 1 are their own Fibonacci numbers
fib.0:  add_imm_64 sp, sp, -FRAME
        store_ind_u64 ra, [sp]
        store_ind_u64 a0, [sp + 8]
        add_imm_64 a0, a0, -1
        load_imm_jump ra, @fib.1, fib   # ra gets the address of fib.1 in the jump table
fib.1:  store_ind_u64 a0, [sp + 16]
        load_ind_u64 a0, [sp + 8]
        add_imm_64 a0, a0, -2
        load_imm_jump ra, @fib.2, fib
fib.2:  load_ind_u64 a1, [sp + 16]
        add_64 a0, a0, a1
        load_ind_u64 ra, [sp]
        add_imm_64 sp, sp, FRAME
        jump_ind ra, 0

        .rwdata
result: .u64 0
