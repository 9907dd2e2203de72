// Evaluates an expression as a tree, by recursion.

#include "kernel.h"

enum { NUMBER, VARIABLE, ADD, SUBTRACT, MULTIPLY, LESS, CHOOSE, BIND, PAIR };

struct node {
    int kind;
    int64_t number;
    struct node *first, *second;
};
static struct node nodes[4096];
static int used;

static struct node *leaf(int kind, int64_t number) {
    nodes[used] = (struct node){kind, number, 0, 0};
    return &nodes[used++];
}

static struct node *inner(int kind, struct node *first, struct node *second) {
    nodes[used] = (struct node){kind, 0, first, second};
    return &nodes[used++];
}

static NOINLINE int64_t eval(const struct node *node, const int64_t *variables) {
    switch (node->kind) {
        case NUMBER: return node->number;
        case VARIABLE: return variables[node->number];
        case ADD: return eval(node->first, variables) + eval(node->second, variables);
        case SUBTRACT: return eval(node->first, variables) - eval(node->second, variables);
        case MULTIPLY: return eval(node->first, variables) * eval(node->second, variables);
        case LESS: return eval(node->first, variables) < eval(node->second, variables);
        case CHOOSE:
            return eval(eval(node->first, variables) ? node->second->first : node->second->second, variables);
        default: {
            int64_t inner[8];
            for (int i = 0; i < 7; i++) inner[i + 1] = variables[i];
            inner[0] = eval(node->first, variables);
            return eval(node->second, inner);
        }
    }
}

static NOINLINE struct node *grow(uint64_t *seed, int depth) {
    uint32_t x = next_random(seed);
    if (!depth) return x & 1 ? leaf(NUMBER, x >> 8 & 255) : leaf(VARIABLE, x >> 8 & 7);
    int kind = ADD + x % 6;
    struct node *first = grow(seed, depth - 1), *second = grow(seed, depth - 1);
    return inner(kind, first, kind == CHOOSE ? inner(PAIR, second, grow(seed, depth - 1)) : second);
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 1, sum = 0;
    used = 0;
    struct node *root = grow(&seed, 7);
    for (uint64_t r = 0; r < n; r++) {
        int64_t variables[8];
        for (int i = 0; i < 8; i++) variables[i] = r * (i + 3) + i;
        sum = sum * 7 + eval(root, variables);
    }
    return sum;
}
