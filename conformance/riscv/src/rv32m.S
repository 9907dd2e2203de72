# M: multiplication and division.
        .include "common.inc"
        start
        .irp    op, mul, mulh, mulhsu, mulhu, div, divu, rem, remu
        registers \op
        .endr
        # Quotient and remainder, and both halves of products, together, as compilers ask for them.
        each_pair
        div     a2, a0, a1
        rem     a3, a0, a1
        mulh    a4, a0, a1
        mul     a5, a0, a1
        xor     a2, a2, a4
        xor     a3, a3, a5
        result  a2
        result  a3
        next_pair
        finish
        signature 8 * REGISTERS_WORDS + 2 * PAIRS
