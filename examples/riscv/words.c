// Counts words: those of standard input, or of the files that are named. Prints the ten most frequent.

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct word {
    struct word *next;
    unsigned count;
    char text[];
} word;

#define BUCKETS 1024

static word *buckets[BUCKETS];
static unsigned distinct, total;

static void add(const char *text, size_t length) {
    unsigned hash = 2166136261u;
    for (size_t k = 0; k < length; k++) hash = (hash ^ (unsigned char)text[k]) * 16777619u;
    word **place = &buckets[hash % BUCKETS];
    total++;
    for (word *at = *place; at; at = at->next) {
        if (strlen(at->text) == length && memcmp(at->text, text, length) == 0) {
            at->count++;
            return;
        }
    }
    word *new = malloc(sizeof(word) + length + 1);
    if (!new) {
        fprintf(stderr, "no memory\n");
        exit(2);
    }
    memcpy(new->text, text, length);
    new->text[length] = 0;
    new->count = 1;
    new->next = *place;
    *place = new;
    distinct++;
}

static void count(FILE *file) {
    char text[64];
    size_t length = 0;
    for (int c;;) {
        c = getc(file);
        if (c != EOF && isalpha(c)) {
            if (length < sizeof text) text[length++] = (char)tolower(c);
        } else {
            if (length) add(text, length);
            length = 0;
            if (c == EOF) return;
        }
    }
}

static int by_count(const void *a, const void *b) {
    const word *left = *(word *const *)a, *right = *(word *const *)b;
    if (left->count != right->count) return left->count < right->count ? 1 : -1;
    return strcmp(left->text, right->text);
}

int main(int argc, char **argv) {
    if (argc < 2) count(stdin);
    for (int k = 1; k < argc; k++) {
        FILE *file = fopen(argv[k], "r");
        if (!file) {
            fprintf(stderr, "%s: error %d\n", argv[k], errno);
            return 1;
        }
        count(file);
        fclose(file);
    }
    word **all = malloc((distinct + 1) * sizeof *all);
    unsigned at = 0;
    for (unsigned k = 0; k < BUCKETS; k++)
        for (word *w = buckets[k]; w; w = w->next) all[at++] = w;
    qsort(all, distinct, sizeof *all, by_count);
    printf("%u words, %u different\n", total, distinct);
    for (unsigned k = 0; k < distinct && k < 10; k++) printf("%6u %s\n", all[k]->count, all[k]->text);
    return 0;
}
