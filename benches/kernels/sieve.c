// The sieve of Eratosthenes over a quarter of a million bytes: short loops of byte stores with a stride, one byte scan.

#include "kernel.h"

#define LIMIT 250000u

static uint8_t composite[LIMIT];

static uint32_t count_primes(uint32_t limit) {
    for (uint32_t i = 0; i < limit; i++) composite[i] = 0;
    uint32_t count = 0;
    for (uint32_t i = 2; i < limit; i++) {
        if (composite[i]) continue;
        count++;
        for (uint64_t multiple = (uint64_t)i * i; multiple < limit; multiple += i) composite[multiple] = 1;
    }
    return count;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t round = 0; round < n; round++) sum = sum * 31 + count_primes(LIMIT - (uint32_t)(round & 127));
    return sum;
}
