// Multiplication modulo 2^255 - 19 with sixteen limbs of 16 bits each, and carries that wrap around at the last one.

#include "kernel.h"

#define LIMBS 16

static void carry(int64_t *limbs) {
    for (int i = 0; i < LIMBS; i++) {
        limbs[i] += 1 << 16;
        int64_t over = limbs[i] >> 16;
        int is_last = i == LIMBS - 1;
        limbs[is_last ? 0 : i + 1] += over - 1 + (is_last ? 37 * (over - 1) : 0);
        limbs[i] -= over << 16;
    }
}

static NOINLINE void multiply(int64_t *out, const int64_t *a, const int64_t *b) {
    int64_t product[2 * LIMBS - 1];
    for (int i = 0; i < 2 * LIMBS - 1; i++) product[i] = 0;
    for (int i = 0; i < LIMBS; i++)
        for (int j = 0; j < LIMBS; j++) product[i + j] += a[i] * b[j];
    for (int i = 0; i < LIMBS - 1; i++) product[i] += 38 * product[i + LIMBS];
    for (int i = 0; i < LIMBS; i++) out[i] = product[i];
    carry(out);
    carry(out);
}

uint64_t kernel(uint64_t n) {
    int64_t a[LIMBS], b[LIMBS];
    for (int i = 0; i < LIMBS; i++) {
        a[i] = i * 1000 + 7;
        b[i] = 60000 - i * 13;
    }
    for (uint64_t i = 0; i < n; i++) {
        multiply(a, a, b);
        multiply(b, b, b);
    }
    uint64_t sum = 0;
    for (int i = 0; i < LIMBS; i++) sum = sum * 65599 + a[i] + b[i];
    return sum;
}
