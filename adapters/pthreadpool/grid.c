/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pthreadpool/grid.h"

#include <pthreadpool.h>

/* Indices of the tile, then the lengths. */
#define NUMBERS_MAX (GRID_DIMS_MAX + 2)

/* A form is the count of numbers, and this where an id comes before them. */
#define FORM_TOLD 16

static size_t tiles_along(size_t range, size_t tile)
{
    return tile == 1 ? range : range / tile + (range % tile != 0);
}

void filch__grid_open(struct filch__grid *g, filch__grid_fn *fn, void *context, int dims,
                      const size_t *range, int tiled, const size_t *tile)
{
    g->fn = fn;
    g->context = context;
    g->dims = dims;
    g->tiled = tiled;
    g->form = dims + tiled;
    g->uarch = 0;
    g->total = 1;
    for (int d = 0, whole = dims - tiled; d < dims; d++) {
        g->range[d] = range[d];
        g->tile[d] = d < whole || tile[d - whole] == 0 ? 1 : tile[d - whole];
        g->tiles[d] = tiles_along(range[d], g->tile[d]);
        /* An empty dimension makes it 0 in the end, also after an overflow. */
        if (__builtin_mul_overflow(g->total, g->tiles[d], &g->total))
            g->total = INT64_MAX;
    }
}

void filch__grid_tell(struct filch__grid *g, uint32_t uarch)
{
    g->form |= FORM_TOLD;
    g->uarch = uarch;
}

/* The tile begins at `at` in dimension d. */
static inline void place(const struct filch__grid *g, size_t *n, int d, size_t at)
{
    n[d] = at;
    if (d >= g->dims - g->tiled) {
        size_t left = g->range[d] - at;
        n[d + g->tiled] = left < g->tile[d] ? left : g->tile[d];
    }
}

static void place_at(const struct filch__grid *g, size_t *n, int64_t index)
{
    uint64_t i = (uint64_t)index;
    for (int d = g->dims - 1; d > 0; d--) {
        place(g, n, d, i % g->tiles[d] * g->tile[d]);
        i /= g->tiles[d];
    }
    place(g, n, 0, i * g->tile[0]);
}

/* To the next tile; from the last one to the first. */
static inline void step(const struct filch__grid *g, size_t *n)
{
    for (int d = g->dims - 1; d >= 0; d--) {
        if (g->range[d] - n[d] > g->tile[d]) {
            place(g, n, d, n[d] + g->tile[d]);
            return;
        }
        place(g, n, d, 0);
    }
}

/* As fn is called: where form is a constant one of the cases is left. */
static inline __attribute__((always_inline)) void call(filch__grid_fn *fn, void *c, uint32_t id,
                                                       const size_t *n, int form)
{
    switch (form) {
    case 1:
        ((pthreadpool_task_1d_t)fn)(c, n[0]);
        break;
    case 2:
        ((pthreadpool_task_2d_t)fn)(c, n[0], n[1]);
        break;
    case 3:
        ((pthreadpool_task_3d_t)fn)(c, n[0], n[1], n[2]);
        break;
    case 4:
        ((pthreadpool_task_4d_t)fn)(c, n[0], n[1], n[2], n[3]);
        break;
    case 5:
        ((pthreadpool_task_5d_t)fn)(c, n[0], n[1], n[2], n[3], n[4]);
        break;
    case 6:
        ((pthreadpool_task_6d_t)fn)(c, n[0], n[1], n[2], n[3], n[4], n[5]);
        break;
    case 7:
        ((pthreadpool_task_6d_tile_1d_t)fn)(c, n[0], n[1], n[2], n[3], n[4], n[5], n[6]);
        break;
    case 8:
        ((pthreadpool_task_6d_tile_2d_t)fn)(c, n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
        break;
    case FORM_TOLD + 1:
        ((pthreadpool_task_1d_with_id_t)fn)(c, id, n[0]);
        break;
    case FORM_TOLD + 4:
        ((pthreadpool_task_2d_tile_2d_with_id_t)fn)(c, id, n[0], n[1], n[2], n[3]);
        break;
    case FORM_TOLD + 5:
        ((pthreadpool_task_3d_tile_2d_with_id_t)fn)(c, id, n[0], n[1], n[2], n[3], n[4]);
        break;
    case FORM_TOLD + 6:
        ((pthreadpool_task_4d_tile_2d_with_id_t)fn)(c, id, n[0], n[1], n[2], n[3], n[4], n[5]);
        break;
    default:
        __builtin_unreachable();
    }
}

/* One of these for each form. */
static inline __attribute__((always_inline)) void walk(const struct filch__grid *g, int64_t first,
                                                       int64_t last, int form)
{
    filch__grid_fn *fn = g->fn;
    void *context = g->context;
    uint32_t uarch = g->uarch;
    size_t n[NUMBERS_MAX];
    place_at(g, n, first);
    for (;;) {
        call(fn, context, uarch, n, form);
        if (++first == last)
            return;
        step(g, n);
    }
}

void filch__grid_walk(const struct filch__grid *g, int64_t first, int64_t last)
{
    switch (g->form) {
    case 1:
        walk(g, first, last, 1);
        break;
    case 2:
        walk(g, first, last, 2);
        break;
    case 3:
        walk(g, first, last, 3);
        break;
    case 4:
        walk(g, first, last, 4);
        break;
    case 5:
        walk(g, first, last, 5);
        break;
    case 6:
        walk(g, first, last, 6);
        break;
    case 7:
        walk(g, first, last, 7);
        break;
    case 8:
        walk(g, first, last, 8);
        break;
    case FORM_TOLD + 1:
        walk(g, first, last, FORM_TOLD + 1);
        break;
    case FORM_TOLD + 4:
        walk(g, first, last, FORM_TOLD + 4);
        break;
    case FORM_TOLD + 5:
        walk(g, first, last, FORM_TOLD + 5);
        break;
    case FORM_TOLD + 6:
        walk(g, first, last, FORM_TOLD + 6);
        break;
    default:
        __builtin_unreachable();
    }
}
