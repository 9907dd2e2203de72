// The 128-bit product that compilers call for where the guest multiplies no wider than 64 bits (WebAssembly).

#include "kernel.h"

typedef unsigned __int128 uint128_t;

// The C compiler's own name for it. Products modulo 2^128 are the same with and without signs.
uint128_t __multi3(uint128_t left, uint128_t right) {
    uint64_t a = (uint64_t)left, b = (uint64_t)right;
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low;
    // At most (2^32 - 1)^2 + (2^32 - 1) each, so nothing overflows.
    uint64_t middle = a_high * b_low + (low >> 32);
    uint64_t other = a_low * b_high + (uint32_t)middle;
    uint64_t high = a_high * b_high + (middle >> 32) + (other >> 32);
    high += a * (uint64_t)(right >> 64) + b * (uint64_t)(left >> 64);
    return (uint128_t)high << 64 | (other << 32 | (uint32_t)low);
}
