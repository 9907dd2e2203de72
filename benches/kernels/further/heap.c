// Sorting by a heap: walks down a tree in an array, whose way depends on data.

#include "kernel.h"

static uint32_t a[4096];

static NOINLINE void down(uint32_t *a, int i, int n) {
    uint32_t v = a[i];
    for (;;) {
        int c = 2 * i + 1;
        if (c >= n) break;
        if (c + 1 < n && a[c + 1] > a[c]) c++;
        if (a[c] <= v) break;
        a[i] = a[c];
        i = c;
    }
    a[i] = v;
}

uint64_t kernel(uint64_t n) {
    uint64_t s = 7, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 4096; i++) a[i] = next_random(&s);
        for (int i = 2047; i >= 0; i--) down(a, i, 4096);
        for (int i = 4095; i > 0; i--) {
            uint32_t t = a[0];
            a[0] = a[i];
            a[i] = t;
            down(a, 0, i);
        }
        sum = sum * 31 + a[r & 4095];
    }
    return sum;
}
