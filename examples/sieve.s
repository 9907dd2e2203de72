# The sieve of Eratosthenes: many byte stores with a stride, then one pass over all bytes.
#
# argument  the limit N as a little-endian u32, taken for 4 000 000 if it is more; without one, 1 000 000
# result    the number of primes below N, 8 bytes little-endian
#           without argument: a232010000000000 (78 498)
# work      11 million instructions by default

        .info "sieve", "0.1.0", "MIT OR Apache-2.0", "The pvmrun developers"
        .equ DEFAULT, 1_000_000
        .equ LIMIT, 4_000_000
        .heap_pages 977                 # LIMIT bytes

        .jump_wide main                 # pc 0: is_authorized and refine
        .jump_wide main                 # pc 5: accumulate

main:   load_imm a2, DEFAULT            # a2: N
        branch_eq_imm a1, 0, ready
        load_ind_u32 a2, [a0]
        load_imm t0, LIMIT
        min_u a2, a2, t0
        fallthrough
ready:  load_imm t0, 2                  # t0: the number that may be a prime
        fallthrough

outer:  mul_64 t1, t0, t0               # t1: its first multiple that no smaller prime has struck out
        branch_ge_u t1, a2, count
        load_ind_u8 t2, [t0 + struck]
        branch_ne_imm t2, 0, next

strike: store_imm_ind_u8 [t1 + struck], 1
        add_64 t1, t1, t0
        branch_lt_u t1, a2, strike

next:   add_imm_64 t0, t0, 1
        jump outer

count:  load_imm t0, 2
        load_imm s0, 0                  # s0: how many primes
        branch_le_u_imm a2, 2, done

look:   load_ind_u8 t2, [t0 + struck]
        xor_imm t2, t2, 1
        add_64 s0, s0, t2
        add_imm_64 t0, t0, 1
        branch_lt_u t0, a2, look

done:   store_u64 s0, [result]
        load_imm a0, result
        load_imm a1, 8
        jump_ind ra, 0

        .rwdata
result: .u64 0
struck:                                 # a byte for each number, in the zeroed pages after the data
