// Products of matrices of 64-bit integers, the plain three loops: loads with a stride, multiplication and addition.

#include "kernel.h"

#define SIZE 80

static uint64_t left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

static void multiply(void) {
    for (int row = 0; row < SIZE; row++) {
        for (int column = 0; column < SIZE; column++) {
            uint64_t sum = 0;
            for (int k = 0; k < SIZE; k++) sum += left[row][k] * right[k][column];
            product[row][column] = sum;
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t state = 1, sum = 0;
    for (int row = 0; row < SIZE; row++) {
        for (int column = 0; column < SIZE; column++) {
            left[row][column] = next_random(&state);
            right[row][column] = next_random(&state);
        }
    }
    for (uint64_t round = 0; round < n; round++) {
        multiply();
        // The next product is another one.
        for (int i = 0; i < SIZE; i++) left[i][(i + round) % SIZE] += product[i][i];
        sum = sum * 31 + product[round % SIZE][(round / SIZE) % SIZE];
    }
    return sum;
}
