/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pthreadpool/pool.h"

#include "adapters/pthreadpool/denormals.h"

#include <filch/loop.h>
#include <filch/shield.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct pthreadpool {
    size_t threads; /* asked for */
};

pthreadpool_t pthreadpool_create(size_t threads_count)
{
    pthreadpool_t pool = malloc(sizeof(*pool));
    if (!pool)
        return NULL;
    long processors = threads_count ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
    pool->threads = threads_count ? threads_count : processors > 0 ? (size_t)processors : 1;
    return pool;
}

/* What was asked for, not what there is: callers cut their work by this number and size what each
 * thread has by it, and with another one would compute in another order. */
size_t pthreadpool_get_threads_count(pthreadpool_t threadpool)
{
    return threadpool ? threadpool->threads : 1;
}

void pthreadpool_destroy(pthreadpool_t threadpool)
{
    free(threadpool);
}

static void run_chunk(const struct filch__grid *g, int64_t first, int64_t last)
{
    filch__grid_walk(g, first, last);
}

static void run_chunk_without_denormals(const struct filch__grid *g, int64_t first, int64_t last)
{
    uint64_t before = denormals_disable();
    filch__grid_walk(g, first, last);
    denormals_restore(before);
}

struct loop {
    const struct filch__grid *grid;
    void (*chunk)(const struct filch__grid *g, int64_t first, int64_t last);
};

static int loop_body(int64_t first, int64_t last, void *ctx)
{
    const struct loop *l = ctx;
    l->chunk(l->grid, first, last);
    return 0;
}

/* Where this is not 0 no chunk has run. Filch takes no more participants than there are workers. */
static int run_shared(pthreadpool_t pool, struct loop *l)
{
    filch_loop_options o = {.participants = pool->threads < INT_MAX ? (int)pool->threads : INT_MAX,
                            .hold_thread = true};
    filch_shield whole;
    filch_shield_begin(&whole, 0);
    int rc = filch_for_with(&o, 0, l->grid->total, 0, loop_body, l);
    filch_shield_end(&whole);
    return rc;
}

void filch__pool_run(pthreadpool_t pool, const struct filch__grid *g, uint32_t flags)
{
    struct loop l = {.grid = g, .chunk = run_chunk};
    if (flags & PTHREADPOOL_FLAG_DISABLE_DENORMALS)
        l.chunk = run_chunk_without_denormals;
    if (g->total > 1 && pool && pool->threads > 1 && run_shared(pool, &l) == 0)
        return;
    if (g->total > 0)
        l.chunk(g, 0, g->total);
}
