// A backtracking matcher of small regular expressions.

#include "kernel.h"

static NOINLINE int here(const char *re, const char *s);
static NOINLINE int star(char c, const char *re, const char *s) {
    do {
        if (here(re, s)) return 1;
    } while (*s && (*s++ == c || c == '.'));
    return 0;
}
static NOINLINE int here(const char *re, const char *s) {
    if (!re[0]) return 1;
    if (re[1] == '*') return star(re[0], re + 2, s);
    if (re[0] == '$' && !re[1]) return !*s;
    if (*s && (re[0] == '.' || re[0] == *s)) return here(re + 1, s + 1);
    return 0;
}
static NOINLINE int match(const char *re, const char *s) {
    if (*re == '^') return here(re + 1, s);
    do {
        if (here(re, s)) return 1;
    } while (*s++);
    return 0;
}

uint64_t kernel(uint64_t n) {
    static const char *const res[] = {"a*b.c", "^ab*a", "c.*d$", "b*b*c", "dd*a.b"};
    static char text[65];
    uint64_t seed = 10, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 64; i++) text[i] = 'a' + next_random(&seed) % 4;
        for (int i = 0; i < 5; i++) sum = sum * 3 + match(res[i], text);
    }
    return sum;
}
