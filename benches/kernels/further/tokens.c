// A scanner: words, numbers and signs are told from one another character by character.

#include "kernel.h"

static char t[4096];

static NOINLINE int isid(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

uint64_t kernel(uint64_t n) {
    uint64_t s = 7, sum = 0;
    for (int i = 0; i < 4095; i++) {
        static const char A[] = "abcdefgh 0123_+-*/() \n;";
        t[i] = A[next_random(&s) % 24];
    }
    for (uint64_t r = 0; r < n; r++) {
        const char *p = t;
        while (*p) {
            while (*p == ' ' || *p == '\n') p++;
            if (*p >= '0' && *p <= '9') {
                uint64_t v = 0;
                while (*p >= '0' && *p <= '9') v = v * 10 + (*p++ - '0');
                sum = sum * 31 + v;
            } else if (isid(*p)) {
                uint64_t h = 5381;
                while (isid(*p)) h = h * 33 ^ *p++;
                sum = sum * 31 + h;
            } else if (*p) {
                switch (*p) {
                case '+':
                    sum += 1;
                    break;
                case '-':
                    sum -= 1;
                    break;
                case '*':
                    sum *= 3;
                    break;
                case '/':
                    sum /= 3;
                    break;
                case '(':
                    sum ^= 7;
                    break;
                case ')':
                    sum ^= 11;
                    break;
                default:
                    sum += 17;
                }
                p++;
            }
        }
        t[r % 4095] = "a +1"[r & 3];
    }
    return sum;
}
