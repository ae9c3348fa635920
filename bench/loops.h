/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

/* Parallel loops and sorts: what is measured, the same for every runtime. A runtime gives its loops,
 * and calls these from where they are to be called. */

#include "bench/driver.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loops {
    void (*empty)(void);                             /* two bodies that do nothing, for two */
    void (*flat)(double *x, int64_t n);              /* x[i] = loops_flop(x[i]) */
    void (*unbalanced)(uint32_t *counts, int64_t n); /* counts[i] = loops_escape(i) */
    void (*idle)(int64_t nanoseconds);               /* nothing of the runtime's computes */
};

static inline double loops_flop(double x)
{
    return x * 1.0000001;
}

/* Points of a picture of the Mandelbrot set, a thousand a row: from 1 to 1000 steps, the dear ones
 * together in the first rows. */
uint32_t loops_escape(int64_t point);

/* Each returns 0, or a negative errno; n is the param. */
int loops_for_empty(const struct loops *l, uint64_t n, struct bench_result *out);      /* ns */
int loops_for_empty_cold(const struct loops *l, uint64_t n, struct bench_result *out); /* ns */
int loops_for_flat(const struct loops *l, uint64_t n, struct bench_result *out);       /* ms */
int loops_for_unbalanced(const struct loops *l, uint64_t n, struct bench_result *out); /* ms */

/* ms; sort puts n numbers in order. */
int loops_sort(void (*sort)(int64_t *base, size_t n), uint64_t n, struct bench_result *out);

#ifdef __cplusplus
}
#endif

#endif
