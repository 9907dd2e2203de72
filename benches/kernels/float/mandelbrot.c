// How soon points of a plane leave the Mandelbrot set, in numbers of single precision: small loops of products, sums and a
// comparison.

#include "kernel.h"

#define SIDE 16
#define MOST 50

static int rounds(float across, float up) {
    float real = 0, imaginary = 0;
    int round = 0;
    while (round < MOST && real * real + imaginary * imaginary < 4.0f) {
        float next = real * real - imaginary * imaginary + across;
        imaginary = 2 * real * imaginary + up;
        real = next;
        round++;
    }
    return round;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t picture = 0; picture < n; picture++) {
        float shift = (float)(picture % 64) / 1024.0f;
        for (int row = 0; row < SIDE; row++) {
            for (int column = 0; column < SIDE; column++) {
                sum = sum * 3 + (uint64_t)rounds((float)column / 8.0f - 1.5f + shift, (float)row / 8.0f - 1.0f);
            }
        }
    }
    return sum;
}
