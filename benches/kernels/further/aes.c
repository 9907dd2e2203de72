// Rounds of a block cipher by tables: each step looks up sixteen words by bytes of the last one.

#include "kernel.h"

static uint32_t T0[256], T1[256], T2[256], T3[256], rk[44];

uint64_t kernel(uint64_t n) {
    uint64_t s = 7;
    for (int i = 0; i < 256; i++) {
        T0[i] = next_random(&s);
        T1[i] = next_random(&s);
        T2[i] = next_random(&s);
        T3[i] = next_random(&s);
    }
    for (int i = 0; i < 44; i++) rk[i] = next_random(&s);
    uint32_t a = 1, b = 2, c = 3, d = 4;
    for (uint64_t r = 0; r < n; r++) {
        for (int k = 0; k < 40; k += 4) {
            uint32_t w = T0[a >> 24] ^ T1[b >> 16 & 255] ^ T2[c >> 8 & 255] ^ T3[d & 255] ^ rk[k],
                     x = T0[b >> 24] ^ T1[c >> 16 & 255] ^ T2[d >> 8 & 255] ^ T3[a & 255] ^ rk[k + 1],
                     y = T0[c >> 24] ^ T1[d >> 16 & 255] ^ T2[a >> 8 & 255] ^ T3[b & 255] ^ rk[k + 2],
                     z = T0[d >> 24] ^ T1[a >> 16 & 255] ^ T2[b >> 8 & 255] ^ T3[c & 255] ^ rk[k + 3];
            a = w;
            b = x;
            c = y;
            d = z;
        }
        a += r;
    }
    return ((uint64_t)a << 32 | b) ^ ((uint64_t)c << 32 | d);
}
