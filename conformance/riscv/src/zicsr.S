# Zicsr: the counters that user programs may read. They run on.
        .include "common.inc"

        .macro  counter low, high
        csrr    a0, \low
        csrr    a3, \high
        li      a1, 100
1:      addi    a1, a1, -1
        bnez    a1, 1b
        csrr    a1, \low
        csrr    a4, \high
        # Not less than before, as one number.
        sub     a2, a4, a3
        sltu    a5, a1, a0
        sub     a2, a2, a5
        slti    a2, a2, 0
        result  a2
        # Other ways to read.
        csrrs   a0, \low, zero
        csrrc   a0, \low, zero
        csrrsi  a0, \low, 0
        csrrci  a0, \low, 0
        csrrs   zero, \low, zero
        .endm

        start
        counter cycle, cycleh
        counter time, timeh
        counter instret, instreth
        # Instructions are counted.
        csrr    a0, instret
        li      a2, 100
1:      addi    a2, a2, -1
        bnez    a2, 1b
        csrr    a1, instret
        sltu    a2, a0, a1
        result  a2
        finish
        signature 4
