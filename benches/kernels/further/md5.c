// MD5, its rounds written as a loop: each round asks which of four functions is meant, and how far to rotate.

#include "kernel.h"

static const uint8_t SHIFTS[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t constants[64];
static uint32_t state[4];

static uint32_t rotated(uint32_t value, uint32_t by) { return value << by | value >> (32 - by); }

static NOINLINE void add_block(const uint32_t block[16]) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t mixed, word;
        if (i < 16) {
            mixed = (b & c) | (~b & d);
            word = i;
        } else if (i < 32) {
            mixed = (d & b) | (~d & c);
            word = (5 * i + 1) % 16;
        } else if (i < 48) {
            mixed = b ^ c ^ d;
            word = (3 * i + 5) % 16;
        } else {
            mixed = c ^ (b | ~d);
            word = 7 * i % 16;
        }
        mixed += a + constants[i] + block[word];
        a = d;
        d = c;
        c = b;
        b += rotated(mixed, SHIFTS[i / 16][i % 4]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1;
    uint32_t block[16];
    // Constants of its own: those of the standard are sines.
    for (int i = 0; i < 64; i++) constants[i] = next_random(&random);
    for (int i = 0; i < 4; i++) state[i] = next_random(&random);
    for (int i = 0; i < 16; i++) block[i] = next_random(&random);
    for (uint64_t i = 0; i < n; i++) {
        block[i % 16] ^= state[i % 4];
        add_block(block);
    }
    return (uint64_t)(state[0] ^ state[2]) << 32 | (state[1] ^ state[3]);
}
