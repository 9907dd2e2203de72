// Fourier transforms of 64 numbers of double precision, there and back, in place.

#include "kernel.h"

#define SIZE 64

static double real[SIZE], imaginary[SIZE];

// Of the angles pi, pi / 2, pi / 4, ...
static const double cosines[] = {-1.0, 0.0, 0.70710678118654757, 0.92387953251128674, 0.98078528040323043, 0.99518472667219693};
static const double sines[] = {0.0, 1.0, 0.70710678118654757, 0.38268343236508978, 0.19509032201612825, 0.098017140329560604};

static void exchange(double *one, double *other) {
    double value = *one;
    *one = *other;
    *other = value;
}

static void transform(int direction) {
    for (int at = 1, reversed = 0; at < SIZE; at++) {
        int bit = SIZE / 2;
        for (; reversed & bit; bit /= 2) reversed ^= bit;
        reversed ^= bit;
        if (at < reversed) {
            exchange(&real[at], &real[reversed]);
            exchange(&imaginary[at], &imaginary[reversed]);
        }
    }
    for (int step = 0, length = 2; length <= SIZE; step++, length *= 2) {
        double cosine = cosines[step], sine = direction * sines[step];
        for (int start = 0; start < SIZE; start += length) {
            double turned = 1, turned_i = 0;
            for (int at = start; at < start + length / 2; at++) {
                int other = at + length / 2;
                double value = real[other] * turned - imaginary[other] * turned_i;
                double value_i = real[other] * turned_i + imaginary[other] * turned;
                real[other] = real[at] - value;
                imaginary[other] = imaginary[at] - value_i;
                real[at] += value;
                imaginary[at] += value_i;
                double next = turned * cosine - turned_i * sine;
                turned_i = turned * sine + turned_i * cosine;
                turned = next;
            }
        }
    }
}

uint64_t kernel(uint64_t n) {
    uint64_t state = 1, sum = 0;
    for (uint64_t round = 0; round < n; round++) {
        for (int at = 0; at < SIZE; at++) {
            real[at] = (double)(next_random(&state) & 1023);
            imaginary[at] = 0;
        }
        transform(1);
        sum = sum * 31 + (uint64_t)(int64_t)real[round % SIZE];
        transform(-1);
        sum = sum * 31 + (uint64_t)(int64_t)real[round % SIZE];
    }
    return sum;
}
