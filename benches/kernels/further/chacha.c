// The permutation of a stream cipher: sixteen words of 32 bits that are added, combined and rotated, more than there
// are registers.

#include "kernel.h"

#define R(a, b) (((a) << (b)) | ((a) >> (32 - (b))))
#define Q(a, b, c, d) \
    a += b;           \
    d ^= a;           \
    d = R(d, 16);     \
    c += d;           \
    b ^= c;           \
    b = R(b, 12);     \
    a += b;           \
    d ^= a;           \
    d = R(d, 8);      \
    c += d;           \
    b ^= c;           \
    b = R(b, 7);

uint64_t kernel(uint64_t n) {
    uint32_t st[16], x[16];
    uint64_t s = 1, sum = 0;
    for (int i = 0; i < 16; i++) st[i] = next_random(&s);
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 16; i++) x[i] = st[i];
        for (int i = 0; i < 10; i++) {
            Q(x[0], x[4], x[8], x[12])
            Q(x[1], x[5], x[9], x[13])
            Q(x[2], x[6], x[10], x[14])
            Q(x[3], x[7], x[11], x[15])
            Q(x[0], x[5], x[10], x[15])
            Q(x[1], x[6], x[11], x[12])
            Q(x[2], x[7], x[8], x[13])
            Q(x[3], x[4], x[9], x[14])
        }
        for (int i = 0; i < 16; i++) sum = sum * 31 + (x[i] + st[i]);
        st[12]++;
    }
    return sum;
}
