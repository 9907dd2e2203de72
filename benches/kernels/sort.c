// Sorting numbers: quicksort with a median of three, recursive, insertion sort below a few elements. Branches that depend
// on data, loads and stores of 32 bits.

#include "kernel.h"

#define LENGTH 4096

static uint32_t values[LENGTH];

static inline void swap(uint32_t *a, uint32_t *b) {
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void insertion_sort(uint32_t *at, int64_t len) {
    for (int64_t i = 1; i < len; i++) {
        uint32_t value = at[i];
        int64_t j = i;
        for (; j > 0 && at[j - 1] > value; j--) at[j] = at[j - 1];
        at[j] = value;
    }
}

static void quicksort(uint32_t *at, int64_t len) {
    while (len > 12) {
        uint32_t *middle = at + len / 2, *last = at + len - 1;
        if (*middle < *at) swap(middle, at);
        if (*last < *middle) {
            swap(last, middle);
            if (*middle < *at) swap(middle, at);
        }
        uint32_t pivot = *middle;
        int64_t i = 0, j = len - 1;
        for (;;) {
            while (at[i] < pivot) i++;
            while (at[j] > pivot) j--;
            if (i >= j) break;
            swap(&at[i++], &at[j--]);
        }
        // The smaller part by recursion, so that the depth stays logarithmic.
        int64_t left = j + 1;
        if (left < len - left) {
            quicksort(at, left);
            at += left;
            len -= left;
        } else {
            quicksort(at + left, len - left);
            len = left;
        }
    }
    insertion_sort(at, len);
}

uint64_t kernel(uint64_t n) {
    uint64_t state = 1, sum = 0;
    for (uint64_t round = 0; round < n; round++) {
        for (int i = 0; i < LENGTH; i++) values[i] = next_random(&state);
        quicksort(values, LENGTH);
        uint64_t descents = 0;
        for (int i = 1; i < LENGTH; i++) descents += values[i - 1] > values[i];
        sum = sum * 31 + values[round % LENGTH] + (descents << 32);
    }
    return sum;
}
