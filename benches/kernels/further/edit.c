// The edit distance of two strings: a row of a table, the least of three numbers for each element.

#include "kernel.h"

static uint8_t a[256], b[256];
static int row[257];

static int mn(int a, int b) { return a < b ? a : b; }

uint64_t kernel(uint64_t n) {
    uint64_t s = 7, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 256; i++) a[i] = next_random(&s) & 3, b[i] = next_random(&s) & 3;
        for (int j = 0; j <= 256; j++) row[j] = j;
        for (int i = 1; i <= 256; i++) {
            int prev = row[0];
            row[0] = i;
            for (int j = 1; j <= 256; j++) {
                int t = row[j];
                row[j] = mn(mn(row[j], row[j - 1]) + 1, prev + (a[i - 1] != b[j - 1]));
                prev = t;
            }
        }
        sum = sum * 31 + row[256];
    }
    return sum;
}
