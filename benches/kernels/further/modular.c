// Products modulo 2^256 - 2^32 - 977, the prime of a curve: numbers of five limbs of 52 bits, sums of products of 128 bits.

#include "kernel.h"

typedef unsigned __int128 uint128_t;

#define LIMBS 5
#define LIMB 0xfffffffffffffu
// 2^260 modulo the prime.
#define REST 0x1000003d10u

static NOINLINE void multiply(uint64_t *to, const uint64_t *a, const uint64_t *b) {
    uint64_t low[LIMBS], high[LIMBS];
    uint128_t sum = 0;
    for (int i = 0; i < 2 * LIMBS - 1; i++) {
        for (int j = i < LIMBS ? 0 : i - LIMBS + 1; j <= i && j < LIMBS; j++) sum += (uint128_t)a[j] * b[i - j];
        uint64_t limb = (uint64_t)sum & LIMB;
        if (i < LIMBS) low[i] = limb;
        else high[i - LIMBS] = limb;
        sum >>= 52;
    }
    high[LIMBS - 1] = (uint64_t)sum;
    sum = 0;
    for (int i = 0; i < LIMBS; i++) {
        sum += (uint128_t)high[i] * REST + low[i];
        to[i] = (uint64_t)sum & LIMB;
        sum >>= 52;
    }
    sum = sum * REST + to[0];
    to[0] = (uint64_t)sum & LIMB;
    to[1] += (uint64_t)(sum >> 52);
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, a[LIMBS], b[LIMBS];
    for (int i = 0; i < LIMBS; i++) {
        a[i] = next_random(&random) << 20 & LIMB;
        b[i] = next_random(&random) << 19 & LIMB;
    }
    for (uint64_t i = 0; i < n; i++) {
        multiply(a, a, b);
        multiply(b, b, a);
    }
    return a[0] ^ b[LIMBS - 1];
}
