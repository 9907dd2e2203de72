// The permutation of a hash: twenty-five words of 64 bits in memory, rotated by amounts from a table.

#include "kernel.h"

#define RL(a, b) (((a) << (b)) | ((a) >> (64 - (b))))
static const uint64_t RC[24] = {1,
                                0x8082,
                                0x800000000000808aull,
                                0x8000000080008000ull,
                                0x808b,
                                0x80000001,
                                0x8000000080008081ull,
                                0x8000000000008009ull,
                                0x8a,
                                0x88,
                                0x80008009,
                                0x8000000a,
                                0x8000808b,
                                0x800000000000008bull,
                                0x8000000000008089ull,
                                0x8000000000008003ull,
                                0x8000000000008002ull,
                                0x8000000000000080ull,
                                0x800a,
                                0x800000008000000aull,
                                0x8000000080008081ull,
                                0x8000000000008080ull,
                                0x80000001,
                                0x8000000080008008ull};
static const int rot[24] = {1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44};
static const int pil[24] = {10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1};
static uint64_t st[25];

static NOINLINE void f(void) {
    uint64_t bc[5], t;
    for (int r = 0; r < 24; r++) {
        for (int i = 0; i < 5; i++) bc[i] = st[i] ^ st[i + 5] ^ st[i + 10] ^ st[i + 15] ^ st[i + 20];
        for (int i = 0; i < 5; i++) {
            t = bc[(i + 4) % 5] ^ RL(bc[(i + 1) % 5], 1);
            for (int j = 0; j < 25; j += 5) st[j + i] ^= t;
        }
        t = st[1];
        for (int i = 0; i < 24; i++) {
            int j = pil[i];
            bc[0] = st[j];
            st[j] = RL(t, rot[i]);
            t = bc[0];
        }
        for (int j = 0; j < 25; j += 5) {
            for (int i = 0; i < 5; i++) bc[i] = st[j + i];
            for (int i = 0; i < 5; i++) st[j + i] ^= (~bc[(i + 1) % 5]) & bc[(i + 2) % 5];
        }
        st[0] ^= RC[r];
    }
}

uint64_t kernel(uint64_t n) {
    for (int i = 0; i < 25; i++) st[i] = i;
    for (uint64_t r = 0; r < n; r++) f();
    uint64_t s = 0;
    for (int i = 0; i < 25; i++) s = s * 31 + st[i];
    return s;
}
