// Arithmetic in two prime fields of 64 bits: full products of 64 by 64 bits, carries, comparisons.

#include "kernel.h"

typedef unsigned __int128 uint128_t;

// ---- modulo 2^64 - 2^32 + 1

#define GOLDILOCKS 0xffffffff00000001u

static inline uint64_t goldilocks_multiply(uint64_t a, uint64_t b) {
    uint128_t product = (uint128_t)a * b;
    uint64_t low = (uint64_t)product, high = (uint64_t)(product >> 64);
    // 2^64 = 2^32 - 1 and 2^96 = -1 in this field.
    uint64_t top = high >> 32, middle = high & 0xffffffff;
    uint64_t difference = low - top;
    if (low < top) difference -= 0xffffffff;
    uint64_t addend = middle * 0xffffffff;
    uint64_t sum = difference + addend;
    if (sum < addend) sum += 0xffffffff;
    return sum >= GOLDILOCKS ? sum - GOLDILOCKS : sum;
}

static inline uint64_t goldilocks_add(uint64_t a, uint64_t b) {
    uint64_t sum = a + b;
    if (sum < a || sum >= GOLDILOCKS) sum -= GOLDILOCKS;
    return sum;
}

// a^(p - 2): the inverse.
static uint64_t goldilocks_invert(uint64_t a) {
    uint64_t result = 1;
    for (uint64_t exponent = GOLDILOCKS - 2; exponent; exponent >>= 1) {
        if (exponent & 1) result = goldilocks_multiply(result, a);
        a = goldilocks_multiply(a, a);
    }
    return result;
}

// ---- modulo 2^61 - 1

#define MERSENNE ((1ull << 61) - 1)

static inline uint64_t mersenne_multiply(uint64_t a, uint64_t b) {
    uint128_t product = (uint128_t)a * b;
    uint64_t sum = ((uint64_t)product & MERSENNE) + (uint64_t)(product >> 61);
    return sum >= MERSENNE ? sum - MERSENNE : sum;
}

// ----

#define COEFFICIENTS 64

static uint64_t coefficients[COEFFICIENTS];

uint64_t kernel(uint64_t n) {
    uint64_t state = 1, x = 3, hash = 1;
    for (int i = 0; i < COEFFICIENTS; i++) coefficients[i] = next_random(&state);
    for (uint64_t round = 0; round < n; round++) {
        // A polynomial by Horner's rule, its value inverted, and a hash of all coefficients.
        uint64_t value = 0;
        for (int i = 0; i < COEFFICIENTS; i++) {
            value = goldilocks_add(goldilocks_multiply(value, x), coefficients[i]);
            hash = mersenne_multiply(hash ^ coefficients[i], 0x123456789abcdefull);
        }
        x = goldilocks_invert(value ? value : 2);
        coefficients[round % COEFFICIENTS] = x;
    }
    return x ^ hash;
}
