// Fibonacci numbers by recursion: calls and returns, and little else.

#include "kernel.h"

static NOINLINE uint64_t fib(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t round = 0; round < n; round++) sum = sum * 31 + fib(16 + (round & 3));
    return sum;
}
