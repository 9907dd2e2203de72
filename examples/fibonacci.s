# Fibonacci numbers, one addition after the other: a short loop of register instructions.
#
# argument  n as a little-endian u32; without one, 4 000 000
# result    the n-th Fibonacci number modulo 2^64, 8 bytes little-endian (the 0th is 0, the 1st is 1)
#           without argument: 3bfc148ae8c7055b
# work      5 instructions for each n, 20 million by default

        .info "fibonacci", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ DEFAULT, 4_000_000

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   load_imm a2, DEFAULT
        branch_eq_imm a1, 0, ready      # a1 is the length of the argument
        load_ind_u32 a2, [a0]
        fallthrough                     # a label is a jump target only after an instruction that ends a block
ready:  load_imm t0, 0                  # the current number
        load_imm t1, 1                  # the next one
        branch_eq_imm a2, 0, done

loop:   add_64 t2, t0, t1
        move_reg t0, t1
        move_reg t1, t2
        add_imm_64 a2, a2, -1
        branch_ne_imm a2, 0, loop

done:   store_u64 t0, [result]
        load_imm a0, result
        load_imm a1, 8
        jump_ind ra, 0                  # the address that ra holds at the start halts the machine

        .rwdata
result: .u64 0
