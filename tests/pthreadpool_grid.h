/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grids for the tests of pthreadpool: all of its functions in a table, each with its shape; what is
 * called is recorded and compared with what the shape, the ranges and the edges ask for.
 */
#ifndef FILCH_TESTS_PTHREADPOOL_GRID_H
#define FILCH_TESTS_PTHREADPOOL_GRID_H

/* The older functions are tested too. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include "tests/support.h"

#include <pthreadpool.h>

enum { DIMS_MAX = 6, NUMBERS_MAX = 8, ID = 77 };

/* ---- recording: what a grid's function was called with ---- */

struct grid {
    int dims, tiled;
    size_t range[DIMS_MAX];
    size_t tile[DIMS_MAX]; /* of the tiled dimensions, the last ones */
    uint32_t calls;
    uint32_t bad;
    uint32_t nested; /* != 0: each call runs a loop of its own on this pool */
    pthreadpool_t pool;
    uint32_t *cells; /* how often each was covered */
};

static bool tiled_at(const struct grid *g, int d)
{
    return d >= g->dims - g->tiled;
}

static size_t edge(const struct grid *g, int d)
{
    return tiled_at(g, d) ? g->tile[d - (g->dims - g->tiled)] : 1;
}

static size_t cell_count(const struct grid *g)
{
    size_t count = 1;
    for (int d = 0; d < g->dims; d++)
        count *= g->range[d];
    return count;
}

static size_t tile_count(const struct grid *g)
{
    size_t count = 1;
    for (int d = 0; d < g->dims; d++)
        count *= g->range[d] / edge(g, d) + (g->range[d] % edge(g, d) != 0);
    return count;
}

/* All cells of the tile, in dimension d and below. */
static void cover(struct grid *g, const size_t *n, int d, size_t cell)
{
    if (d == g->dims) {
        filch__add_acq_rel(&g->cells[cell], 1u);
        return;
    }
    size_t length = tiled_at(g, d) ? n[d + g->tiled] : 1;
    for (size_t i = 0; i < length; i++)
        cover(g, n, d + 1, cell * g->range[d] + n[d] + i);
}

static void count_inner(void *calls, size_t i, size_t j)
{
    (void)i, (void)j;
    tally(calls);
}

static void record(struct grid *g, const size_t *n)
{
    bool good = true;
    for (int d = 0; d < g->dims; d++) {
        good = good && n[d] < g->range[d] && n[d] % edge(g, d) == 0;
        if (good && tiled_at(g, d)) {
            size_t left = g->range[d] - n[d], whole = edge(g, d);
            good = n[d + g->tiled] == (left < whole ? left : whole);
        }
    }
    tally(good ? &g->calls : &g->bad);
    if (good)
        cover(g, n, 0, 0);
    if (g->nested) {
        uint32_t calls = 0;
        pthreadpool_parallelize_2d(g->pool, count_inner, &calls, 3, 5, 0);
        CHECK(calls == 15);
    }
}

#define NUMBERS(...) record(g, (size_t[NUMBERS_MAX]){__VA_ARGS__})

static void record_1(void *g, size_t a)
{
    NUMBERS(a);
}

static void record_2(void *g, size_t a, size_t b)
{
    NUMBERS(a, b);
}

static void record_3(void *g, size_t a, size_t b, size_t c)
{
    NUMBERS(a, b, c);
}

static void record_4(void *g, size_t a, size_t b, size_t c, size_t d)
{
    NUMBERS(a, b, c, d);
}

static void record_5(void *g, size_t a, size_t b, size_t c, size_t d, size_t e)
{
    NUMBERS(a, b, c, d, e);
}

static void record_6(void *g, size_t a, size_t b, size_t c, size_t d, size_t e, size_t f)
{
    NUMBERS(a, b, c, d, e, f);
}

static void record_7(void *g, size_t a, size_t b, size_t c, size_t d, size_t e, size_t f, size_t h)
{
    NUMBERS(a, b, c, d, e, f, h);
}

static void record_8(void *g, size_t a, size_t b, size_t c, size_t d, size_t e, size_t f, size_t h,
                     size_t i)
{
    NUMBERS(a, b, c, d, e, f, h, i);
}

static void told_1(void *g, uint32_t id, size_t a)
{
    CHECK(id == ID);
    NUMBERS(a);
}

static void told_4(void *g, uint32_t id, size_t a, size_t b, size_t c, size_t d)
{
    CHECK(id == ID);
    NUMBERS(a, b, c, d);
}

static void told_5(void *g, uint32_t id, size_t a, size_t b, size_t c, size_t d, size_t e)
{
    CHECK(id == ID);
    NUMBERS(a, b, c, d, e);
}

static void told_6(void *g, uint32_t id, size_t a, size_t b, size_t c, size_t d, size_t e, size_t f)
{
    CHECK(id == ID);
    NUMBERS(a, b, c, d, e, f);
}

/* ---- the functions ---- */

#define R1 g->range[0]
#define R2 R1, g->range[1]
#define R3 R2, g->range[2]
#define R4 R3, g->range[3]
#define R5 R4, g->range[4]
#define R6 R5, g->range[5]
#define T1 g->tile[0]
#define T2 T1, g->tile[1]
#define T3 T2, g->tile[2]
#define T4 T3, g->tile[3]

/* What calls a function of pthreadpool for g: its arguments but the pool. */
#define CALLER(name, ...)                                                       \
    static void call_##name(pthreadpool_t pool, struct grid *g, uint32_t flags) \
    {                                                                           \
        (void)flags;                                                            \
        pthreadpool_##name(pool, __VA_ARGS__);                                  \
    }

CALLER(parallelize_1d, record_1, g, R1, flags)
CALLER(parallelize_1d_tile_1d, record_2, g, R1, T1, flags)
CALLER(parallelize_2d, record_2, g, R2, flags)
CALLER(parallelize_2d_tile_1d, record_3, g, R2, T1, flags)
CALLER(parallelize_2d_tile_2d, record_4, g, R2, T2, flags)
CALLER(parallelize_3d, record_3, g, R3, flags)
CALLER(parallelize_3d_tile_1d, record_4, g, R3, T1, flags)
CALLER(parallelize_3d_tile_2d, record_5, g, R3, T2, flags)
CALLER(parallelize_4d, record_4, g, R4, flags)
CALLER(parallelize_4d_tile_1d, record_5, g, R4, T1, flags)
CALLER(parallelize_4d_tile_2d, record_6, g, R4, T2, flags)
CALLER(parallelize_5d, record_5, g, R5, flags)
CALLER(parallelize_5d_tile_1d, record_6, g, R5, T1, flags)
CALLER(parallelize_5d_tile_2d, record_7, g, R5, T2, flags)
CALLER(parallelize_6d, record_6, g, R6, flags)
CALLER(parallelize_6d_tile_1d, record_7, g, R6, T1, flags)
CALLER(parallelize_6d_tile_2d, record_8, g, R6, T2, flags)
CALLER(parallelize_1d_with_uarch, told_1, g, ID, 1, R1, flags)
CALLER(parallelize_2d_tile_2d_with_uarch, told_4, g, ID, ID, R2, T2, flags)
CALLER(parallelize_3d_tile_2d_with_uarch, told_5, g, ID, 0, R3, T2, flags)
CALLER(parallelize_4d_tile_2d_with_uarch, told_6, g, ID, 100, R4, T2, flags)
CALLER(compute_1d, record_1, g, R1)
CALLER(compute_1d_tiled, record_2, g, R1, T1)
CALLER(compute_2d, record_2, g, R2)
CALLER(compute_2d_tiled, record_4, g, R2, T2)
CALLER(compute_3d_tiled, record_6, g, R3, T3)
CALLER(compute_4d_tiled, record_8, g, R4, T4)

static const struct function {
    const char *name;
    int dims, tiled;
    void (*call)(pthreadpool_t pool, struct grid *g, uint32_t flags);
} functions[] = {
    {"parallelize_1d", 1, 0, call_parallelize_1d},
    {"parallelize_1d_tile_1d", 1, 1, call_parallelize_1d_tile_1d},
    {"parallelize_2d", 2, 0, call_parallelize_2d},
    {"parallelize_2d_tile_1d", 2, 1, call_parallelize_2d_tile_1d},
    {"parallelize_2d_tile_2d", 2, 2, call_parallelize_2d_tile_2d},
    {"parallelize_3d", 3, 0, call_parallelize_3d},
    {"parallelize_3d_tile_1d", 3, 1, call_parallelize_3d_tile_1d},
    {"parallelize_3d_tile_2d", 3, 2, call_parallelize_3d_tile_2d},
    {"parallelize_4d", 4, 0, call_parallelize_4d},
    {"parallelize_4d_tile_1d", 4, 1, call_parallelize_4d_tile_1d},
    {"parallelize_4d_tile_2d", 4, 2, call_parallelize_4d_tile_2d},
    {"parallelize_5d", 5, 0, call_parallelize_5d},
    {"parallelize_5d_tile_1d", 5, 1, call_parallelize_5d_tile_1d},
    {"parallelize_5d_tile_2d", 5, 2, call_parallelize_5d_tile_2d},
    {"parallelize_6d", 6, 0, call_parallelize_6d},
    {"parallelize_6d_tile_1d", 6, 1, call_parallelize_6d_tile_1d},
    {"parallelize_6d_tile_2d", 6, 2, call_parallelize_6d_tile_2d},
    {"parallelize_1d_with_uarch", 1, 0, call_parallelize_1d_with_uarch},
    {"parallelize_2d_tile_2d_with_uarch", 2, 2, call_parallelize_2d_tile_2d_with_uarch},
    {"parallelize_3d_tile_2d_with_uarch", 3, 2, call_parallelize_3d_tile_2d_with_uarch},
    {"parallelize_4d_tile_2d_with_uarch", 4, 2, call_parallelize_4d_tile_2d_with_uarch},
    {"compute_1d", 1, 0, call_compute_1d},
    {"compute_1d_tiled", 1, 1, call_compute_1d_tiled},
    {"compute_2d", 2, 0, call_compute_2d},
    {"compute_2d_tiled", 2, 2, call_compute_2d_tiled},
    {"compute_3d_tiled", 3, 3, call_compute_3d_tiled},
    {"compute_4d_tiled", 4, 4, call_compute_4d_tiled},
};

/* ---- running one ---- */

/* g has its shape and ranges; on return it has been checked, and may be used again. */
static void run_grid(const struct function *f, pthreadpool_t pool, struct grid *g, uint32_t flags)
{
    size_t cells = cell_count(g);
    g->cells = calloc(cells ? cells : 1, sizeof(*g->cells));
    g->calls = g->bad = 0;
    f->call(pool, g, flags);
    bool good = g->bad == 0 && g->calls == tile_count(g);
    for (size_t i = 0; i < cells; i++)
        good = good && g->cells[i] == 1;
    free(g->cells);
    if (!good)
        fprintf(stderr, "%s: %u calls, %u bad\n", f->name, g->calls, g->bad);
    CHECK(good);
}

/* A range, sometimes empty or of one, and an edge on all sides of it. */
static size_t some_range(uint64_t *random, size_t most)
{
    uint32_t kind = test_random(random, 16);
    return kind == 0 ? 0 : kind == 1 ? 1 : 1 + test_random(random, (uint32_t)most);
}

static size_t some_edge(uint64_t *random, size_t range)
{
    switch (test_random(random, 8)) {
    case 0:
        return 1;
    case 1:
        return range > 1 ? range - 1 : 1;
    case 2:
        return range + 1;
    case 3:
        return SIZE_MAX - test_random(random, 2);
    case 4:
        return range ? range : 1;
    default:
        return 1 + test_random(random, (uint32_t)range + 2);
    }
}

static struct grid some_grid(const struct function *f, uint64_t *random)
{
    static const size_t most[] = {300, 40, 14, 8, 6, 5};
    struct grid g = {.dims = f->dims, .tiled = f->tiled};
    for (int d = 0; d < g.dims; d++)
        g.range[d] = some_range(random, most[g.dims - 1]);
    for (int t = 0; t < g.tiled; t++)
        g.tile[t] = some_edge(random, g.range[g.dims - g.tiled + t]);
    return g;
}

/* Each function, `rounds` grids. */
static void run_all(pthreadpool_t pool, long rounds, bool nested, uint64_t random)
{
    for (size_t i = 0; i < COUNT(functions); i++) {
        for (long r = 0; r < rounds; r++) {
            struct grid g = some_grid(&functions[i], &random);
            g.nested = nested;
            g.pool = pool;
            run_grid(&functions[i], pool, &g, (uint32_t)r & 3);
        }
    }
}

#endif
