// Runs a kernel as a user program for RISC-V Linux, without a C library: `prog N` writes the result of kernel(N) as a decimal
// number.

#include "kernel.h"

static inline long system_call(long number, long a, long b, long c) {
    register long a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a7 asm("a7") = number;
    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

// At the start the stack pointer points to argc, argv[0], argv[1]...
asm(".globl _start\n"
    "_start:\n"
    ".option push\n"
    ".option norelax\n"
    "    la gp, __global_pointer$\n"
    ".option pop\n"
    "    mv a0, sp\n"
    "    andi sp, sp, -16\n"
    "    call start\n");

void start(char **words) {
    uint64_t n = 1;
    if ((intptr_t)words[0] > 1) {
        n = 0;
        for (const char *digit = words[2]; *digit; digit++) n = n * 10 + (uint64_t)(*digit - '0');
    }
    uint64_t result = kernel(n);
    char text[24];
    char *at = text + sizeof text;
    *--at = '\n';
    do *--at = (char)('0' + result % 10);
    while (result /= 10);
    system_call(64, 1, (long)at, text + sizeof text - at);
    system_call(93, 0, 0, 0);
}
