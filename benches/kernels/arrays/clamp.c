// Numbers as bytes, those too large or too small as the nearest.

#include "kernel.h"

#define LEN 1024

static int32_t numbers[LEN];
static uint8_t bytes[LEN];

static NOINLINE void clamp(int32_t plus) {
    for (int i = 0; i < LEN; i++) {
        int32_t number = (numbers[i] + plus) >> 4;
        if (number < 0) number = 0;
        if (number > 255) number = 255;
        bytes[i] = number;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < LEN; i++) numbers[i] = (int32_t)(next_random(&random) >> 19) - 2000;
    for (uint64_t i = 0; i < n; i++) {
        clamp(i & 1023);
        sum = sum * 31 + bytes[i * 3 % LEN];
        numbers[i * 7 % LEN] = (int32_t)(sum & 8191) - 2000;
    }
    return sum;
}
