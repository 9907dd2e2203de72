// Digits of pi by a spigot (Rabinowitz and Wagon), as many as the argument says; 1000 if there is none.

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int digits = argc > 1 ? atoi(argv[1]) : 1000;
    if (digits < 1 || digits > 20000) {
        fprintf(stderr, "from 1 to 20000 digits\n");
        return 2;
    }
    int length = digits * 10 / 3 + 2;
    unsigned *rest = malloc((size_t)length * sizeof *rest);
    for (int k = 0; k < length; k++) rest[k] = 2;
    int held = -1, nines = 0, printed = 0;
    for (int round = 0; round <= digits; round++) {
        unsigned carry = 0;
        for (int k = length - 1; k > 0; k--) {
            unsigned value = rest[k] * 10 + carry;
            rest[k] = value % (2 * (unsigned)k + 1);
            carry = value / (2 * (unsigned)k + 1) * (unsigned)k;
        }
        unsigned value = rest[0] * 10 + carry;
        rest[0] = value % 10;
        int digit = (int)(value / 10);
        // A nine may still become a zero with a carry: it is held back, and what stands before it.
        if (digit == 9) {
            nines++;
            continue;
        }
        int add = digit == 10;
        if (held >= 0 && printed < digits) {
            putchar('0' + held + add);
            if (printed++ == 0) putchar('.');
        }
        for (; nines > 0; nines--)
            if (printed < digits) {
                putchar(add ? '0' : '9');
                printed++;
            }
        held = add ? 0 : digit;
    }
    putchar('\n');
    free(rest);
    return 0;
}
