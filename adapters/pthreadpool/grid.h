/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grid: what one call of pthreadpool runs over. All of its functions are one shape: 1 to 6
 * dimensions, the last `tiled` of them cut into tiles, and a call for each tile with its first indices
 * and, behind them, the lengths of the tiled ones. So a call has dims + tiled numbers, and functions
 * with as many have the same type, whatever the numbers mean. Tiles have a linear order, the last
 * dimension varies fastest; a run of consecutive tiles is walked without a division.
 */
#ifndef FILCH_ADAPTERS_PTHREADPOOL_GRID_H
#define FILCH_ADAPTERS_PTHREADPOOL_GRID_H

#include <stddef.h>
#include <stdint.h>

#define GRID_DIMS_MAX 6

/* Any function; it is called as its number of arguments says. */
typedef void filch__grid_fn(void);

struct filch__grid {
    filch__grid_fn *fn;
    void *context;
    int dims, tiled;
    int form;       /* how fn is called: one of grid.c's */
    uint32_t uarch; /* what functions that are told an id are told */
    size_t range[GRID_DIMS_MAX];
    size_t tile[GRID_DIMS_MAX];  /* edge: 1 in the dimensions that are not cut, never 0 */
    size_t tiles[GRID_DIMS_MAX]; /* how many */
    int64_t total;               /* of the grid; at most INT64_MAX, which nobody lives to see */
};

/*
 * fn(context, indices..., lengths...): range has dims numbers, tile as many as tiled. An edge of 0,
 * with which the loop would not end, counts as 1.
 */
void filch__grid_open(struct filch__grid *g, filch__grid_fn *fn, void *context, int dims,
                      const size_t *range, int tiled, const size_t *tile);

/* From now on fn is told an id too: fn(context, uarch, indices..., lengths...). */
void filch__grid_tell(struct filch__grid *g, uint32_t uarch);

/* Calls fn for the tiles [first, last), not empty, in their order. */
void filch__grid_walk(const struct filch__grid *g, int64_t first, int64_t last);

#endif
