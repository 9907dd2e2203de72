// Products of complex numbers, of which each has its two parts side by side.

#include "kernel.h"

#define NUMBERS 512

typedef struct {
    int32_t real, imaginary;
} number;

static number left[NUMBERS], right[NUMBERS], product[NUMBERS];

static NOINLINE void multiply(void) {
    for (int i = 0; i < NUMBERS; i++) {
        number a = left[i], b = right[i];
        product[i].real = a.real * b.real - a.imaginary * b.imaginary;
        product[i].imaginary = a.real * b.imaginary + a.imaginary * b.real;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < NUMBERS; i++) {
        left[i].real = next_random(&random) & 0x3fff;
        left[i].imaginary = next_random(&random) & 0x3fff;
        right[i].real = next_random(&random) & 0x3fff;
        right[i].imaginary = next_random(&random) & 0x3fff;
    }
    for (uint64_t i = 0; i < n; i++) {
        multiply();
        sum = sum * 31 + (uint32_t)product[i % NUMBERS].imaginary;
        left[i * 7 % NUMBERS].real ^= sum & 0x3fff;
    }
    return sum;
}
