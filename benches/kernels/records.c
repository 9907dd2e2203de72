// A mix in the manner of Dhrystone, written anew: records that are copied and compared, strings, small procedures with
// parameters by reference, branches on enumerations. No loop does much; calls and memory do.

#include "kernel.h"

enum kind { PLAIN, NUMBERED, NAMED };

typedef struct record {
    struct record *partner;
    enum kind kind;
    int32_t number;
    char name[32];
} record;

static record first, second;
static int32_t counts[50];
static int32_t table[50][50];

static NOINLINE int length_in_common(const char *a, const char *b) {
    int at = 0;
    while (a[at] && a[at] == b[at]) at++;
    return at;
}

static NOINLINE void set_name(record *to, const char *name, int32_t number) {
    char *at = to->name;
    while (*name) *at++ = *name++;
    *at++ = (char)('A' + (number & 15));
    *at = 0;
}

static NOINLINE enum kind next_kind(enum kind kind, int32_t number) {
    switch (kind) {
        case PLAIN: return number > 100 ? NAMED : NUMBERED;
        case NUMBERED: return number & 1 ? PLAIN : NAMED;
        default: return PLAIN;
    }
}

static NOINLINE void add_limited(int32_t a, int32_t b, int32_t *sum) {
    int32_t total = a + 2 + b;
    *sum = total > 1000 ? total - 1000 : total;
}

static NOINLINE void fill(int32_t counts[50], int32_t table[50][50], int32_t row, int32_t value) {
    int32_t at = row + 5;
    counts[at] = value;
    counts[at + 1] = counts[at];
    counts[at + 10] = at;
    for (int32_t column = at; column <= at + 1; column++) table[at][column] = at;
    table[at][at - 1] += 1;
    table[at + 2][at] = counts[at];
}

static NOINLINE void exchange(record *of) {
    record *partner = of->partner;
    *partner = first;
    of->number = 5;
    partner->number = of->number;
    partner->partner = of->partner;
    partner->kind = next_kind(of->kind, of->number);
    if (partner->kind == PLAIN) {
        partner->number = 6;
        add_limited(partner->number, 10, &partner->number);
    } else {
        *of = *partner;
        of->partner = &second;
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t sum = 0;
    first = (record){.partner = &second, .kind = NAMED, .number = 40, .name = ""};
    second = first;
    uint32_t rounds = (uint32_t)n * 16;
    for (uint32_t round = 0; round < rounds; round++) {
        int32_t number = (int32_t)(round & 127);
        set_name(&first, "RECORDS THAT ARE COPIED ", number);
        set_name(&second, "RECORDS THAT ARE COPIED ", number / 2);
        int common = length_in_common(first.name, second.name);
        int32_t total = number * 3;
        for (int32_t k = 0; k < 3; k++) add_limited(total, k + common, &total);
        fill(counts, table, (total & 15) + 10, total);
        first.kind = next_kind(first.kind, number);
        exchange(&first);
        total = total * number / (common + 1) - 7 * (number - common);
        sum = sum * 31 + (uint32_t)(total + second.number + counts[20] + (int32_t)second.kind);
    }
    return sum + (uint32_t)table[20][20];
}
