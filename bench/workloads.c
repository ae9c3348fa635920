/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/workloads.h"

#include <errno.h>
#include <stdlib.h>

static int queens_safe(const struct queens *b, int column)
{
    for (int i = 0; i < b->row; i++) {
        int distance = b->row - i;
        int q = b->column[i];
        if (q == column || q == column - distance || q == column + distance)
            return 0;
    }
    return 1;
}

unsigned queens_children(const struct queens *b, struct queens *child)
{
    unsigned count = 0;
    for (int column = 0; column < b->n; column++) {
        if (!queens_safe(b, column))
            continue;
        child[count] = *b;
        child[count].column[b->row] = (uint8_t)column;
        child[count].row++;
        count++;
    }
    return count;
}

void block_split(const struct block *m, int phase, struct block part[4])
{
    size_t h = m->n / 2;
    size_t down = h * m->ld;
    const int32_t *a = m->a + (phase ? h : 0);
    const int32_t *b = m->b + (phase ? down : 0);
    for (size_t i = 0; i < 4; i++) {
        size_t row = (i / 2) * down;
        size_t column = (i % 2) * h;
        part[i] = (struct block){m->c + row + column, a + row, b + column, h, m->ld};
    }
}

void block_leaf(const struct block *m)
{
    for (size_t i = 0; i < MATMUL_LEAF; i++) {
        int32_t *restrict c = m->c + i * m->ld;
        for (size_t k = 0; k < MATMUL_LEAF; k++) {
            int32_t a = m->a[i * m->ld + k];
            const int32_t *restrict b = m->b + k * m->ld;
            for (size_t j = 0; j < MATMUL_LEAF; j++)
                c[j] += a * b[j];
        }
    }
}

static uint32_t next_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

void matrix_fill(int32_t *m, size_t n, uint32_t seed)
{
    uint32_t state = seed * 2654435761u | 1u;
    for (size_t i = 0; i < n * n; i++)
        m[i] = (int32_t)(next_random(&state) >> 28);
}

static void times_vector(uint32_t *out, const int32_t *m, const uint32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += (uint32_t)m[i * n + j] * v[j];
        out[i] = sum;
    }
}

int matrix_check(const int32_t *c, const int32_t *a, const int32_t *b, size_t n)
{
    uint32_t *v = malloc(4 * n * sizeof(*v));
    if (v == NULL)
        return -ENOMEM;
    uint32_t *bv = v + n;
    uint32_t *abv = v + 2 * n;
    uint32_t *cv = v + 3 * n;
    uint32_t state = 0x9e3779b9u;
    for (size_t i = 0; i < n; i++)
        v[i] = next_random(&state);
    times_vector(bv, b, v, n);
    times_vector(abv, a, bv, n);
    times_vector(cv, c, v, n);
    int same = 1;
    for (size_t i = 0; i < n; i++)
        same &= abv[i] == cv[i];
    free(v);
    return same;
}
