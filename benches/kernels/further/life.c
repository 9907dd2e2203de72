// A cellular automaton: neighbours of each cell of a grid are counted.

#include "kernel.h"

#define W 64
static uint8_t g[W * W], h[W * W];

uint64_t kernel(uint64_t n) {
    uint64_t s = 5, sum = 0;
    for (int i = 0; i < W * W; i++) g[i] = next_random(&s) & 1;
    for (uint64_t r = 0; r < n; r++) {
        for (int y = 0; y < W; y++)
            for (int x = 0; x < W; x++) {
                int c = 0;
                for (int dy = -1; dy <= 1; dy++)
                    for (int dx = -1; dx <= 1; dx++)
                        if (dx | dy) c += g[((y + dy) & 63) * W + ((x + dx) & 63)];
                h[y * W + x] = c == 3 || (c == 2 && g[y * W + x]);
            }
        for (int i = 0; i < W * W; i++) {
            g[i] = h[i];
            sum = sum * 3 + g[i];
        }
        if ((r & 15) == 0)
            for (int i = 0; i < 64; i++) g[next_random(&s) & 4095] ^= 1;
    }
    return sum;
}
