// Twelve linear equations solved by elimination, with the greatest pivot, in numbers of double precision: divisions and comparisons, too.

#include "kernel.h"

#define SIZE 12

static double rows[SIZE][SIZE + 1];

static double magnitude(double number) { return number < 0 ? -number : number; }

static void eliminate(void) {
    for (int column = 0; column < SIZE; column++) {
        int pivot = column;
        for (int row = column + 1; row < SIZE; row++) {
            if (magnitude(rows[row][column]) > magnitude(rows[pivot][column])) pivot = row;
        }
        for (int at = 0; at <= SIZE; at++) {
            double value = rows[column][at];
            rows[column][at] = rows[pivot][at];
            rows[pivot][at] = value;
        }
        for (int row = column + 1; row < SIZE; row++) {
            double factor = rows[row][column] / rows[column][column];
            for (int at = column; at <= SIZE; at++) rows[row][at] -= factor * rows[column][at];
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t state = 1, sum = 0;
    for (uint64_t round = 0; round < n; round++) {
        for (int row = 0; row < SIZE; row++) {
            for (int at = 0; at <= SIZE; at++) rows[row][at] = (double)(next_random(&state) & 255) + (row == at ? 512 : 0);
        }
        eliminate();
        double last = rows[SIZE - 1][SIZE] / rows[SIZE - 1][SIZE - 1];
        sum = sum * 31 + (uint64_t)(int64_t)(last * 1000000);
    }
    return sum;
}
