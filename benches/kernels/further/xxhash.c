// A hash of 64 bits, of four lanes: words at addresses that the compiler for PVM reads byte by byte.

#include "kernel.h"

#define P1 0x9e3779b185ebca87u
#define P2 0xc2b2ae3d27d4eb4fu
#define P3 0x165667b19e3779f9u
#define P4 0x85ebca77c2b2ae63u
#define P5 0x27d4eb2f165667c5u

static uint8_t data[1024];

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

static uint64_t read64(const uint8_t *at) {
    uint64_t value;
    __builtin_memcpy(&value, at, 8);
    return value;
}

static uint64_t mix(uint64_t lane, uint64_t word) { return rotl(lane + word * P2, 31) * P1; }

static NOINLINE uint64_t hash(const uint8_t *at, size_t len, uint64_t seed) {
    const uint8_t *end = at + len;
    uint64_t h = seed + P5;
    if (len >= 32) {
        uint64_t lanes[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
        for (; at + 32 <= end; at += 32)
            for (int i = 0; i < 4; i++) lanes[i] = mix(lanes[i], read64(at + 8 * i));
        h = rotl(lanes[0], 1) + rotl(lanes[1], 7) + rotl(lanes[2], 12) + rotl(lanes[3], 18);
        for (int i = 0; i < 4; i++) h = (h ^ mix(0, lanes[i])) * P1 + P4;
    }
    h += len;
    for (; at + 8 <= end; at += 8) h = rotl(h ^ mix(0, read64(at)), 27) * P1 + P4;
    for (; at < end; at++) h = rotl(h ^ *at * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 1;
    for (int i = 0; i < 1024; i++) data[i] = i * 7;
    for (uint64_t r = 0; r < n; r++) sum ^= hash(data, r * 37 & 1023, sum);
    return sum;
}
