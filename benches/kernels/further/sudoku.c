// A sudoku, solved by trying: recursion and sets of bits.

#include "kernel.h"

static const char puzzle[] = "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
static uint8_t grid[81];
static uint16_t rows[9], columns[9], boxes[9];
static uint64_t tried;

static int box(int at) { return at / 27 * 3 + at % 9 / 3; }

static int solve(int at) {
    tried++;
    while (at < 81 && grid[at]) at++;
    if (at == 81) return 1;
    uint16_t *row = &rows[at / 9], *column = &columns[at % 9], *in_box = &boxes[box(at)];
    uint16_t left = ~(*row | *column | *in_box) & 0x1ff;
    while (left) {
        uint16_t bit = left & -left;
        left ^= bit;
        *row |= bit;
        *column |= bit;
        *in_box |= bit;
        grid[at] = __builtin_ctz(bit) + 1;
        if (solve(at + 1)) return 1;
        *row ^= bit;
        *column ^= bit;
        *in_box ^= bit;
        grid[at] = 0;
    }
    return 0;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        tried = 0;
        for (int i = 0; i < 9; i++) rows[i] = columns[i] = boxes[i] = 0;
        for (int i = 0; i < 81; i++) {
            grid[i] = puzzle[i] - '0';
            if (!grid[i]) continue;
            uint16_t bit = 1 << (grid[i] - 1);
            rows[i / 9] |= bit;
            columns[i % 9] |= bit;
            boxes[box(i)] |= bit;
        }
        sum += solve(0) + tried * 31 + grid[40];
        sum = sum * 7 + r;
    }
    return sum;
}
