// Five bodies that attract one another, in numbers of double precision: additions and products, by functions where the guest has
// no instructions for them.

#include "kernel.h"

#define BODIES 5
#define STEP 0.01

typedef struct {
    double place[3], speed[3], mass;
} Body;

static Body bodies[BODIES];

// By Newton's method, as there is no library; far from exact for very small numbers.
static double square_root(double number) {
    double root = number > 1 ? number : 1;
    for (int round = 0; round < 6; round++) root = 0.5 * (root + number / root);
    return root;
}

static void attract(Body *one, Body *other) {
    double apart[3], square = 0;
    for (int axis = 0; axis < 3; axis++) {
        apart[axis] = one->place[axis] - other->place[axis];
        square += apart[axis] * apart[axis];
    }
    double force = STEP / (square * square_root(square));
    for (int axis = 0; axis < 3; axis++) {
        one->speed[axis] -= apart[axis] * other->mass * force;
        other->speed[axis] += apart[axis] * one->mass * force;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t state = 1, sum = 0;
    for (int body = 0; body < BODIES; body++) {
        for (int axis = 0; axis < 3; axis++) {
            bodies[body].place[axis] = (double)(next_random(&state) % 4096) / 128;
            bodies[body].speed[axis] = (double)(next_random(&state) % 512) / 256 - 1;
        }
        bodies[body].mass = body == 0 ? 40 : 0.04;
    }
    for (uint64_t round = 0; round < n; round++) {
        for (int one = 0; one < BODIES; one++) {
            for (int other = one + 1; other < BODIES; other++) attract(&bodies[one], &bodies[other]);
        }
        for (int body = 0; body < BODIES; body++) {
            for (int axis = 0; axis < 3; axis++) bodies[body].place[axis] += STEP * bodies[body].speed[axis];
        }
    }
    for (int body = 0; body < BODIES; body++) {
        for (int axis = 0; axis < 3; axis++) {
            uint64_t bits;
            __builtin_memcpy(&bits, &bodies[body].place[axis], sizeof bits);
            sum = sum * 31 + bits;
        }
    }
    return sum;
}
