// Formatted output: arguments of any number, numbers in two bases, padding.

#include "kernel.h"
#include <stdarg.h>

static char text[512];

static NOINLINE char *number(char *out, uint64_t value, unsigned base, int width, char pad) {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count < width) digits[count++] = pad;
    while (count) *out++ = digits[--count];
    return out;
}

static NOINLINE int print(char *start, const char *format, ...) {
    char *out = start;
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            *out++ = *format;
            continue;
        }
        char pad = ' ';
        int width = 0;
        if (*++format == '0') pad = *format++;
        while (*format >= '0' && *format <= '9') width = width * 10 + *format++ - '0';
        switch (*format) {
            case 'd': {
                int64_t value = va_arg(arguments, int64_t);
                if (value < 0) *out++ = '-';
                out = number(out, value < 0 ? -value : value, 10, width, pad);
                break;
            }
            case 'x': out = number(out, va_arg(arguments, uint64_t), 16, width, pad); break;
            case 's':
                for (const char *in = va_arg(arguments, const char *); *in; in++) *out++ = *in;
                break;
            case 'c': *out++ = va_arg(arguments, int); break;
            default: *out++ = *format;
        }
    }
    va_end(arguments);
    return out - start;
}

uint64_t kernel(uint64_t n) {
    uint64_t seed = 5, sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        uint64_t a = next_random(&seed), b = next_random(&seed);
        int count = print(text, "%s=%d, [%08x] %c %5d%% of %x\n", a & 1 ? "value" : "other", (int64_t)(a >> 4) - 100000,
                          b, 'a' + (int)(b % 26), (int64_t)(a % 101), a * b);
        for (int i = 0; i < count; i++) sum = sum * 33 + text[i];
    }
    return sum;
}
