// Says what it was started with, and ends with the number of its arguments.

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    printf("hello from 32-bit RISC-V\n");
    for (int k = 1; k < argc; k++) printf("argument %d: %s\n", k, argv[k]);
    const char *greeting = getenv("GREETING");
    if (greeting) printf("GREETING is %s\n", greeting);
    return argc - 1;
}
