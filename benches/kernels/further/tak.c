// Takeuchi's function: calls, returns and little else.

#include "kernel.h"

static NOINLINE int tak(int x, int y, int z) {
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t r = 0; r < n; r++) sum = sum * 31 + tak(10 + (r & 1), 6, 2);
    return sum;
}
