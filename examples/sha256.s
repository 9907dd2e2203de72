# SHA-256 (FIPS 180-4) of a buffer: 32-bit arithmetic, rotations and table look-ups.
#
# argument  the length of the buffer as a little-endian u32, taken for 1 MiB if it is more; without one, 256 KiB
# result    the digest of the bytes (31 i + 7) modulo 256 for i from 0 on, 32 bytes
#           without argument: d30eb241f95e7c37c033251a78eae1610ac9b02dc99625442158180d35818c1b
# work      15 million instructions by default

        .info "sha256", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ DEFAULT, 256 * 1024
        .equ LIMIT, 1024 * 1024
        .heap_pages 257                 # LIMIT bytes and the padding
        .stack 4096

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   load_imm a2, DEFAULT            # a2: the length
        branch_eq_imm a1, 0, ready
        load_ind_u32 a2, [a0]
        load_imm t0, LIMIT
        min_u a2, a2, t0
        fallthrough
ready:  add_imm_64 sp, sp, -24          # [sp]: ra, [sp + 8]: the current block, [sp + 16]: the end of the blocks
        store_ind_u64 ra, [sp]

# The message.
        load_imm t0, 0
        load_imm t1, 7
        fallthrough
fill:   branch_ge_u t0, a2, filled
        store_ind_u8 t1, [t0 + buffer]
        add_imm_64 t1, t1, 31
        add_imm_64 t0, t0, 1
        jump fill

# The padding: 0x80, zeros up to eight bytes before the end of a block, the length in bits with the highest byte first.
filled: store_imm_ind_u8 [t0 + buffer], -128
        add_imm_64 t0, t0, 9 + 63
        and_imm t0, t0, -64             # t0: the length of all blocks
        shlo_l_imm_64 t1, a2, 3
        reverse_bytes t1, t1
        store_ind_u64 t1, [t0 + buffer - 8]
        add_imm_64 t0, t0, buffer
        store_ind_u64 t0, [sp + 16]
        load_imm t0, buffer
        store_ind_u64 t0, [sp + 8]
        fallthrough

# One block. The first sixteen words of the schedule are the block, the highest byte first in each.
block:  load_imm t1, 0
        fallthrough
copy:   load_ind_u32 t2, [t0]
        reverse_bytes t2, t2
        shlo_r_imm_64 t2, t2, 32
        store_ind_u32 t2, [t1 + schedule]
        add_imm_64 t0, t0, 4
        add_imm_64 t1, t1, 4
        branch_lt_u_imm t1, 64, copy

# The others follow from the words 2, 7, 15 and 16 places before.
extend: load_ind_u32 t2, [t1 + schedule - 60]
        rot_r_32_imm s0, t2, 7
        rot_r_32_imm s1, t2, 18
        xor s0, s0, s1
        shlo_r_imm_32 s1, t2, 3
        xor s0, s0, s1
        load_ind_u32 t2, [t1 + schedule - 8]
        rot_r_32_imm s1, t2, 17
        rot_r_32_imm a0, t2, 19
        xor s1, s1, a0
        shlo_r_imm_32 a0, t2, 10
        xor s1, s1, a0
        add_32 s0, s0, s1
        load_ind_u32 t2, [t1 + schedule - 64]
        add_32 s0, s0, t2
        load_ind_u32 t2, [t1 + schedule - 28]
        add_32 s0, s0, t2
        store_ind_u32 s0, [t1 + schedule]
        add_imm_64 t1, t1, 4
        branch_lt_u_imm t1, 256, extend

# The working variables a to h are r2 to r9; ra is free here and counts the rounds in steps of four bytes.
        load_u32 r2, [state]
        load_u32 r3, [state + 4]
        load_u32 r4, [state + 8]
        load_u32 r5, [state + 12]
        load_u32 r6, [state + 16]
        load_u32 r7, [state + 20]
        load_u32 r8, [state + 24]
        load_u32 r9, [state + 28]
        load_imm r0, 0
        fallthrough
round:  rot_r_32_imm r10, r6, 6
        rot_r_32_imm r11, r6, 11
        xor r10, r10, r11
        rot_r_32_imm r11, r6, 25
        xor r10, r10, r11
        add_32 r9, r9, r10
        xor r10, r7, r8                 # choose: g ^ (e & (f ^ g))
        and r10, r10, r6
        xor r10, r10, r8
        add_32 r9, r9, r10
        load_ind_u32 r10, [r0 + constants]
        add_32 r9, r9, r10
        load_ind_u32 r10, [r0 + schedule]
        add_32 r9, r9, r10              # the first temporary word
        rot_r_32_imm r10, r2, 2
        rot_r_32_imm r11, r2, 13
        xor r10, r10, r11
        rot_r_32_imm r11, r2, 22
        xor r10, r10, r11
        and r11, r2, r3                 # majority: (a & b) | (c & (a | b))
        or r12, r2, r3
        and r12, r12, r4
        or r11, r11, r12
        add_32 r10, r10, r11            # the second one
        add_32 r11, r5, r9
        add_32 r12, r9, r10
        move_reg r9, r8
        move_reg r8, r7
        move_reg r7, r6
        move_reg r6, r11
        move_reg r5, r4
        move_reg r4, r3
        move_reg r3, r2
        move_reg r2, r12
        add_imm_64 r0, r0, 4
        branch_lt_u_imm r0, 256, round

        load_u32 r10, [state]
        add_32 r10, r10, r2
        store_u32 r10, [state]
        load_u32 r10, [state + 4]
        add_32 r10, r10, r3
        store_u32 r10, [state + 4]
        load_u32 r10, [state + 8]
        add_32 r10, r10, r4
        store_u32 r10, [state + 8]
        load_u32 r10, [state + 12]
        add_32 r10, r10, r5
        store_u32 r10, [state + 12]
        load_u32 r10, [state + 16]
        add_32 r10, r10, r6
        store_u32 r10, [state + 16]
        load_u32 r10, [state + 20]
        add_32 r10, r10, r7
        store_u32 r10, [state + 20]
        load_u32 r10, [state + 24]
        add_32 r10, r10, r8
        store_u32 r10, [state + 24]
        load_u32 r10, [state + 28]
        add_32 r10, r10, r9
        store_u32 r10, [state + 28]

        load_ind_u64 t0, [sp + 8]
        add_imm_64 t0, t0, 64
        store_ind_u64 t0, [sp + 8]
        load_ind_u64 t1, [sp + 16]
        branch_lt_u t0, t1, block

# The digest is the state, the highest byte first in each word.
        load_imm t1, 0
        fallthrough
swap:   load_ind_u32 t2, [t1 + state]
        reverse_bytes t2, t2
        shlo_r_imm_64 t2, t2, 32
        store_ind_u32 t2, [t1 + state]
        add_imm_64 t1, t1, 4
        branch_lt_u_imm t1, 32, swap
        load_ind_u64 ra, [sp]
        add_imm_64 sp, sp, 24
        load_imm a0, state
        load_imm a1, 32
        jump_ind ra, 0

        .rodata
constants:                              # the fractions of the cube roots of the first 64 primes
        .u32 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5
        .u32 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5
        .u32 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3
        .u32 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174
        .u32 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc
        .u32 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da
        .u32 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7
        .u32 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967
        .u32 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13
        .u32 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85
        .u32 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3
        .u32 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070
        .u32 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5
        .u32 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3
        .u32 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208
        .u32 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2

        .rwdata
state:                                  # the fractions of the square roots of the first 8 primes
        .u32 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a
        .u32 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
schedule:
        .zero 256
buffer:                                 # in the zeroed pages after the data
