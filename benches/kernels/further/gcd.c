// Greatest common divisors: divisions that wait for one another.

#include "kernel.h"

static NOINLINE uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

uint64_t kernel(uint64_t n) {
    uint64_t s = 5, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        sum += gcd(next_random(&s), next_random(&s) | 1);
    }
    return sum;
}
