/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/loops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 1000
/* Times that a loop is run, beside a first one that is not measured. */
#define FLAT_RUNS       101
#define UNBALANCED_RUNS 5
#define SORT_RUNS       3
#define IDLE            INT64_C(10000000)

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, size_t n)
{
    qsort(times, n, sizeof(*times), ascending);
    return times[n / 2];
}

static void say(struct bench_result *out, double value, bool right)
{
    out->value = value;
    snprintf(out->check, sizeof(out->check), "%s", right ? "right" : "wrong");
}

/* ---- empty ---- */

int loops_for_empty(const struct loops *l, uint64_t n, struct bench_result *out)
{
    for (uint64_t i = 0; i < n / 10; i++)
        l->empty();
    int64_t start = bench_now();
    for (uint64_t i = 0; i < n; i++)
        l->empty();
    out->value = (double)(bench_now() - start) / (double)n;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, n);
    return 0;
}

int loops_for_empty_cold(const struct loops *l, uint64_t n, struct bench_result *out)
{
    double *times = malloc(n * sizeof(*times));
    if (!times)
        return -ENOMEM;
    l->empty();
    for (uint64_t i = 0; i < n; i++) {
        l->idle(IDLE);
        int64_t start = bench_now();
        l->empty();
        times[i] = (double)(bench_now() - start);
    }
    out->value = median(times, n);
    snprintf(out->check, sizeof(out->check), "%" PRIu64, n);
    free(times);
    return 0;
}

/* ---- flat ---- */

int loops_for_flat(const struct loops *l, uint64_t n, struct bench_result *out)
{
    double times[FLAT_RUNS], *x = malloc(n * sizeof(*x));
    if (!x)
        return -ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        x[i] = (double)(i % 1000);
    for (int run = -1; run < FLAT_RUNS; run++) {
        int64_t start = bench_now();
        l->flat(x, (int64_t)n);
        if (run >= 0)
            times[run] = (double)(bench_now() - start) / 1e6;
    }
    bool right = true;
    double expected[1000];
    for (int i = 0; i < 1000; i++) {
        expected[i] = i;
        for (int run = -1; run < FLAT_RUNS; run++)
            expected[i] = loops_flop(expected[i]);
    }
    for (uint64_t i = 0; i < n; i++)
        right &= x[i] == expected[i % 1000];
    say(out, median(times, FLAT_RUNS), right);
    free(x);
    return 0;
}

/* ---- unbalanced ---- */

/* A picture of so many points a row. */
#define SIDE 1000

uint32_t loops_escape(int64_t point)
{
    double across = (double)(point % SIDE) / SIDE, down = (double)(point / SIDE) / SIDE;
    double cr = -2 + 2.5 * across, ci = -0.1 + 1.4 * down, zr = 0, zi = 0;
    uint32_t step = 0;
    for (; step < STEPS && zr * zr + zi * zi < 4; step++) {
        double next = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = next;
    }
    return step;
}

int loops_for_unbalanced(const struct loops *l, uint64_t n, struct bench_result *out)
{
    double times[UNBALANCED_RUNS];
    uint32_t *counts = malloc(n * sizeof(*counts));
    bool right = true;
    if (!counts)
        return -ENOMEM;
    for (int run = 0; run < UNBALANCED_RUNS; run++) {
        memset(counts, 0, n * sizeof(*counts));
        int64_t start = bench_now();
        l->unbalanced(counts, (int64_t)n);
        times[run] = (double)(bench_now() - start) / 1e6;
    }
    for (uint64_t i = 0; i < n; i++)
        right &= counts[i] == loops_escape((int64_t)i);
    say(out, median(times, UNBALANCED_RUNS), right);
    free(counts);
    return 0;
}

/* ---- sort ---- */

/* Steele, Lea and Flood's splitmix64, of the state `i`. */
static uint64_t mix(uint64_t i)
{
    uint64_t z = i * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool is_sorted(const int64_t *base, uint64_t n, uint64_t sum)
{
    bool right = true;
    for (uint64_t i = 0; i < n; i++) {
        sum -= mix((uint64_t)base[i]);
        right &= i == 0 || base[i - 1] <= base[i];
    }
    return right && sum == 0;
}

int loops_sort(void (*sort)(int64_t *base, size_t n), uint64_t n, struct bench_result *out)
{
    double times[SORT_RUNS];
    int64_t *base = malloc(n * sizeof(*base));
    bool right = true;
    if (!base)
        return -ENOMEM;
    for (uint64_t run = 0; run < SORT_RUNS; run++) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            base[i] = (int64_t)mix(run * n + i);
            sum += mix((uint64_t)base[i]);
        }
        int64_t start = bench_now();
        sort(base, n);
        times[run] = (double)(bench_now() - start) / 1e6;
        right &= is_sorted(base, n, sum);
    }
    say(out, median(times, SORT_RUNS), right);
    free(base);
    return 0;
}
