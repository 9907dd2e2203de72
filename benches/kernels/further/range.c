// An adaptive range coder for bits, there and back.

#include "kernel.h"

#define COUNT 1024
#define HALF 1024

static uint8_t source[COUNT], coded[8192];
static uint16_t chances[256];
static uint32_t low, width, code;
static int at;

static NOINLINE void encode(uint16_t *chance, int bit) {
    uint32_t bound = (width >> 11) * *chance;
    if (!bit) {
        width = bound;
        *chance += (2 * HALF - *chance) >> 5;
    } else {
        low += bound;
        width -= bound;
        *chance -= *chance >> 5;
        if (low < bound)
            for (int i = at - 1; i >= 0 && ++coded[i] == 0; i--) {}
    }
    for (; width < 1u << 24; width <<= 8, low <<= 8) coded[at++] = low >> 24;
}

static NOINLINE int decode(uint16_t *chance) {
    uint32_t bound = (width >> 11) * *chance;
    int bit = code >= bound;
    if (!bit) {
        width = bound;
        *chance += (2 * HALF - *chance) >> 5;
    } else {
        code -= bound;
        width -= bound;
        *chance -= *chance >> 5;
    }
    for (; width < 1u << 24; width <<= 8) code = code << 8 | coded[at++];
    return bit;
}

static void begin(void) {
    for (int i = 0; i < 256; i++) chances[i] = HALF;
    low = code = at = 0;
    width = ~0u;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 2, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < COUNT; i++) {
            uint32_t x = next_random(&seed);
            source[i] = (x & 15) * (x >> 4 & 7) + 32;
        }
        begin();
        for (int i = 0; i < COUNT; i++)
            for (int j = 7, context = 1; j >= 0; j--) {
                int bit = source[i] >> j & 1;
                encode(&chances[context], bit);
                context = context << 1 | bit;
            }
        for (int i = 0; i < 4; i++, low <<= 8) coded[at++] = low >> 24;
        sum = sum * 31 + at;
        begin();
        while (at < 4) code = code << 8 | coded[at++];
        for (int i = 0; i < COUNT; i++) {
            int context = 1;
            for (int j = 0; j < 8; j++) context = context << 1 | decode(&chances[context]);
            sum += (uint8_t)context == source[i];
        }
    }
    return sum;
}
