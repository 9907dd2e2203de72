// An interpreter of a language with eight commands: a switch for each character, which nobody can foresee for long.

#include "kernel.h"

static const char program[] =
    "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------.--------.>>+.";
static uint16_t match[sizeof program];
static uint8_t tape[256];

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    uint16_t open[16];
    int depth = 0;
    for (int i = 0; program[i]; i++) {
        if (program[i] == '[') open[depth++] = i;
        if (program[i] == ']') {
            int j = open[--depth];
            match[i] = j;
            match[j] = i;
        }
    }
    for (uint64_t r = 0; r < n; r++) {
        for (int i = 0; i < 256; i++) tape[i] = 0;
        uint8_t at = 0;
        for (int pc = 0; program[pc]; pc++) switch (program[pc]) {
            case '>': at++; break;
            case '<': at--; break;
            case '+': tape[at]++; break;
            case '-': tape[at]--; break;
            case '.': sum = sum * 31 + tape[at]; break;
            case '[': if (!tape[at]) pc = match[pc]; break;
            case ']': if (tape[at]) pc = match[pc]; break;
            }
    }
    return sum;
}
