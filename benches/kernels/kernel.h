// What every kernel shares: fixed-width types and the one entry.
//
// A kernel is freestanding C, so that the same source compiles for the host and for guests without a C library.
// The compilers may still call memset and memcpy; guest_memory.c has them for guests.

#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

// Does work proportional to n and returns a checksum of all of it.
uint64_t kernel(uint64_t n);

// A function that has to stay a call.
#define NOINLINE __attribute__((noinline))

// Pseudo-random numbers: a 64-bit linear congruential generator, of which the upper half is used.
static inline uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

#endif
