// A picture of brightness and two differences of colour becomes one of red, green and blue, point after point.

#include "kernel.h"

#define POINTS 1024

static uint8_t bright[POINTS], blue[POINTS], red[POINTS], picture[3 * POINTS];

static inline uint8_t byte(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

static NOINLINE void convert(void) {
    for (int i = 0; i < POINTS; i++) {
        int y = 298 * (bright[i] - 16) + 128, u = blue[i] - 128, v = red[i] - 128;
        picture[3 * i] = byte((y + 409 * v) >> 8);
        picture[3 * i + 1] = byte((y - 100 * u - 208 * v) >> 8);
        picture[3 * i + 2] = byte((y + 516 * u) >> 8);
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < POINTS; i++) {
        bright[i] = next_random(&random);
        blue[i] = next_random(&random);
        red[i] = next_random(&random);
    }
    for (uint64_t i = 0; i < n; i++) {
        convert();
        sum = sum * 31 + picture[i * 5 % (3 * POINTS)];
        bright[i * 7 % POINTS] ^= sum;
    }
    return sum;
}
