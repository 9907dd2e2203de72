# Host calls: asks for the gas that is left, writes to the log, and looks at what came back.
#
# argument  any text; it is written to the log
# result    8 bytes, a little-endian u64: 1 if there was less gas at the end than at the start, else 0
#           without argument: 0100000000000000 (0 where gas is not metered)
# work      about 30 instructions and four or five host calls

        .info "hostcalls", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ GAS, 0                     # gas: what is left comes back in a0
        .equ LOG, 100                   # log: a0 level, a1 and a2 target, a3 and a4 message (address and length)
        .equ WARN, 1
        .equ INFO, 2

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   move_reg s0, a0                 # host calls keep every register but a0 (and a1, some of them)
        move_reg s1, a1
        ecalli GAS
        move_reg t0, a0

        load_imm a0, INFO
        load_imm a1, 0                  # no target
        load_imm a2, 0
        load_imm a3, hello
        load_imm a4, hello_end - hello
        ecalli LOG

        branch_eq_imm s1, 0, silent
        load_imm a0, INFO
        load_imm a1, target
        load_imm a2, target_end - target
        move_reg a3, s0
        move_reg a4, s1
        ecalli LOG
        fallthrough

silent: load_imm a0, WARN
        load_imm a1, target
        load_imm a2, target_end - target
        load_imm a3, bye
        load_imm a4, bye_end - bye
        ecalli LOG

        ecalli GAS
        set_lt_u t1, a0, t0
        store_u64 t1, [result]
        load_imm a0, result
        load_imm a1, 8
        jump_ind ra, 0

        .rodata
hello:  .ascii "hello from the guest"
hello_end:
target: .ascii "hostcalls"
target_end:
bye:    .ascii "that was all"
bye_end:

        .rwdata
result: .u64 0
