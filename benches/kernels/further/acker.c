// Ackermann's function: deep recursion with very little in each call.

#include "kernel.h"

static NOINLINE uint32_t acker(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    if (n == 0) return acker(m - 1, 1);
    return acker(m - 1, acker(m, n - 1));
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t r = 0; r < n; r++) sum = sum * 31 + acker(2, 40 + (uint32_t)(r & 63)) + acker(3, (uint32_t)(r & 3));
    return sum;
}
