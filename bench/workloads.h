/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

/* The work inside the tasks of nqueens and matmul.
 *
 * Every runtime links this one compiled copy and calls it from its tasks, so that what differs
 * between two figures is the scheduling alone. All functions are pure or write only through their
 * arguments, and may be called from any thread. The tree search has its own file, uts.h. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUEENS_MAX 16

/* The first `row` rows of an n x n board are set: column[i] holds the queen of row i. */
struct queens {
    uint8_t n;
    uint8_t row;
    uint8_t column[QUEENS_MAX];
};

/* Writes a copy of `b` with one queen more for each safe column of the next row, in ascending
 * order; returns how many. `child` has room for b->n boards; b->row < b->n. */
unsigned queens_children(const struct queens *b, struct queens *child);

#define MATMUL_LEAF 32

/* c += a * b on n x n blocks of row-major matrices whose rows lie `ld` elements apart. */
struct block {
    int32_t *c;
    const int32_t *a;
    const int32_t *b;
    size_t n;
    size_t ld;
};

/* The four products of phase 0 or 1 of a block with n > MATMUL_LEAF. The four may run in parallel;
 * phase 1 adds to what phase 0 wrote. */
void block_split(const struct block *m, int phase, struct block part[4]);

/* The product of a block with n == MATMUL_LEAF. */
void block_leaf(const struct block *m);

/* Fills n x n elements with small numbers that follow from `seed`. */
void matrix_fill(int32_t *m, size_t n, uint32_t seed);

/* Freivalds' identity, c * v == a * (b * v) for an arbitrary v, modulo 2^32: 1 if it holds, 0 if it
 * does not, -ENOMEM. */
int matrix_check(const int32_t *c, const int32_t *a, const int32_t *b, size_t n);

#ifdef __cplusplus
}
#endif

#endif
