// A binary search tree: nodes that are inserted and looked up.

#include "kernel.h"

typedef struct node {
    struct node *l, *r;
    uint32_t k;
} node;

static node pool[4096];

static NOINLINE node *insert(node *t, node *x) {
    if (!t) return x;
    if (x->k < t->k) t->l = insert(t->l, x);
    else t->r = insert(t->r, x);
    return t;
}

static NOINLINE uint64_t walk(node *t, uint64_t d) {
    if (!t) return d;
    return walk(t->l, d + 1) * 3 + t->k + walk(t->r, d + 1);
}

uint64_t kernel(uint64_t n) {
    uint64_t s = 5, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        node *root = 0;
        for (int i = 0; i < 500; i++) {
            node *x = &pool[i];
            x->l = x->r = 0;
            x->k = next_random(&s);
            root = insert(root, x);
        }
        sum = sum * 31 + walk(root, 0);
    }
    return sum;
}
