// Runs a kernel on the host: for each n on standard input one line with the result and the processor time it took, in
// nanoseconds.

#include "kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t processor_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(void) {
    uint64_t n;
    while (scanf("%" SCNu64, &n) == 1) {
        uint64_t start = processor_time();
        uint64_t result = kernel(n);
        uint64_t time = processor_time() - start;
        printf("%" PRIu64 " %" PRIu64 "\n", result, time);
        fflush(stdout);
    }
    return 0;
}
