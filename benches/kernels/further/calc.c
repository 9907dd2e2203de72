// A parser of expressions by recursive descent, which evaluates what it reads.

#include "kernel.h"

static const char *at;
static int64_t variables[26];

static int64_t expression(void);

static char next(void) {
    while (*at == ' ') at++;
    return *at;
}

static int64_t factor(void) {
    char first = next();
    if (first == '(') {
        at++;
        int64_t value = expression();
        next();
        at++;
        return value;
    }
    if (first == '-') {
        at++;
        return -factor();
    }
    if (first >= 'a' && first <= 'z') return variables[*at++ - 'a'];
    int64_t value = 0;
    while (*at >= '0' && *at <= '9') value = value * 10 + *at++ - '0';
    return value;
}

static int64_t term(void) {
    int64_t value = factor();
    for (;;) {
        char operator = next();
        if (operator != '*' && operator != '/' && operator != '%') return value;
        at++;
        int64_t other = factor();
        if (operator == '*')
            value = (int64_t)((uint64_t)value * (uint64_t)other);
        else if (other == 0)
            value = 0;
        else
            value = operator == '/' ? value / other : value % other;
    }
}

static NOINLINE int64_t expression(void) {
    int64_t value = term();
    for (;;) {
        char operator = next();
        if (operator != '+' && operator != '-') return value;
        at++;
        int64_t other = term();
        value += operator == '+' ? other : -other;
    }
}

static const char *const lines[] = {
    "a = b * (c + 3) - 12 / (d + 1)",
    "b = (a + 7) % 1001 + c * 2",
    "c = -(a - b) * 5 % 997",
    "d = ((a + b) * (c + d) - 3 * (a - d)) % 10007",
    "e = 1 + 2 * 3 - 4 * (5 + 6 * (7 - 8)) + a",
    "f = e * e % 65537 + (((((b))))) - -d",
};

uint64_t kernel(uint64_t n) {
    for (int i = 0; i < 26; i++) variables[i] = i + 1;
    for (uint64_t i = 0; i < n; i++) {
        at = lines[i % 6];
        char name = *at;
        at += 3;
        variables[name - 'a'] = expression() % 1000003;
    }
    uint64_t sum = 0;
    for (int i = 0; i < 26; i++) sum = sum * 131 + variables[i];
    return sum;
}
