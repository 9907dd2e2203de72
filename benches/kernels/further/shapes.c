// Objects of three kinds, with tables of functions.

#include "kernel.h"

struct shape;
struct kind {
    int64_t (*area)(const struct shape *);
    void (*grow)(struct shape *, int64_t);
    int64_t (*edge)(const struct shape *);
};
struct shape { const struct kind *kind; int64_t x, y, z; };

static NOINLINE int64_t area_of_box(const struct shape *s) { return s->x * s->y; }
static NOINLINE void grow_box(struct shape *s, int64_t by) {
    s->x += by;
    s->y ^= by;
}
static NOINLINE int64_t edge_of_box(const struct shape *s) { return 2 * (s->x + s->y); }

static NOINLINE int64_t area_of_disk(const struct shape *s) { return 3 * s->x * s->x; }
static NOINLINE void grow_disk(struct shape *s, int64_t by) { s->x = (s->x + by) & 1023; }
static NOINLINE int64_t edge_of_disk(const struct shape *s) { return 6 * s->x; }

static NOINLINE int64_t area_of_triangle(const struct shape *s) { return s->x * s->y / 2; }
static NOINLINE void grow_triangle(struct shape *s, int64_t by) {
    s->z -= by;
    s->x += s->z & 3;
}
static NOINLINE int64_t edge_of_triangle(const struct shape *s) { return s->x + s->y + s->z; }

static const struct kind kinds[3] = {{area_of_box, grow_box, edge_of_box},
                                     {area_of_disk, grow_disk, edge_of_disk},
                                     {area_of_triangle, grow_triangle, edge_of_triangle}};
static struct shape shapes[256];

uint64_t kernel(uint64_t n) {
    uint64_t seed = 3;
    for (int i = 0; i < 256; i++) {
        uint32_t x = next_random(&seed);
        shapes[i] = (struct shape){&kinds[x % 3], x & 255, x >> 8 & 255, x >> 16 & 255};
    }
    int64_t sum = 0;
    for (uint64_t r = 0; r < n; r++)
        for (int i = 0; i < 256; i++) {
            struct shape *s = &shapes[i];
            sum += s->kind->area(s);
            s->kind->grow(s, sum & 7);
            sum ^= s->kind->edge(s);
        }
    return sum;
}
