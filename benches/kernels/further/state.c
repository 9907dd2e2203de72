// A scanner as a state machine: one switch inside another, a byte at a time.

#include "kernel.h"

static char text[8192];

uint64_t kernel(uint64_t n) {
    uint64_t seed = 5, sum = 0;
    static const char parts[8][12] = {"abc ", "12 ", "\"st\\\"r\" ", "/*c*/ ", "3.5e2 ", "x1y ", "// l\n", "+= "};
    for (uint64_t r = 0; r < n; r++) {
        int len = 0;
        while (len < 8180) {
            const char *p = parts[next_random(&seed) & 7];
            while (*p) text[len++] = *p++;
        }
        uint32_t state = 0, words = 0, numbers = 0, strings = 0, comments = 0, others = 0;
        for (int i = 0; i < len; i++) {
            char c = text[i];
            switch (state) {
            case 0:
                if (c >= 'a' && c <= 'z') state = 1, words++;
                else if (c >= '0' && c <= '9') state = 2, numbers++;
                else if (c == '"') state = 4, strings++;
                else if (c == '/') state = 6;
                else if (c != ' ' && c != '\n') others++;
                break;
            case 1:
                if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) state = 0;
                break;
            case 2:
                if (c == '.') state = 3;
                else if (c == 'e') state = 10;
                else if (c < '0' || c > '9') state = 0;
                break;
            case 3:
                if (c == 'e') state = 10;
                else if (c < '0' || c > '9') state = 0;
                break;
            case 10:
                if (c < '0' || c > '9') state = 0;
                break;
            case 4:
                if (c == '\\') state = 5;
                else if (c == '"') state = 0;
                break;
            case 5: state = 4; break;
            case 6:
                if (c == '*') state = 7, comments++;
                else if (c == '/') state = 9, comments++;
                else state = 0, others++;
                break;
            case 7:
                if (c == '*') state = 8;
                break;
            case 8:
                if (c == '/') state = 0;
                else if (c != '*') state = 7;
                break;
            case 9:
                if (c == '\n') state = 0;
                break;
            }
        }
        sum = sum * 31 + words + numbers * 3 + strings * 5 + comments * 7 + others * 11;
    }
    return sum;
}
