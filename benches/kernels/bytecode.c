// An interpreter for a small register machine: one switch in a loop, hardly predictable jumps, loads of operands.
//
// The program that it runs measures Collatz sequences.

#include "kernel.h"

enum { LOAD, MOVE, ADD, ADD_IMM, SHIFT_RIGHT, AND_IMM, MUL_IMM, XOR, STORE, FETCH, JUMP, JUMP_ZERO, JUMP_LESS, HALT };

// An instruction: operation, two registers, an immediate or a target.
typedef struct {
    uint8_t operation, a, b;
    int32_t immediate;
} instruction;

// Registers: 0 the start of the sequence, 1 its current number, 2 its length, 3 scratch, 4 the sum, 5 the end.
static const instruction program[] = {
    /*  0 */ {MOVE, 1, 0, 0},
    /*  1 */ {LOAD, 2, 0, 0},
    /*  2 */ {MOVE, 3, 1, 0},
    /*  3 */ {ADD_IMM, 3, 0, -1},
    /*  4 */ {JUMP_ZERO, 3, 0, 13},
    /*  5 */ {ADD_IMM, 2, 0, 1},
    /*  6 */ {MOVE, 3, 1, 0},
    /*  7 */ {AND_IMM, 3, 0, 1},
    /*  8 */ {JUMP_ZERO, 3, 0, 11},
    /*  9 */ {MUL_IMM, 1, 0, 3},
    /* 10 */ {ADD_IMM, 1, 0, 1},
    /* 11 */ {SHIFT_RIGHT, 1, 0, 1},
    /* 12 */ {JUMP, 0, 0, 2},
    /* 13 */ {FETCH, 3, 0, 0},
    /* 14 */ {XOR, 3, 2, 0},
    /* 15 */ {STORE, 3, 0, 0},
    /* 16 */ {ADD, 4, 3, 0},
    /* 17 */ {ADD_IMM, 0, 0, 1},
    /* 18 */ {JUMP_LESS, 0, 5, 0},
    /* 19 */ {HALT, 0, 0, 0},
};

static uint64_t cells[256];

static NOINLINE uint64_t interpret(const instruction *code, uint64_t registers[8]) {
    uint64_t pc = 0;
    for (;;) {
        const instruction *at = &code[pc++];
        uint64_t *a = &registers[at->a];
        uint64_t b = registers[at->b];
        switch (at->operation) {
        case LOAD: *a = (uint64_t)(int64_t)at->immediate; break;
        case MOVE: *a = b; break;
        case ADD: *a += b; break;
        case ADD_IMM: *a += (uint64_t)(int64_t)at->immediate; break;
        case SHIFT_RIGHT: *a >>= at->immediate & 63; break;
        case AND_IMM: *a &= (uint64_t)(int64_t)at->immediate; break;
        case MUL_IMM: *a *= (uint64_t)(int64_t)at->immediate; break;
        case XOR: *a ^= b; break;
        case STORE: cells[b & 255] = *a; break;
        case FETCH: *a = cells[b & 255]; break;
        case JUMP: pc = (uint64_t)at->immediate; break;
        case JUMP_ZERO: if (*a == 0) pc = (uint64_t)at->immediate; break;
        case JUMP_LESS: if (*a < b) pc = (uint64_t)at->immediate; break;
        default: return registers[4];
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    for (int i = 0; i < 256; i++) cells[i] = (uint64_t)i * 7;
    for (uint64_t round = 0; round < n; round++) {
        uint64_t start = 1 + (round & 63);
        uint64_t registers[8] = {start, 0, 0, 0, 0, start + 64};
        sum = sum * 31 + interpret(program, registers);
    }
    return sum;
}
