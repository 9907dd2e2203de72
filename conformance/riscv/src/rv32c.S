# C: every compressed instruction.
        .include "common.inc"
        .option rvc

        .macro  two op
        each_pair
        mv      a2, a0
        \op     a2, a1
        result  a2
        next_pair
        li      a2, 0x89abcdef
        \op     a2, a2
        result  a2
        .endm

        # All edges with immediates, in place.
        .macro  in_place op, values:vararg
        each_edge
        .irp    value, \values
        mv      a2, a0
        \op     a2, \value
        result  a2
        .endr
        next_edge
        .endm

        start
        .irp    op, c.add, c.mv, c.sub, c.xor, c.or, c.and
        two     \op
        .endr
        in_place c.addi, 1, -1, 31, -32, 5
        in_place c.andi, 0, 1, -1, 31, -32
        in_place c.slli, 1, 15, 16, 31
        in_place c.srli, 1, 15, 16, 31
        in_place c.srai, 1, 15, 16, 31
        .irp    value, 0, 1, -1, 31, -32
        c.li    a2, \value
        result  a2
        .endr
        .irp    value, 1, 31, 0xfffe0, 0xfffff
        c.lui   a2, \value
        result  a2
        .endr
        c.nop
        # Hints: encodings that do nothing.
        .hword  0x0005
        .hword  0x4001
        .hword  0x8006

        # With the stack pointer.
        mv      s4, sp
        la      sp, area + 512
        c.addi16sp sp, -512
        la      a2, area
        sub     a2, sp, a2
        result  a2
        c.addi16sp sp, 496
        la      a2, area
        sub     a2, sp, a2
        result  a2
        c.addi16sp sp, -496
        c.addi4spn a2, sp, 4
        sub     a2, a2, sp
        result  a2
        c.addi4spn s1, sp, 1020
        sub     s1, s1, sp
        result  s1
        li      a0, 0x89abcdef
        c.swsp  a0, 0(sp)
        c.swsp  s10, 252(sp)
        c.swsp  zero, 128(sp)
        c.lwsp  a2, 0(sp)
        result  a2
        c.lwsp  t6, 252(sp)
        sub     t6, t6, s10
        result  t6
        c.lwsp  a2, 128(sp)
        result  a2
        mv      sp, s4
        la      a0, area
        li      a1, 0x76543210
        c.sw    a1, 0(a0)
        c.sw    a1, 124(a0)
        c.lw    a2, 0(a0)
        result  a2
        c.lw    a0, 124(a0)
        result  a0

        # Branches and jumps.
        each_edge
        li      a2, 0
        c.beqz  a0, 1f
        ori     a2, a2, 1
1:      c.bnez  a0, 2f
        ori     a2, a2, 2
        j       3f
4:      ori     a2, a2, 8
        j       3f
2:      c.bnez  a0, 4b
3:      result  a2
        next_edge
        c.j     1f
        .hword  0
2:      c.j     3f
1:      c.j     2b
3:      result  zero
        # Links are two bytes further. (Aligned or not.)
        .irp    shift, 0, 1
        .balign 4
        .if     \shift
        c.nop
        .endif
1:      c.jal   2f
        .hword  0
2:      la      a1, 1b
        sub     a1, ra, a1
        result  a1
        la      t0, 2f
        .balign 4
        .if     \shift
        c.nop
        .endif
1:      c.jalr  t0
        .hword  0
2:      la      a1, 1b
        sub     a1, ra, a1
        result  a1
        la      t0, 2f
        c.jr    t0
        .hword  0
2:      result  zero
        .endr
        # A long instruction across two words, and across two pages.
        la      t0, across
        jalr    t0
        result  a2
        finish

        .text
        .balign 4096
        .space  4090
across: li      a2, 5
        c.nop
        .option norvc
        addi    a2, a2, 0x123
        .option rvc
        c.addi  a2, 3
        ret

        .bss
        .balign 16
area:   .space  2048
        signature 6 * (PAIRS + 1) + EDGES * (5 + 5 + 4 + 4 + 4) + 5 + 4 + 4 + 3 + 2 + EDGES + 1 + 6 + 1
