// A picture blurred by five times five weights. Native code does it with vectors.

#include "kernel.h"

#define SIDE 64
#define REACH 2

static const int32_t WEIGHTS[5][5] = {
    {1, 4, 6, 4, 1}, {4, 16, 24, 16, 4}, {6, 24, 36, 24, 6}, {4, 16, 24, 16, 4}, {1, 4, 6, 4, 1},
};

static int32_t image[SIDE][SIDE], blurred[SIDE][SIDE];

static NOINLINE void blur(void) {
    for (int y = REACH; y < SIDE - REACH; y++) {
        for (int x = REACH; x < SIDE - REACH; x++) {
            int32_t sum = 0;
            for (int down = -REACH; down <= REACH; down++)
                for (int across = -REACH; across <= REACH; across++)
                    sum += image[y + down][x + across] * WEIGHTS[down + REACH][across + REACH];
            blurred[y][x] = sum >> 8;
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            image[y][x] = next_random(&random) >> 20;
            blurred[y][x] = 0;
        }
    }
    for (uint64_t i = 0; i < n; i++) {
        blur();
        int32_t *changed = &image[i * 37 % SIDE][i * 5 % SIDE];
        *changed = (*changed + blurred[i * 91 % SIDE][i * 3 % SIDE]) & 0xfff;
        sum = sum * 31 + (uint32_t)blurred[i * 17 % SIDE][i * 7 % SIDE];
    }
    return sum;
}
