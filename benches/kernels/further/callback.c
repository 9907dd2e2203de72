// A heap sort that calls what compares by its address, one of three functions.

#include "kernel.h"

struct record { uint32_t key, id; };
typedef int compare(const struct record *, const struct record *);
static struct record records[512];

static NOINLINE int by_key(const struct record *a, const struct record *b) {
    return a->key < b->key ? -1 : a->key > b->key;
}

static NOINLINE int by_id(const struct record *a, const struct record *b) {
    return a->id < b->id ? -1 : a->id > b->id;
}

static NOINLINE int by_both(const struct record *a, const struct record *b) {
    uint32_t x = a->key * 77 ^ a->id, y = b->key * 77 ^ b->id;
    return x < y ? -1 : x > y;
}

// Volatile, so that compilers do not make a function for each.
static compare *volatile compares[3] = {by_key, by_id, by_both};

static void swap(struct record *a, struct record *b) {
    struct record t = *a;
    *a = *b;
    *b = t;
}

static void sink(struct record *heap, int at, int count, compare *compare) {
    for (int child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(&heap[child], &heap[child + 1]) < 0) child++;
        if (compare(&heap[at], &heap[child]) >= 0) return;
        swap(&heap[at], &heap[child]);
    }
}

static NOINLINE void heap_sort(struct record *heap, int count, compare *compare) {
    for (int at = count / 2 - 1; at >= 0; at--) sink(heap, at, count, compare);
    for (int end = count - 1; end > 0; end--) {
        swap(&heap[0], &heap[end]);
        sink(heap, 0, end, compare);
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 7, sum = 0;
    for (uint32_t i = 0; i < 512; i++) records[i] = (struct record){next_random(&seed) >> 8, i};
    for (uint64_t r = 0; r < n; r++) {
        heap_sort(records, 512, compares[r % 3]);
        sum = sum * 3 + records[r % 512].key;
    }
    return sum;
}
