# RV32I: branches to and fro on all pairs, jumps with their links.
        .include "common.inc"

        # 1 if the branch forward is taken, 2 if the one back is, too.
        .macro  branch op
        each_pair
        li      a2, 0
        \op     a0, a1, 1f
        j       3f
2:      ori     a2, a2, 2
        j       3f
1:      ori     a2, a2, 1
        \op     a0, a1, 2b
3:      result  a2
        next_pair
        # A register with itself and with x0.
        li      a0, -5
        li      a2, 0
        \op     a0, a0, 1f
        ori     a2, a2, 1
1:      \op     a0, zero, 1f
        ori     a2, a2, 2
1:      \op     zero, a0, 1f
        ori     a2, a2, 4
1:      \op     zero, zero, 1f
        ori     a2, a2, 8
1:      result  a2
        .endm

        start
        .irp    op, beq, bne, blt, bge, bltu, bgeu
        branch  \op
        .endr

        # Links, relative to the jump.
        .balign 4
1:      jal     a0, 2f
        .fill   5, 4, 0
2:      la      a1, 1b
        sub     a0, a0, a1
        result  a0
1:      jal     zero, 2f
        .word   0
2:      result  zero
        # An indirect jump takes the sum, and clears its lowest bit.
        .irp    offset, 0, 1, -2047, 2046
        la      a2, 3f - (\offset & ~1)
        .balign 4
1:      jalr    a0, \offset(a2)
        .word   0
3:      la      a1, 1b
        sub     a0, a0, a1
        result  a0
        .endr
        # The base may be where the link goes.
        la      t0, 3f
        .balign 4
1:      jalr    t0, 0(t0)
        .word   0
3:      la      a1, 1b
        sub     t0, t0, a1
        result  t0
        la      t0, 3f
        jalr    zero, 0(t0)
        .word   0
3:      result  zero
        # A call, deep enough for returns to be foreseen, and returns that are not.
        li      a0, 20
        li      a1, 0
        mv      s4, sp
        la      sp, stack
        jal     count
        result  a1
        mv      sp, s4
        la      t1, table
        li      a1, 0
        li      a0, 16
4:      andi    a2, a0, 3
        slli    a2, a2, 2
        add     a2, a2, t1
        lw      a2, 0(a2)
        jalr    a2
        addi    a0, a0, -1
        bnez    a0, 4b
        result  a1
        j       over
count:  addi    sp, sp, -8
        sw      ra, 0(sp)
        sw      a0, 4(sp)
        beqz    a0, 1f
        addi    a0, a0, -1
        jal     count
1:      lw      ra, 0(sp)
        lw      a0, 4(sp)
        add     a1, a1, a0
        slli    a1, a1, 1
        addi    sp, sp, 8
        ret
case0:  addi    a1, a1, 1
        ret
case1:  slli    a1, a1, 1
        ret
case2:  xori    a1, a1, 0x55
        ret
case3:  add     a1, a1, a0
        ret
over:
        finish
        .section .rodata
        .balign 4
table:  .word   case0, case1, case2, case3
        .bss
        .balign 16
        .space  512
stack:
        signature 6 * (PAIRS + 1) + 2 + 4 + 2 + 2
