// Insertion sort and selection sort of 128 numbers: the second keeps the index of the least so far, not its value.

#include "kernel.h"

#define LENGTH 128

static int32_t a[LENGTH];

static uint64_t sum_of(uint64_t sum) {
    for (int i = 0; i < LENGTH; i++) sum = sum * 31 + a[i];
    return sum;
}

static void fill(uint64_t *seed) {
    for (int i = 0; i < LENGTH; i++) a[i] = next_random(seed);
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 23, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        fill(&seed);
        for (int i = 1; i < LENGTH; i++) {
            int32_t x = a[i];
            int j = i;
            while (j > 0 && a[j - 1] > x) a[j] = a[j - 1], j--;
            a[j] = x;
        }
        sum = sum_of(sum);
        fill(&seed);
        for (int i = 0; i < LENGTH - 1; i++) {
            int least = i;
            for (int j = i + 1; j < LENGTH; j++)
                if (a[j] < a[least]) least = j;
            int32_t t = a[i];
            a[i] = a[least];
            a[least] = t;
        }
        sum = sum_of(sum);
    }
    return sum;
}
