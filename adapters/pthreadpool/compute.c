/* SPDX-License-Identifier: Apache-2.0 */
/* pthreadpool's older functions, which are deprecated: all dimensions are tiled, or none. */
#include "adapters/pthreadpool/pool.h"

static void run(pthreadpool_t pool, filch__grid_fn *fn, void *context, int dims,
                const size_t *range, int tiled, const size_t *tile)
{
    struct filch__grid g;
    filch__grid_open(&g, fn, context, dims, range, tiled, tile);
    filch__pool_run(pool, &g, 0);
}

void pthreadpool_compute_1d(pthreadpool_t threadpool, pthreadpool_function_1d_t function,
                            void *argument, size_t range)
{
    run(threadpool, (filch__grid_fn *)function, argument, 1, (size_t[]){range}, 0, NULL);
}

void pthreadpool_compute_1d_tiled(pthreadpool_t threadpool,
                                  pthreadpool_function_1d_tiled_t function, void *argument,
                                  size_t range, size_t tile)
{
    run(threadpool, (filch__grid_fn *)function, argument, 1, (size_t[]){range}, 1,
        (size_t[]){tile});
}

void pthreadpool_compute_2d(pthreadpool_t threadpool, pthreadpool_function_2d_t function,
                            void *argument, size_t range_i, size_t range_j)
{
    run(threadpool, (filch__grid_fn *)function, argument, 2, (size_t[]){range_i, range_j}, 0, NULL);
}

void pthreadpool_compute_2d_tiled(pthreadpool_t threadpool,
                                  pthreadpool_function_2d_tiled_t function, void *argument,
                                  size_t range_i, size_t range_j, size_t tile_i, size_t tile_j)
{
    run(threadpool, (filch__grid_fn *)function, argument, 2, (size_t[]){range_i, range_j}, 2,
        (size_t[]){tile_i, tile_j});
}

void pthreadpool_compute_3d_tiled(pthreadpool_t threadpool,
                                  pthreadpool_function_3d_tiled_t function, void *argument,
                                  size_t range_i, size_t range_j, size_t range_k, size_t tile_i,
                                  size_t tile_j, size_t tile_k)
{
    run(threadpool, (filch__grid_fn *)function, argument, 3, (size_t[]){range_i, range_j, range_k},
        3, (size_t[]){tile_i, tile_j, tile_k});
}

void pthreadpool_compute_4d_tiled(pthreadpool_t threadpool,
                                  pthreadpool_function_4d_tiled_t function, void *argument,
                                  size_t range_i, size_t range_j, size_t range_k, size_t range_l,
                                  size_t tile_i, size_t tile_j, size_t tile_k, size_t tile_l)
{
    run(threadpool, (filch__grid_fn *)function, argument, 4,
        (size_t[]){range_i, range_j, range_k, range_l}, 4,
        (size_t[]){tile_i, tile_j, tile_k, tile_l});
}
