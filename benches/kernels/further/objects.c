// Objects of four classes, whose methods are called by tables of functions.

#include "kernel.h"

#define COUNT 256

typedef struct object object;

typedef struct {
    int64_t (*area)(const object *);
    void (*grow)(object *, int32_t);
    int64_t (*edge)(const object *);
} class;

struct object {
    const class *class;
    int32_t a, b, c;
};

static int64_t rectangle_area(const object *o) { return (int64_t)o->a * o->b; }
static int64_t circle_area(const object *o) { return (int64_t)o->a * o->a * 3; }
static int64_t triangle_area(const object *o) { return (int64_t)o->a * o->b >> 1; }
static int64_t no_area(const object *o) { return o->a + o->b + o->c; }

static void become_wide(object *o, int32_t by) { o->a += by, o->b -= by; }
static void flip(object *o, int32_t by) { o->a ^= by; }
static void stretch(object *o, int32_t by) { o->c = (int32_t)((uint32_t)o->c + (uint32_t)by * (uint32_t)o->a); }

static int64_t rectangle_edge(const object *o) { return 2 * ((int64_t)o->a + o->b); }
static int64_t circle_edge(const object *o) { return (int64_t)o->a * 6; }
static int64_t sum_of_edges(const object *o) { return (int64_t)o->a + o->b + o->c; }

static const class CLASSES[4] = {
    {rectangle_area, become_wide, rectangle_edge},
    {circle_area, flip, circle_edge},
    {triangle_area, stretch, sum_of_edges},
    {no_area, become_wide, sum_of_edges},
};

static object objects[COUNT];

static NOINLINE uint64_t visit(int32_t by) {
    uint64_t total = 0;
    for (int i = 0; i < COUNT; i++) {
        object *o = &objects[i];
        total += o->class->area(o);
        o->class->grow(o, by);
        total ^= o->class->edge(o);
    }
    return total;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        object *o = &objects[i];
        o->class = &CLASSES[next_random(&random) >> 30];
        o->a = next_random(&random) >> 20;
        o->b = next_random(&random) >> 20;
        o->c = next_random(&random) >> 20;
    }
    // As much to one side as to the other, so that nothing overflows.
    for (uint64_t i = 0; i < n; i++) sum = sum * 31 + visit(i & 1 ? 7 : -7);
    return sum;
}
