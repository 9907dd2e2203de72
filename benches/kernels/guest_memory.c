// The memory functions that compilers may call, for guests without a C library.

#include "kernel.h"

void *memset(void *to, int byte, size_t len) {
    uint8_t *at = to;
    uint64_t eight = (uint8_t)byte * 0x0101010101010101u;
    for (; len > 0 && ((uintptr_t)at & 7); len--) *at++ = (uint8_t)byte;
    for (; len >= 8; len -= 8, at += 8) *(uint64_t *)at = eight;
    for (; len > 0; len--) *at++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len) {
    uint8_t *at = to;
    const uint8_t *source = from;
    if ((((uintptr_t)at ^ (uintptr_t)source) & 7) == 0) {
        for (; len > 0 && ((uintptr_t)at & 7); len--) *at++ = *source++;
        for (; len >= 8; len -= 8, at += 8, source += 8) *(uint64_t *)at = *(const uint64_t *)source;
    }
    for (; len > 0; len--) *at++ = *source++;
    return to;
}
