// A compressor: a table of where three bytes were seen last, and matches that are compared byte by byte. Input anew
// each round.

#include "kernel.h"

static uint8_t in[8192], out[16384];
static uint16_t head[1024];

uint64_t kernel(uint64_t n) {
    uint64_t s = 5, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 8192; i++) in[i] = (next_random(&s) & 7) * (next_random(&s) & 3);
        for (int i = 0; i < 1024; i++) head[i] = 0;
        int o = 0, i = 0;
        while (i < 8192 - 4) {
            uint32_t v = in[i] | in[i + 1] << 8 | in[i + 2] << 16;
            uint32_t h = (v * 2654435761u) >> 22;
            int c = head[h];
            head[h] = i;
            int len = 0;
            if (c && c < i) {
                while (len < 255 && i + len < 8192 && in[c + len] == in[i + len]) len++;
            }
            if (len > 3) {
                out[o++] = 0;
                out[o++] = (i - c);
                out[o++] = (i - c) >> 8;
                out[o++] = len;
                i += len;
            } else {
                out[o++] = in[i++];
            }
        }
        for (int k = 0; k < o; k++) sum = sum * 33 + out[k];
        in[r & 8191] += 3;
    }
    return sum;
}
