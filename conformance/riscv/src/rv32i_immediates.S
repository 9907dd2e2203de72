# RV32I: operations of a register and an immediate, and what makes constants.
        .include "common.inc"
        start
        .irp    op, addi, slti, sltiu, xori, ori, andi
        immediates \op, 0, 1, -1, 2047, -2048, 0x555, -1366, 31
        .endr
        .irp    op, slli, srli, srai
        immediates \op, 0, 1, 2, 15, 16, 30, 31
        .endr
        .irp    value, 0, 1, 0x7ffff, 0x80000, 0xfffff, 0x12345
        lui     a2, \value
        result  a2
        .endr
        # Relative to itself, as the address must not matter.
        .irp    value, 0, 1, 0x7ffff, 0x80000, 0xfffff, 0x12345
1:      auipc   a2, \value
        la      a3, 1b
        sub     a2, a2, a3
        result  a2
        .endr
        lui     zero, 5
        result  zero
        auipc   zero, 5
        result  zero
        fence
        fence   rw, w
        fence.tso
        finish
        signature 6 * (EDGES * 8 + 3) + 3 * (EDGES * 7 + 3) + 6 + 6 + 2
