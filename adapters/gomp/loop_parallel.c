/* SPDX-License-Identifier: Apache-2.0 */
/* Regions that are a loop: their threads are in it when they begin. */
#include "adapters/gomp/loop.h"

struct region_loop {
    void (*fn)(void *);
    void *data;
    const struct filch__omp_share *model;
};

static void run(void *ctx)
{
    const struct region_loop *loop = ctx;
    struct filch__omp_share model = *loop->model;
    filch__omp_loop_enter(filch__omp_self(), &model, NULL, NULL);
    loop->fn(loop->data);
}

static void parallel(void (*fn)(void *), void *data, unsigned threads,
                     const struct filch__omp_share *model)
{
    struct region_loop loop = {fn, data, model};
    filch__omp_parallel(run, &loop, threads, NULL);
}

void GOMP_parallel_loop_static(void (*fn)(void *), void *data, unsigned threads, long begin,
                               long end, long step, long chunk, unsigned flags)
{
    (void)flags;
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_STATIC, chunk);
    parallel(fn, data, threads, &model);
}

void GOMP_parallel_loop_dynamic(void (*fn)(void *), void *data, unsigned threads, long begin,
                                long end, long step, long chunk, unsigned flags)
{
    (void)flags;
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_DYNAMIC, chunk);
    parallel(fn, data, threads, &model);
}

void GOMP_parallel_loop_guided(void (*fn)(void *), void *data, unsigned threads, long begin,
                               long end, long step, long chunk, unsigned flags)
{
    (void)flags;
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_GUIDED, chunk);
    parallel(fn, data, threads, &model);
}

void GOMP_parallel_loop_runtime(void (*fn)(void *), void *data, unsigned threads, long begin,
                                long end, long step, unsigned flags)
{
    (void)flags;
    struct filch__omp_share model = filch__omp_loop_long(begin, end, step, FILCH__OMP_RUNTIME, 0);
    parallel(fn, data, threads, &model);
}

void GOMP_parallel_loop_nonmonotonic_dynamic(void (*fn)(void *), void *data, unsigned threads,
                                             long begin, long end, long step, long chunk,
                                             unsigned flags)
    FILCH__OMP_SAME_AS(GOMP_parallel_loop_dynamic);
void GOMP_parallel_loop_nonmonotonic_guided(void (*fn)(void *), void *data, unsigned threads,
                                            long begin, long end, long step, long chunk,
                                            unsigned flags)
    FILCH__OMP_SAME_AS(GOMP_parallel_loop_guided);
void GOMP_parallel_loop_nonmonotonic_runtime(void (*fn)(void *), void *data, unsigned threads,
                                             long begin, long end, long step, unsigned flags)
    FILCH__OMP_SAME_AS(GOMP_parallel_loop_runtime);
void GOMP_parallel_loop_maybe_nonmonotonic_runtime(void (*fn)(void *), void *data, unsigned threads,
                                                   long begin, long end, long step, unsigned flags)
    FILCH__OMP_SAME_AS(GOMP_parallel_loop_runtime);
