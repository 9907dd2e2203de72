// All permutations of eight, by Heap's method, recursively.

#include "kernel.h"

static uint8_t p[8];
static uint64_t total;

static NOINLINE void visit(void) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v * 9 + p[i];
    total += v ^ v >> 7;
}
static NOINLINE void permute(int k) {
    if (k == 1) { visit(); return; }
    for (int i = 0; i < k; i++) {
        permute(k - 1);
        int j = k & 1 ? 0 : i;
        uint8_t t = p[j]; p[j] = p[k - 1]; p[k - 1] = t;
    }
}

uint64_t kernel(uint64_t n) {
    total = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 8; i++) p[i] = i + r;
        permute(8);
    }
    return total;
}
