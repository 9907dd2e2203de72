// A search tree that is kept balanced (Adelson-Velsky and Landis).

#include "kernel.h"

struct node { struct node *left, *right; uint32_t key; int32_t height; };
static struct node nodes[2048];
static int used;

static int height(const struct node *node) { return node ? node->height : 0; }

static void measure(struct node *node) {
    int left = height(node->left), right = height(node->right);
    node->height = (left > right ? left : right) + 1;
}

static struct node *turn_right(struct node *top) {
    struct node *left = top->left;
    top->left = left->right;
    left->right = top;
    measure(top);
    measure(left);
    return left;
}

static struct node *turn_left(struct node *top) {
    struct node *right = top->right;
    top->right = right->left;
    right->left = top;
    measure(top);
    measure(right);
    return right;
}

static NOINLINE struct node *insert(struct node *node, uint32_t key) {
    if (!node) {
        nodes[used] = (struct node){0, 0, key, 1};
        return &nodes[used++];
    }
    if (key == node->key) return node;
    if (key < node->key) node->left = insert(node->left, key);
    else node->right = insert(node->right, key);
    measure(node);
    int balance = height(node->left) - height(node->right);
    if (balance > 1) {
        if (key > node->left->key) node->left = turn_left(node->left);
        return turn_right(node);
    }
    if (balance < -1) {
        if (key < node->right->key) node->right = turn_right(node->right);
        return turn_left(node);
    }
    return node;
}

static NOINLINE int depth_of(const struct node *node, uint32_t key) {
    int depth = 0;
    for (; node && node->key != key; depth++) node = key < node->key ? node->left : node->right;
    return node ? depth : -depth;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 11, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        struct node *root = 0;
        used = 0;
        for (int i = 0; i < 400; i++) root = insert(root, next_random(&seed) >> 20);
        for (int i = 0; i < 800; i++) sum += depth_of(root, next_random(&seed) >> 20);
        sum = sum * 5 + root->key;
    }
    return sum;
}
