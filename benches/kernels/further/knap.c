// The knapsack problem by dynamic programming, with the choice kept.

#include "kernel.h"

#define ITEMS 40
#define SIZE 500
static int32_t best[ITEMS + 1][SIZE + 1];
static int32_t weight[ITEMS], value[ITEMS];

uint64_t kernel(uint64_t n) {
    uint64_t seed = 11, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < ITEMS; i++) weight[i] = 1 + next_random(&seed) % 60, value[i] = next_random(&seed) % 1000;
        for (int i = 1; i <= ITEMS; i++)
            for (int w = 0; w <= SIZE; w++) {
                int32_t skip = best[i - 1][w];
                int32_t take = weight[i - 1] <= w ? best[i - 1][w - weight[i - 1]] + value[i - 1] : 0;
                best[i][w] = skip > take ? skip : take;
            }
        int w = SIZE;
        for (int i = ITEMS; i > 0; i--)
            if (best[i][w] != best[i - 1][w]) sum += i, w -= weight[i - 1];
        sum = sum * 31 + best[ITEMS][SIZE];
    }
    return sum;
}
