# Traps, as a handler in machine mode sees them: cause, where, and value. Ends by a write to `tohost`.
        .include "common.inc"

        # Does an instruction that traps; the handler goes on behind it. Recorded are the cause, how far `mepc` is from the
        # instruction, and `mtval`.
        .macro  traps text:vararg
        la      s6, 1f
        la      s7, 2f
        .balign 4
2:      \text
1:
        .endm

        .text
        .globl  _start
_start:
        # User mode may access everything. Machines need not have these registers.
        la      t0, 1f
        csrw    mtvec, t0
        li      t0, -1
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        .balign 4
1:      la      t0, handler
        csrw    mtvec, t0
        li      s10, ROUNDS
again:  la      s11, begin_signature
        li      a0, 0x1234

        # Illegal: zeros, ones, reserved encodings, floats, registers that do not exist or may not be written.
        traps   .word 0
        traps   .word 0xffffffff
        traps   .hword 0
        traps   .word 0x0000007b
        traps   .word 0x00003003
        traps   .word 0x0200302f
        traps   .word 0x02001013
        traps   .word 0x40001013
        traps   .word 0xc0009073
        traps   .word 0xc0001073
        traps   .hword 0x8002
        traps   .hword 0x4002
        traps   .hword 0x6101
        # Calls.
        traps   ecall
        la      s6, 1f
        la      s7, 2f
        csrw    mscratch, s6
        csrr    a1, mscratch
        sub     a1, a1, s6
        result  a1
        .option norvc
2:      ebreak
1:
        .option rvc
        traps   c.ebreak
        csrwi   mscratch, 21
        csrrwi  a1, mscratch, 9
        result  a1
        csrr    a1, mscratch
        result  a1
        # Accesses where there is no memory; nothing of them is done.
        li      a1, 0x40000000
        li      a2, 77
        traps   lw a2, 4(a1)
        result  a2
        traps   lbu zero, -1(a1)
        traps   sw a2, 8(a1)
        traps   sb zero, 3(a1)
        traps   lr.w a2, (a1)
        traps   amoadd.w a2, a2, (a1)
        result  a2
        # A jump to where there is no code: the jump is done, its target traps.
        la      s6, 1f
        li      s7, 0x40000000
        li      a1, 0x40000000
        li      ra, 0
        jalr    ra, 0(a1)
1:      la      a1, 1b
        sub     a1, a1, ra
        result  a1
        # User mode, where the same is allowed but machine mode's registers.
        la      t0, user
        csrw    mepc, t0
        li      t0, 0x1800
        csrc    mstatus, t0
        mret
user:   traps   csrr a1, mscratch
        traps   csrw mepc, a1
        traps   .word 0x30200073
        traps   .word 0
        la      s6, back
        la      s7, 2f
        li      s8, 1
2:      ecall
        # Only the handler leads from here to machine mode.
        .balign 4
back:   csrr    a1, mscratch
        la      s6, 1f
        la      s7, 2f
2:      ecall
1:
        la      a1, end_signature
        bne     s11, a1, wrong
        addi    s10, s10, -1
        beqz    s10, 1f
        j       again
1:
        .ifndef RECORD
        la      a1, begin_signature
        la      a2, expected
        la      a3, end_signature
2:      lw      a4, 0(a1)
        lw      a5, 0(a2)
        bne     a4, a5, wrong
        addi    a1, a1, 4
        addi    a2, a2, 4
        bne     a1, a3, 2b
        .endif
        li      a0, 1
        j       end
wrong:  li      a0, 3
end:    la      a1, tohost
        sw      a0, 0(a1)
        j       end

        # Goes on at s6; in machine mode if s8 says so.
        .balign 4
handler:
        csrr    t0, mcause
        result  t0
        csrr    t1, mepc
        sub     t1, t1, s7
        result  t1
        csrr    t1, mtval
        # Of a breakpoint it may be the address or nothing.
        li      t2, 3
        bne     t0, t2, 1f
        li      t1, 0
1:      result  t1
        csrw    mepc, s6
        beqz    s8, 1f
        li      s8, 0
        li      t0, 0x1800
        csrs    mstatus, t0
1:      mret

        .section .data
        .balign 64
        .globl  tohost, fromhost
tohost: .dword  0
        .balign 64
fromhost: .dword 0
        signature 29 * 3 + 6
