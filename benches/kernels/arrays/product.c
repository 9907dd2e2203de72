// Matrices of 32-bit numbers multiplied row by row.

#include "kernel.h"

#define SIDE 32

static uint32_t a[SIDE][SIDE], b[SIDE][SIDE], product[SIDE][SIDE];

static NOINLINE void multiply(void) {
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) product[i][j] = 0;
        for (int k = 0; k < SIDE; k++) {
            uint32_t factor = a[i][k];
            for (int j = 0; j < SIDE; j++) product[i][j] += factor * b[k][j];
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = next_random(&random) >> 8;
            b[i][j] = next_random(&random) >> 8;
        }
    }
    for (uint64_t i = 0; i < n; i++) {
        multiply();
        sum = sum * 31 + product[i % SIDE][i * 7 % SIDE];
        a[i * 3 % SIDE][i % SIDE] += sum;
    }
    return sum;
}
