// Poly1305 with 26-bit limbs.

#include "kernel.h"

static uint32_t block[64][4];

uint64_t kernel(uint64_t n) {
    uint64_t seed = 2;
    for (int i = 0; i < 64; i++) for (int k = 0; k < 4; k++) block[i][k] = next_random(&seed);
    uint32_t r0 = 0x3ffffff & 0x12345678, r1 = 0x3ffff03 & 0x9abcdef0, r2 = 0x3ffc0ff & 0x0fedcba9;
    uint32_t r3 = 0x3f03fff & 0x87654321, r4 = 0x00fffff & 0x13579bdf;
    uint32_t s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
    uint32_t h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 64; i++) {
            const uint32_t *m = block[i];
            h0 += m[0] & 0x3ffffff;
            h1 += (uint32_t)(((uint64_t)m[1] << 32 | m[0]) >> 26) & 0x3ffffff;
            h2 += (uint32_t)(((uint64_t)m[2] << 32 | m[1]) >> 20) & 0x3ffffff;
            h3 += (uint32_t)(((uint64_t)m[3] << 32 | m[2]) >> 14) & 0x3ffffff;
            h4 += m[3] >> 8 | 1 << 24;
            uint64_t d0 = (uint64_t)h0 * r0 + (uint64_t)h1 * s4 + (uint64_t)h2 * s3
                        + (uint64_t)h3 * s2 + (uint64_t)h4 * s1;
            uint64_t d1 = (uint64_t)h0 * r1 + (uint64_t)h1 * r0 + (uint64_t)h2 * s4
                        + (uint64_t)h3 * s3 + (uint64_t)h4 * s2;
            uint64_t d2 = (uint64_t)h0 * r2 + (uint64_t)h1 * r1 + (uint64_t)h2 * r0
                        + (uint64_t)h3 * s4 + (uint64_t)h4 * s3;
            uint64_t d3 = (uint64_t)h0 * r3 + (uint64_t)h1 * r2 + (uint64_t)h2 * r1
                        + (uint64_t)h3 * r0 + (uint64_t)h4 * s4;
            uint64_t d4 = (uint64_t)h0 * r4 + (uint64_t)h1 * r3 + (uint64_t)h2 * r2
                        + (uint64_t)h3 * r1 + (uint64_t)h4 * r0;
            uint64_t c = d0 >> 26; h0 = d0 & 0x3ffffff;
            d1 += c; c = d1 >> 26; h1 = d1 & 0x3ffffff;
            d2 += c; c = d2 >> 26; h2 = d2 & 0x3ffffff;
            d3 += c; c = d3 >> 26; h3 = d3 & 0x3ffffff;
            d4 += c; c = d4 >> 26; h4 = d4 & 0x3ffffff;
            h0 += (uint32_t)c * 5; h1 += h0 >> 26; h0 &= 0x3ffffff;
        }
        block[r & 63][0] ^= h0;
    }
    return h0 ^ (uint64_t)h1 << 13 ^ (uint64_t)h2 << 26 ^ (uint64_t)h4 << 38;
}
