// A cache that drops what was used least recently: a hash table whose entries are in a list, by indices.

#include "kernel.h"

#define ENTRIES 256

struct entry { uint32_t key, value; int before, behind, chain; };
static struct entry entries[ENTRIES + 1];
static int heads[128], used;

static int *head_of(uint32_t key) { return &heads[key * 2654435761u >> 25]; }

static void take_out(int i) {
    entries[entries[i].before].behind = entries[i].behind;
    entries[entries[i].behind].before = entries[i].before;
}

static void put_first(int i) {
    entries[i].behind = entries[0].behind;
    entries[i].before = 0;
    entries[entries[0].behind].before = i;
    entries[0].behind = i;
}

static NOINLINE uint32_t get(uint32_t key) {
    int i;
    for (i = *head_of(key); i; i = entries[i].chain)
        if (entries[i].key == key) {
            take_out(i);
            put_first(i);
            return entries[i].value;
        }
    if (used < ENTRIES) {
        i = ++used;
    } else {
        i = entries[0].before;
        take_out(i);
        int *link = head_of(entries[i].key);
        while (*link != i) link = &entries[*link].chain;
        *link = entries[i].chain;
    }
    entries[i].key = key;
    entries[i].value = key * key;
    entries[i].chain = *head_of(key);
    *head_of(key) = i;
    put_first(i);
    return ~entries[i].value;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 12, sum = 0;
    used = entries[0].before = entries[0].behind = 0;
    for (int i = 0; i < 128; i++) heads[i] = 0;
    for (uint64_t r = 0; r < n * 64; r++) {
        uint32_t x = next_random(&seed);
        sum = sum * 31 + get((x & 255) + (x >> 8 & 127));
    }
    return sum;
}
