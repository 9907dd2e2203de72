// A mix in the manner of CoreMark, written anew: a linked list that is searched, reversed and sorted; a small matrix of
// 16-bit numbers; a state machine that reads numbers from text; and a CRC over what they find.

#include "kernel.h"

static uint16_t crc16(uint16_t crc, uint32_t value, int bits) {
    for (int i = 0; i < bits; i++, value >>= 1) {
        uint16_t carry = (crc ^ value) & 1;
        crc >>= 1;
        if (carry) crc ^= 0xa001;
    }
    return crc;
}

// ---- list

#define NODES 64

typedef struct node {
    struct node *next;
    int16_t key, index;
} node;

static node nodes[NODES];

static node *make_list(uint64_t *state) {
    for (int i = 0; i < NODES; i++) {
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
        nodes[i].key = (int16_t)next_random(state);
        nodes[i].index = (int16_t)i;
    }
    return nodes;
}

static node *reverse(node *list) {
    node *reversed = NULL;
    while (list) {
        node *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

static node *find(node *list, int16_t key) {
    while (list && (list->key & 0xff) != (key & 0xff)) list = list->next;
    return list;
}

static int by_key(const node *a, const node *b) { return a->key - b->key; }

static int by_index(const node *a, const node *b) { return a->index - b->index; }

// Merges sorted runs of doubling length.
static NOINLINE node *sort(node *list, int (*compare)(const node *, const node *)) {
    for (int run = 1;; run *= 2) {
        node *rest = list, *tail = NULL;
        int merges = 0;
        list = NULL;
        while (rest) {
            merges++;
            node *left = rest;
            int left_len = 0, right_len = run;
            while (left_len < run && rest) left_len++, rest = rest->next;
            while (left_len > 0 || (right_len > 0 && rest)) {
                node *taken;
                if (left_len > 0 && (right_len == 0 || !rest || compare(left, rest) <= 0)) {
                    taken = left, left = left->next, left_len--;
                } else {
                    taken = rest, rest = rest->next, right_len--;
                }
                if (tail) tail->next = taken;
                else list = taken;
                tail = taken;
            }
        }
        tail->next = NULL;
        if (merges <= 1) return list;
    }
}

static uint16_t work_on_list(uint64_t *state, uint16_t crc) {
    node *list = make_list(state);
    for (int i = 0; i < 32; i++) {
        node *found = find(list, (int16_t)next_random(state));
        if (found) crc = crc16(crc, (uint16_t)found->key, 16);
        list = reverse(list);
    }
    list = sort(list, by_key);
    for (node *at = list; at; at = at->next) crc = crc16(crc, (uint16_t)at->key, 16);
    list = sort(list, by_index);
    for (node *at = list; at; at = at->next) crc = crc16(crc, (uint16_t)at->index, 8);
    return crc;
}

// ---- matrix

#define SIZE 12

static int16_t matrix_a[SIZE][SIZE], matrix_b[SIZE][SIZE];
static int32_t matrix_c[SIZE][SIZE];

static uint16_t work_on_matrix(uint64_t *state, uint16_t crc) {
    int16_t by = (int16_t)next_random(state);
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            matrix_a[i][j] = (int16_t)(matrix_a[i][j] + by + i - j);
            matrix_b[i][j] = (int16_t)(matrix_b[i][j] * 3 + by);
        }
    }
    int32_t sum = 0, last = 0;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            uint32_t cell = 0;
            for (int k = 0; k < SIZE; k++) {
                uint32_t product = (uint32_t)(matrix_a[i][k] * matrix_b[k][j]);
                cell += (product >> 2 & 0xf) * (product >> 5 & 0x7f);
            }
            matrix_c[i][j] = (int32_t)cell;
            sum += matrix_c[i][j] > last ? 10 : matrix_c[i][j] < 0 ? -1 : 1;
            last = matrix_c[i][j];
        }
    }
    return crc16(crc, (uint32_t)sum, 16);
}

// ---- state machine

enum { START, INTEGER, FRACTION, EXPONENT, SIGNED_EXPONENT, INVALID, STATES };

static const char text[] = "5012,1.25e3,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.5e-3,-.123e+2,T0.3e-1F,1.a2,"
                           "6.02e23,-9,+,12x,0.5e,3.1415926,-2.71828e0,7e+7,";

static int next_state(int state, char c) {
    int digit = c >= '0' && c <= '9';
    switch (state) {
    case START:
        if (digit) return INTEGER;
        if (c == '.') return FRACTION;
        return c == '+' || c == '-' ? START : INVALID;
    case INTEGER:
        if (digit) return INTEGER;
        if (c == '.') return FRACTION;
        return c == 'e' ? EXPONENT : INVALID;
    case FRACTION:
        if (digit) return FRACTION;
        return c == 'e' ? EXPONENT : INVALID;
    case EXPONENT:
        return digit || c == '+' || c == '-' ? SIGNED_EXPONENT : INVALID;
    case SIGNED_EXPONENT:
        return digit ? SIGNED_EXPONENT : INVALID;
    default:
        return INVALID;
    }
}

static uint16_t work_on_text(uint64_t *random, uint16_t crc) {
    uint32_t ends[STATES] = {0}, steps[STATES] = {0};
    uint32_t noise = next_random(random);
    int state = START;
    for (uint32_t i = 0; i < sizeof text - 1; i++) {
        char c = text[i];
        // Now and then a character is another one.
        if ((i & 15) == (noise & 15)) c ^= noise >> 8 & 3;
        if (c == ',') {
            ends[state]++;
            state = START;
        } else {
            int next = next_state(state, c);
            steps[next] += next != state;
            state = next;
        }
    }
    for (int i = 0; i < STATES; i++) crc = crc16(crc16(crc, ends[i], 8), steps[i], 8);
    return crc;
}

uint64_t kernel(uint64_t n) {
    uint64_t random = 1, sum = 0;
    uint16_t crc = 0xffff;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) matrix_a[i][j] = matrix_b[i][j] = 0;
    }
    for (uint64_t round = 0; round < n; round++) {
        crc = work_on_list(&random, crc);
        crc = work_on_matrix(&random, crc);
        crc = work_on_text(&random, crc);
        sum = sum * 31 + crc;
    }
    return sum;
}
