// A treap: a search tree with random priorities, whose nodes are put in and taken out by splitting and joining.

#include "kernel.h"

struct node { struct node *left, *right; uint32_t key, priority; uint64_t value; };
static struct node pool[4096];

static NOINLINE void split(struct node *t, uint32_t key, struct node **l, struct node **r) {
    if (!t) { *l = *r = 0; return; }
    if (t->key < key) { split(t->right, key, &t->right, r); *l = t; }
    else { split(t->left, key, l, &t->left); *r = t; }
}
static NOINLINE struct node *join(struct node *l, struct node *r) {
    if (!l) return r;
    if (!r) return l;
    if (l->priority > r->priority) { l->right = join(l->right, r); return l; }
    r->left = join(l, r->left);
    return r;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 3, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        struct node *root = 0, *l, *m, *h;
        for (int i = 0; i < 2000; i++) {
            struct node *x = &pool[i];
            x->left = x->right = 0;
            x->key = next_random(&seed);
            x->priority = next_random(&seed);
            x->value = i;
            split(root, x->key, &l, &h);
            root = join(join(l, x), h);
        }
        for (int i = 0; i < 500; i++) {
            uint32_t low = next_random(&seed), high = low + (1u << 20);
            if (high < low) continue;
            split(root, low, &l, &h);
            split(h, high, &m, &h);
            for (struct node *x = m; x; x = x->right) sum = sum * 31 + x->value;
            root = join(l, h);
        }
    }
    return sum;
}
