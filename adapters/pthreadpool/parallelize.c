/* SPDX-License-Identifier: Apache-2.0 */
/* pthreadpool's functions, each a grid: dimensions and ranges, tiled dimensions and edges. */
#include "adapters/pthreadpool/pool.h"

static void run(pthreadpool_t pool, filch__grid_fn *fn, void *context, int dims,
                const size_t *range, int tiled, const size_t *tile, uint32_t flags)
{
    struct filch__grid g;
    filch__grid_open(&g, fn, context, dims, range, tiled, tile);
    filch__pool_run(pool, &g, flags);
}

/* The id is the microarchitecture of the CPU that runs, for those who ask cpuinfo. Debian's library
 * does not and neither does this one: then it is the default, which may be above the maximum. */
static void run_told(pthreadpool_t pool, filch__grid_fn *fn, void *context, uint32_t uarch,
                     int dims, const size_t *range, int tiled, const size_t *tile, uint32_t flags)
{
    struct filch__grid g;
    filch__grid_open(&g, fn, context, dims, range, tiled, tile);
    filch__grid_tell(&g, uarch);
    filch__pool_run(pool, &g, flags);
}

void pthreadpool_parallelize_1d(pthreadpool_t threadpool, pthreadpool_task_1d_t function,
                                void *context, size_t range, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 1, (size_t[]){range}, 0, NULL, flags);
}

void pthreadpool_parallelize_1d_with_uarch(pthreadpool_t threadpool,
                                           pthreadpool_task_1d_with_id_t function, void *context,
                                           uint32_t default_uarch_index, uint32_t max_uarch_index,
                                           size_t range, uint32_t flags)
{
    (void)max_uarch_index;
    run_told(threadpool, (filch__grid_fn *)function, context, default_uarch_index, 1,
             (size_t[]){range}, 0, NULL, flags);
}

void pthreadpool_parallelize_1d_tile_1d(pthreadpool_t threadpool,
                                        pthreadpool_task_1d_tile_1d_t function, void *context,
                                        size_t range, size_t tile, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 1, (size_t[]){range}, 1, (size_t[]){tile},
        flags);
}

void pthreadpool_parallelize_2d(pthreadpool_t threadpool, pthreadpool_task_2d_t function,
                                void *context, size_t range_i, size_t range_j, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 2, (size_t[]){range_i, range_j}, 0, NULL,
        flags);
}

void pthreadpool_parallelize_2d_tile_1d(pthreadpool_t threadpool,
                                        pthreadpool_task_2d_tile_1d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t tile_j,
                                        uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 2, (size_t[]){range_i, range_j}, 1,
        (size_t[]){tile_j}, flags);
}

void pthreadpool_parallelize_2d_tile_2d(pthreadpool_t threadpool,
                                        pthreadpool_task_2d_tile_2d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t tile_i,
                                        size_t tile_j, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 2, (size_t[]){range_i, range_j}, 2,
        (size_t[]){tile_i, tile_j}, flags);
}

void pthreadpool_parallelize_2d_tile_2d_with_uarch(pthreadpool_t threadpool,
                                                   pthreadpool_task_2d_tile_2d_with_id_t function,
                                                   void *context, uint32_t default_uarch_index,
                                                   uint32_t max_uarch_index, size_t range_i,
                                                   size_t range_j, size_t tile_i, size_t tile_j,
                                                   uint32_t flags)
{
    (void)max_uarch_index;
    run_told(threadpool, (filch__grid_fn *)function, context, default_uarch_index, 2,
             (size_t[]){range_i, range_j}, 2, (size_t[]){tile_i, tile_j}, flags);
}

void pthreadpool_parallelize_3d(pthreadpool_t threadpool, pthreadpool_task_3d_t function,
                                void *context, size_t range_i, size_t range_j, size_t range_k,
                                uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 3, (size_t[]){range_i, range_j, range_k},
        0, NULL, flags);
}

void pthreadpool_parallelize_3d_tile_1d(pthreadpool_t threadpool,
                                        pthreadpool_task_3d_tile_1d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t tile_k, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 3, (size_t[]){range_i, range_j, range_k},
        1, (size_t[]){tile_k}, flags);
}

void pthreadpool_parallelize_3d_tile_2d(pthreadpool_t threadpool,
                                        pthreadpool_task_3d_tile_2d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t tile_j, size_t tile_k, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 3, (size_t[]){range_i, range_j, range_k},
        2, (size_t[]){tile_j, tile_k}, flags);
}

void pthreadpool_parallelize_3d_tile_2d_with_uarch(pthreadpool_t threadpool,
                                                   pthreadpool_task_3d_tile_2d_with_id_t function,
                                                   void *context, uint32_t default_uarch_index,
                                                   uint32_t max_uarch_index, size_t range_i,
                                                   size_t range_j, size_t range_k, size_t tile_j,
                                                   size_t tile_k, uint32_t flags)
{
    (void)max_uarch_index;
    run_told(threadpool, (filch__grid_fn *)function, context, default_uarch_index, 3,
             (size_t[]){range_i, range_j, range_k}, 2, (size_t[]){tile_j, tile_k}, flags);
}

void pthreadpool_parallelize_4d(pthreadpool_t threadpool, pthreadpool_task_4d_t function,
                                void *context, size_t range_i, size_t range_j, size_t range_k,
                                size_t range_l, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 4,
        (size_t[]){range_i, range_j, range_k, range_l}, 0, NULL, flags);
}

void pthreadpool_parallelize_4d_tile_1d(pthreadpool_t threadpool,
                                        pthreadpool_task_4d_tile_1d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t range_l, size_t tile_l, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 4,
        (size_t[]){range_i, range_j, range_k, range_l}, 1, (size_t[]){tile_l}, flags);
}

void pthreadpool_parallelize_4d_tile_2d(pthreadpool_t threadpool,
                                        pthreadpool_task_4d_tile_2d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t range_l, size_t tile_k, size_t tile_l,
                                        uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 4,
        (size_t[]){range_i, range_j, range_k, range_l}, 2, (size_t[]){tile_k, tile_l}, flags);
}

void pthreadpool_parallelize_4d_tile_2d_with_uarch(pthreadpool_t threadpool,
                                                   pthreadpool_task_4d_tile_2d_with_id_t function,
                                                   void *context, uint32_t default_uarch_index,
                                                   uint32_t max_uarch_index, size_t range_i,
                                                   size_t range_j, size_t range_k, size_t range_l,
                                                   size_t tile_k, size_t tile_l, uint32_t flags)
{
    (void)max_uarch_index;
    run_told(threadpool, (filch__grid_fn *)function, context, default_uarch_index, 4,
             (size_t[]){range_i, range_j, range_k, range_l}, 2, (size_t[]){tile_k, tile_l}, flags);
}

void pthreadpool_parallelize_5d(pthreadpool_t threadpool, pthreadpool_task_5d_t function,
                                void *context, size_t range_i, size_t range_j, size_t range_k,
                                size_t range_l, size_t range_m, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 5,
        (size_t[]){range_i, range_j, range_k, range_l, range_m}, 0, NULL, flags);
}

void pthreadpool_parallelize_5d_tile_1d(pthreadpool_t threadpool,
                                        pthreadpool_task_5d_tile_1d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t range_l, size_t range_m, size_t tile_m,
                                        uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 5,
        (size_t[]){range_i, range_j, range_k, range_l, range_m}, 1, (size_t[]){tile_m}, flags);
}

void pthreadpool_parallelize_5d_tile_2d(pthreadpool_t threadpool,
                                        pthreadpool_task_5d_tile_2d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t range_l, size_t range_m, size_t tile_l,
                                        size_t tile_m, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 5,
        (size_t[]){range_i, range_j, range_k, range_l, range_m}, 2, (size_t[]){tile_l, tile_m},
        flags);
}

void pthreadpool_parallelize_6d(pthreadpool_t threadpool, pthreadpool_task_6d_t function,
                                void *context, size_t range_i, size_t range_j, size_t range_k,
                                size_t range_l, size_t range_m, size_t range_n, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 6,
        (size_t[]){range_i, range_j, range_k, range_l, range_m, range_n}, 0, NULL, flags);
}

void pthreadpool_parallelize_6d_tile_1d(pthreadpool_t threadpool,
                                        pthreadpool_task_6d_tile_1d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t range_l, size_t range_m, size_t range_n,
                                        size_t tile_n, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 6,
        (size_t[]){range_i, range_j, range_k, range_l, range_m, range_n}, 1, (size_t[]){tile_n},
        flags);
}

void pthreadpool_parallelize_6d_tile_2d(pthreadpool_t threadpool,
                                        pthreadpool_task_6d_tile_2d_t function, void *context,
                                        size_t range_i, size_t range_j, size_t range_k,
                                        size_t range_l, size_t range_m, size_t range_n,
                                        size_t tile_m, size_t tile_n, uint32_t flags)
{
    run(threadpool, (filch__grid_fn *)function, context, 6,
        (size_t[]){range_i, range_j, range_k, range_l, range_m, range_n}, 2,
        (size_t[]){tile_m, tile_n}, flags);
}
