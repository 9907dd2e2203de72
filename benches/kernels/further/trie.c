// A trie of nibbles: keys of 32 bits put in and looked up, nodes from a pool.

#include "kernel.h"

struct node { uint32_t child[16]; uint32_t value; };
static struct node pool[16384];
static uint32_t used;

static NOINLINE void insert(uint32_t key, uint32_t value) {
    uint32_t at = 0;
    for (int shift = 28; shift >= 8; shift -= 4) {
        uint32_t *slot = &pool[at].child[key >> shift & 15];
        if (!*slot) {
            if (used == 16384) return;
            *slot = used++;
        }
        at = *slot;
    }
    pool[at].value += value;
}
static NOINLINE uint32_t lookup(uint32_t key) {
    uint32_t at = 0;
    for (int shift = 28; shift >= 8; shift -= 4) {
        at = pool[at].child[key >> shift & 15];
        if (!at) return 0;
    }
    return pool[at].value;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 7, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (uint32_t i = 0; i < used; i++) {
            for (int k = 0; k < 16; k++) pool[i].child[k] = 0;
            pool[i].value = 0;
        }
        used = 1;
        for (int i = 0; i < 2000; i++) insert(next_random(&seed) & 0x0f0f3f00, i);
        for (int i = 0; i < 8000; i++) sum += lookup(next_random(&seed) & 0x0f0f3f00);
        sum = sum * 31 + used;
    }
    return sum;
}
