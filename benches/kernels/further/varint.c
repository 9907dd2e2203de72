// Numbers of variable length, written and read: small functions that are called from loops and loop themselves.

#include "kernel.h"

#define NUMBERS 500

static uint8_t buffer[16 * NUMBERS];

static NOINLINE size_t put(uint8_t *at, uint64_t value) {
    size_t len = 0;
    while (value >= 128) at[len++] = value | 128, value >>= 7;
    at[len++] = value;
    return len;
}

static NOINLINE const uint8_t *get(const uint8_t *at, uint64_t *value) {
    uint64_t read = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t byte = *at++;
        read |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) break;
    }
    *value = read;
    return at;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 3, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        size_t len = 0;
        for (int i = 0; i < NUMBERS; i++) {
            uint64_t value = (uint64_t)next_random(&seed) << 16;
            len += put(buffer + len, value >> (next_random(&seed) & 47));
        }
        for (const uint8_t *at = buffer; at < buffer + len;) {
            uint64_t value;
            at = get(at, &value);
            sum = sum * 31 + value;
        }
    }
    return sum;
}
