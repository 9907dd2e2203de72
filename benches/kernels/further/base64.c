// Bytes to base64 and back: tables of bytes, shifts and masks.

#include "kernel.h"

static uint8_t in[3072], mid[4096], out[3072];
static int8_t dec[256];
static const char T[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint64_t kernel(uint64_t n) {
    uint64_t s = 7, sum = 0;
    for (int i = 0; i < 3072; i++) in[i] = next_random(&s);
    for (int i = 0; i < 64; i++) dec[(uint8_t)T[i]] = i;
    for (uint64_t r = 0; r < n; r++) {
        int o = 0;
        for (int i = 0; i < 3072; i += 3) {
            uint32_t v = in[i] << 16 | in[i + 1] << 8 | in[i + 2];
            mid[o++] = T[v >> 18];
            mid[o++] = T[v >> 12 & 63];
            mid[o++] = T[v >> 6 & 63];
            mid[o++] = T[v & 63];
        }
        int p = 0;
        for (int i = 0; i < o; i += 4) {
            uint32_t v = dec[mid[i]] << 18 | dec[mid[i + 1]] << 12 | dec[mid[i + 2]] << 6 | dec[mid[i + 3]];
            out[p++] = v >> 16;
            out[p++] = v >> 8;
            out[p++] = v;
        }
        for (int i = 0; i < p; i++) sum = sum * 31 + out[i];
        in[r % 3072]++;
    }
    return sum;
}
