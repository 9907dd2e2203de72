// Decoding of a prefix code: a bit buffer, and a table that says how many bits a symbol takes.

#include "kernel.h"

static uint16_t tab[512];
static uint8_t in[2048];

uint64_t kernel(uint64_t n) {
    uint64_t s = 3, sum = 0;
    for (int i = 0; i < 512; i++) {
        int l = i < 256 ? 2 : i < 384 ? 3 : i < 448 ? 4 : i < 480 ? 6 : 9;
        tab[i] = (i * 7 & 255) << 4 | l;
    }
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 2048; i++) in[i] = next_random(&s) >> 3;
        uint64_t acc = 0;
        int bits = 0, p = 0;
        uint64_t h = 0;
        while (p < 2040) {
            while (bits <= 32) {
                acc = acc << 8 | in[p++];
                bits += 8;
            }
            uint16_t e = tab[(acc >> (bits - 9)) & 511];
            bits -= e & 15;
            h = h * 33 + (e >> 4);
        }
        sum ^= h;
    }
    return sum;
}
