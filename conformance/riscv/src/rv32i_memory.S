# RV32I: loads and stores, misaligned ones and such that straddle pages included.
        .include "common.inc"

        .macro  loads op
        la      a0, pattern
        .irp    offset, 0, 1, 2, 3, 4, 5, 6, 7
        \op     a2, \offset(a0)
        result  a2
        .endr
        la      a0, page_end
        .irp    offset, -4, -3, -2, -1, 0
        \op     a2, \offset(a0)
        result  a2
        .endr
        # The destination is the base; the offsets are the largest.
        la      a0, pattern - 2047
        \op     a0, 2047(a0)
        result  a0
        la      a0, pattern + 2048
        \op     a0, -2048(a0)
        result  a0
        \op     zero, 0(s11)
        result  zero
        .endm

        .macro  stores op
        .irp    offset, 0, 1, 2, 3, 4, 5
        la      a0, page_end - 4
        sw      zero, 0(a0)
        sw      zero, 4(a0)
        sw      zero, 8(a0)
        li      a1, 0x8badf00d
        \op     a1, \offset(a0)
        .irp    word, 0, 4, 8
        lw      a2, \word(a0)
        result  a2
        .endr
        .endr
        \op     zero, 0(a0)
        lw      a2, 0(a0)
        result  a2
        # The value is the address: its lowest twelve bits are known.
        \op     a0, 4(a0)
        lbu     a2, 4(a0)
        result  a2
        .endm

        start
        la      a0, page_end
        la      a1, pattern
        lw      a2, 0(a1)
        sw      a2, -4(a0)
        lw      a2, 4(a1)
        sw      a2, 0(a0)
        .irp    op, lb, lbu, lh, lhu, lw
        loads   \op
        .endr
        .irp    op, sb, sh, sw
        stores  \op
        .endr
        # A walk with both, over two pages.
        la      a0, page_end - 4096
        li      a1, 2048
        li      a2, 0x1234567
1:      sw      a2, 0(a0)
        lh      a3, 2(a0)
        add     a2, a2, a3
        sh      a2, 1(a0)
        addi    a0, a0, 4
        addi    a1, a1, -1
        bnez    a1, 1b
        result  a2
        finish
        .section .data
        .balign 4
pattern: .word  0x807f8180, 0xfe017ffe, 0x01020304
        .bss
        .balign 4096
        .space  4096
page_end:
        .space  4096
        signature 5 * 16 + 3 * 20 + 1
