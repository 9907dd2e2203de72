# A: atomic operations. (With one hart, orders do not matter, but they are part of the encoding.)
        .include "common.inc"

        .set ATOMIC_WORDS, 2 * PAIRS + 8
        .macro  atomic op
        la      t4, cell
        each_pair
        sw      a0, 0(t4)
        \op     a2, a1, (t4)
        result  a2
        lw      a2, 0(t4)
        result  a2
        next_pair
        li      a0, 0x89abcdef
        li      a1, 0x7654321
        .irp    order, , .aq, .rl, .aqrl
        sw      a0, 0(t4)
        \op\order a2, a1, (t4)
        add     a2, a2, a1
        result  a2
        .endr
        # Into the operand, into x0, from x0, into the address.
        \op     a1, a1, (t4)
        result  a1
        \op     zero, a0, (t4)
        lw      a2, 0(t4)
        result  a2
        \op     a2, zero, (t4)
        result  a2
        \op     t4, a0, (t4)
        result  t4
        .endm

        start
        .irp    op, amoswap.w, amoadd.w, amoxor.w, amoand.w, amoor.w, amomin.w, amomax.w, amominu.w, amomaxu.w
        atomic  \op
        .endr

        la      t4, cell
        la      t3, other
        # A reservation that holds.
        li      a0, 0x80000001
        sw      a0, 0(t4)
        lr.w    a1, (t4)
        addi    a2, a1, 1
        sc.w    a3, a2, (t4)
        result  a1
        result  a3
        lw      a2, 0(t4)
        result  a2
        # It is used up by that.
        sc.w    a3, a0, (t4)
        snez    a3, a3
        result  a3
        lw      a2, 0(t4)
        result  a2
        # Another address.
        lr.w    a1, (t4)
        sc.w    a3, a0, (t3)
        snez    a3, a3
        result  a3
        lw      a2, 0(t3)
        result  a2
        # The newer of two.
        lr.w.aq a1, (t3)
        lr.w.aqrl a1, (t4)
        sc.w.rl a3, a0, (t4)
        result  a3
        # Registers that are the same, and x0.
        mv      a1, t4
        lr.w    a1, (a1)
        sc.w    a1, a1, (t4)
        result  a1
        lr.w    zero, (t4)
        sc.w    zero, zero, (t4)
        lw      a2, 0(t4)
        result  a2
        # As locks and counters use it.
        sw      zero, 0(t4)
        li      a0, 500
1:      lr.w    a1, (t4)
        add     a1, a1, a0
        sc.w    a2, a1, (t4)
        bnez    a2, 1b
        addi    a0, a0, -1
        bnez    a0, 1b
        lw      a2, 0(t4)
        result  a2
        finish
        .section .data
        .balign 4096
cell:   .word   0
        .balign 2048
other:  .word   77
        signature 9 * ATOMIC_WORDS + 11
