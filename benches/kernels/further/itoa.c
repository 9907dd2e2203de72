// Numbers to digits and back: divisions by ten, short loops of a length that nobody foresees.

#include "kernel.h"

static char digits[64];

static NOINLINE int write_number(uint64_t value, char *out) {
    char reversed[24];
    int count = 0;
    do {
        reversed[count++] = '0' + value % 10;
        value /= 10;
    } while (value);
    for (int i = 0; i < count; i++) out[i] = reversed[count - 1 - i];
    return count;
}

static NOINLINE uint64_t read_number(const char *from, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count && from[i] >= '0' && from[i] <= '9'; i++) value = value * 10 + (from[i] - '0');
    return value;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t value = ((uint64_t)next_random(&random) << 20) ^ next_random(&random);
        value >>= next_random(&random) % 48;
        int count = write_number(value, digits);
        sum += read_number(digits, count) * count;
    }
    return sum;
}
