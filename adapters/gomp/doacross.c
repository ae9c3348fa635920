/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops whose iterations wait for others: depend(sink:) and depend(source). The outermost of the
 * nested loops is divided; so the iterations of one of its iterations are done in order, and how many
 * of them are done says which.
 */
#include "adapters/gomp/loop.h"
#include "adapters/gomp/wait.h"

#include <stdarg.h>
#include <string.h>

/* Most nested loops: more than compilers take. */
enum { LOOPS_MAX = 64 };

void filch__omp_doacross_make(struct filch__omp_share *share)
{
    size_t size = share->counts * sizeof *share->extent;
    uint64_t *extent = filch__omp_alloc(64, size);
    memcpy(extent, share->extent, size);
    share->extent = extent;
    if (extent[0] > SIZE_MAX / sizeof *share->done)
        filch__omp_die("GOMP_loop_doacross_start", "too many iterations");
    share->done = filch__omp_alloc(64, extent[0] ? extent[0] * sizeof *share->done : 1);
}

/* The order of an iteration among those of its outermost one, from 1. */
static uint64_t order(const struct filch__omp_share *share, const uint64_t *at)
{
    uint64_t n = 0;
    for (unsigned i = 1; i < share->counts; i++)
        n = n * share->extent[i] + at[i];
    return n + 1;
}

struct sink {
    const uint64_t *done;
    uint64_t order;
};

static bool is_done(void *ctx)
{
    const struct sink *sink = ctx;
    return filch__load_seq_cst(sink->done) >= sink->order;
}

static void post(struct filch__omp_self *self, const uint64_t *at)
{
    struct filch__omp_share *share = self->share;
    if (self->region->size == 1)
        return;
    filch__store_seq_cst(&share->done[at[0]], order(share, at));
    filch__omp_notify(self->region);
}

static void await(struct filch__omp_self *self, const uint64_t *at)
{
    struct sink sink = {&self->share->done[at[0]], order(self->share, at)};
    filch__omp_wait(self, FILCH__OMP_NO_TASKS, is_done, &sink);
}

void GOMP_doacross_post(long *counts)
{
    post(filch__omp_self(), (const uint64_t *)(const void *)counts);
}

void GOMP_doacross_ull_post(unsigned long long *counts)
{
    post(filch__omp_self(), (const uint64_t *)(const void *)counts);
}

void GOMP_doacross_wait(long first, ...)
{
    struct filch__omp_self *self = filch__omp_self();
    uint64_t at[LOOPS_MAX] = {(uint64_t)first};
    va_list more;
    if (self->region->size == 1)
        return;
    va_start(more, first);
    for (unsigned i = 1; i < self->share->counts; i++)
        at[i] = (uint64_t)va_arg(more, long);
    va_end(more);
    await(self, at);
}

void GOMP_doacross_ull_wait(unsigned long long first, ...)
{
    struct filch__omp_self *self = filch__omp_self();
    uint64_t at[LOOPS_MAX] = {first};
    va_list more;
    if (self->region->size == 1)
        return;
    va_start(more, first);
    for (unsigned i = 1; i < self->share->counts; i++)
        at[i] = va_arg(more, unsigned long long);
    va_end(more);
    await(self, at);
}

/* ---- starts ---- */

static bool start(unsigned counts, const void *extent, long schedule, uint64_t chunk,
                  uint64_t *first, uint64_t *last, uintptr_t *reductions, void **mem)
{
    struct filch__omp_self *self = filch__omp_self();
    const uint64_t *outer = extent;
    struct filch__omp_share model = filch__omp_loop_ull(true, 0, *outer, 1, schedule, chunk);
    if (counts > LOOPS_MAX)
        filch__omp_die("GOMP_loop_doacross_start", "too many nested loops");
    model.counts = counts;
    model.extent = (uint64_t *)(uintptr_t)extent; /* make copies it */
    filch__omp_loop_enter(self, &model, reductions, mem);
    return first ? filch__omp_loop_next(self, first, last) : true;
}

#define BOUND(p) ((uint64_t *)(void *)(p))

bool GOMP_loop_doacross_static_start(unsigned counts, long *extent, long chunk, long *first,
                                     long *last)
{
    return start(counts, extent, FILCH__OMP_STATIC, (uint64_t)chunk, BOUND(first), BOUND(last),
                 NULL, NULL);
}

bool GOMP_loop_doacross_dynamic_start(unsigned counts, long *extent, long chunk, long *first,
                                      long *last)
{
    return start(counts, extent, FILCH__OMP_DYNAMIC, (uint64_t)chunk, BOUND(first), BOUND(last),
                 NULL, NULL);
}

bool GOMP_loop_doacross_guided_start(unsigned counts, long *extent, long chunk, long *first,
                                     long *last)
{
    return start(counts, extent, FILCH__OMP_GUIDED, (uint64_t)chunk, BOUND(first), BOUND(last),
                 NULL, NULL);
}

bool GOMP_loop_doacross_runtime_start(unsigned counts, long *extent, long *first, long *last)
{
    return start(counts, extent, FILCH__OMP_RUNTIME, 0, BOUND(first), BOUND(last), NULL, NULL);
}

bool GOMP_loop_doacross_start(unsigned counts, long *extent, long schedule, long chunk, long *first,
                              long *last, uintptr_t *reductions, void **mem)
{
    return start(counts, extent, schedule, (uint64_t)chunk, BOUND(first), BOUND(last), reductions,
                 mem);
}

bool GOMP_loop_ull_doacross_static_start(unsigned counts, unsigned long long *extent,
                                         unsigned long long chunk, unsigned long long *first,
                                         unsigned long long *last)
{
    return start(counts, extent, FILCH__OMP_STATIC, chunk, BOUND(first), BOUND(last), NULL, NULL);
}

bool GOMP_loop_ull_doacross_dynamic_start(unsigned counts, unsigned long long *extent,
                                          unsigned long long chunk, unsigned long long *first,
                                          unsigned long long *last)
{
    return start(counts, extent, FILCH__OMP_DYNAMIC, chunk, BOUND(first), BOUND(last), NULL, NULL);
}

bool GOMP_loop_ull_doacross_guided_start(unsigned counts, unsigned long long *extent,
                                         unsigned long long chunk, unsigned long long *first,
                                         unsigned long long *last)
{
    return start(counts, extent, FILCH__OMP_GUIDED, chunk, BOUND(first), BOUND(last), NULL, NULL);
}

bool GOMP_loop_ull_doacross_runtime_start(unsigned counts, unsigned long long *extent,
                                          unsigned long long *first, unsigned long long *last)
{
    return start(counts, extent, FILCH__OMP_RUNTIME, 0, BOUND(first), BOUND(last), NULL, NULL);
}

bool GOMP_loop_ull_doacross_start(unsigned counts, unsigned long long *extent, long schedule,
                                  unsigned long long chunk, unsigned long long *first,
                                  unsigned long long *last, uintptr_t *reductions, void **mem)
{
    return start(counts, extent, schedule, chunk, BOUND(first), BOUND(last), reductions, mem);
}
