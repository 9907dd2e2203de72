# RV32I: operations of registers.
        .include "common.inc"
        start
        .irp    op, add, sub, sll, slt, sltu, xor, srl, sra, or, and
        registers \op
        .endr
        finish
        signature 10 * REGISTERS_WORDS
