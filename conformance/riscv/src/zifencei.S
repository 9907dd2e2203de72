# Zifencei: code that changes itself. What runs between two changes is hot, so engines that compile have compiled it.
        .include "common.inc"

# Calls `function` so often, and adds up what it returns.
        .macro  run times
        li      s2, \times
        li      a2, 0
1:      mv      a0, s2
        jalr    s4
        slli    a3, a2, 1
        add     a2, a3, a0
        addi    s2, s2, -1
        bnez    s2, 1b
        result  a2
        .endm

        start
        la      s4, function
        # addi a0, a0, N; other N.
        .irp    value, 1, 2, -3, 2047
        la      a1, function
        li      a3, (\value << 20) & 0xfff00000 | 0x00050513
        sw      a3, 0(a1)
        fence.i
        run     400
        .endr
        # Another operation: xori a0, a0, 0x55, by a store of two bytes and by one of one byte.
        la      a1, function
        li      a3, 0x4513
        sh      a3, 0(a1)
        fence.i
        run     400
        li      a3, 0x05
        sb      a3, 3(a1)
        fence.i
        run     400
        # Two short instructions in place of a long one: c.addi a0, 3; c.slli a0, 1.
        li      a3, 0x0506050d
        sw      a3, 0(a1)
        fence.i
        run     400
        # A branch, whose target changes.
        la      s4, brancher
        .irp    instruction, 0x00000463, 0x00000663, 0x00000863
        la      a1, brancher
        li      a3, \instruction
        sw      a3, 0(a1)
        fence.i
        run     400
        .endr
        # A function that is copied elsewhere, over another one, at addresses that straddle a page.
        .irp    source, first, second, first
        la      a0, \source
        la      a1, page_edge - 6
        li      a2, 12
2:      lbu     a3, 0(a0)
        sb      a3, 0(a1)
        addi    a0, a0, 1
        addi    a1, a1, 1
        addi    a2, a2, -1
        bnez    a2, 2b
        fence.i
        la      s4, page_edge - 6
        run     400
        .endr
        # A loop that changes itself in each round, ahead of where it is.
        la      a1, changing
        li      a2, 0
        li      s2, 600
3:      andi    a3, s2, 0x7ff
        slli    a3, a3, 20
        li      a4, 0x00060613
        or      a3, a3, a4
        sw      a3, 0(a1)
        fence.i
        j       changing
        .balign 4
back:   addi    s2, s2, -1
        bnez    s2, 3b
        result  a2
        finish

        .section .code, "awx", @progbits
        .option norvc
        .balign 4
function:
        addi    a0, a0, 0
        ret
        .balign 4
brancher:
        beqz    zero, 1f
        nop
1:      addi    a0, a0, 1
        addi    a0, a0, 2
        addi    a0, a0, 4
        ret
        .balign 4
changing:
        addi    a2, a2, 0
        la      t0, back
        jr      t0
first:  addi    a0, a0, 9
        slli    a0, a0, 2
        ret
second: xori    a0, a0, 0x3c
        srli    a0, a0, 1
        ret
        .balign 4096
page_edge:
        .space  16
        signature 4 + 3 + 3 + 3 + 1
