/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many threads, and other control variables.
 *
 * omp_get_max_threads says the same to all and always, and a region whose program does not say how
 * many has just so many. OpenBLAS keeps the answer in a variable of all its callers, cuts its work
 * by that, and opens a region without a number: where the answers differ one caller's products are
 * cut by what another was told, and where the region has fewer threads than pieces it waits for ever.
 * That all are busy is said by omp_in_parallel instead, which libraries ask for each call.
 */
#include "adapters/gomp/gomp.h"

#include <filch/loop.h>
#include <filch/runtime.h>
#include <filch/task.h>

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* While dyn-var is true, as it is at first, no more than the default runtime has workers. */
int filch__omp_threads(struct filch__omp_self *self)
{
    int wanted = filch__load_relaxed(&self->icv->threads);
    if (wanted && !filch__load_relaxed(&self->icv->dynamic))
        return wanted;
    int workers = filch_runtime_workers(NULL);
    workers = workers < 1 ? 1 : workers;
    return wanted ? least(wanted, workers) : workers;
}

int omp_get_max_threads(void)
{
    return least(filch__omp_threads(filch__omp_self()), filch__omp_environment.thread_limit);
}

void omp_set_num_threads(int threads)
{
    filch__store_relaxed(&filch__omp_self()->icv->threads, threads < 1 ? 1 : threads);
}

/*
 * In a task of filch, where fewer workers than a region has threads have nothing to do, the caller is
 * one of several that compute already: a library that asks computes alone then, and opens no region
 * for which it would have to wait until others have ended. A thread outside is in parallel where
 * OpenMP says so.
 */
int omp_in_parallel(void)
{
    struct filch__omp_self *self = filch__omp_self();
    if (self->region->active > 0)
        return true;
    return filch_task_name() && filch_concurrency(NULL) < filch__omp_threads(self);
}

void omp_set_dynamic(int dynamic)
{
    filch__store_relaxed(&filch__omp_self()->icv->dynamic, dynamic != 0);
}

int omp_get_dynamic(void)
{
    return filch__load_relaxed(&filch__omp_self()->icv->dynamic);
}

void omp_set_nested(int nested)
{
    filch__store_relaxed(&filch__omp_self()->icv->max_levels, nested ? INT_MAX : 1);
}

int omp_get_nested(void)
{
    return omp_get_max_active_levels() > 1;
}

void omp_set_max_active_levels(int levels)
{
    if (levels >= 0)
        filch__store_relaxed(&filch__omp_self()->icv->max_levels, levels);
}

int omp_get_max_active_levels(void)
{
    return filch__load_relaxed(&filch__omp_self()->icv->max_levels);
}

int omp_get_supported_active_levels(void)
{
    return INT_MAX;
}

/* A modifier is accepted, and forgotten: chunks are handed out in ascending order anyway. */
void omp_set_schedule(unsigned kind, int chunk)
{
    struct filch__omp_icv *icv = filch__omp_self()->icv;
    int plain = FILCH__OMP_KIND(kind);
    if (plain < FILCH__OMP_STATIC || plain > FILCH__OMP_AUTO)
        return;
    filch__store_relaxed(&icv->schedule, plain);
    filch__store_relaxed(&icv->chunk, chunk > 0 && plain != FILCH__OMP_AUTO ? chunk : 0);
}

void omp_get_schedule(unsigned *kind, int *chunk)
{
    const struct filch__omp_icv *icv = filch__omp_self()->icv;
    *kind = (unsigned)filch__load_relaxed(&icv->schedule);
    *chunk = (int)filch__load_relaxed(&icv->chunk);
}

int omp_get_thread_limit(void)
{
    return filch__omp_environment.thread_limit;
}

int omp_get_max_task_priority(void)
{
    return 0;
}

int omp_get_cancellation(void)
{
    return 0;
}

/* Cancellation is disabled, as it is by default. */
bool GOMP_cancel(int which, bool condition)
{
    (void)which, (void)condition;
    return false;
}

bool GOMP_cancellation_point(int which)
{
    (void)which;
    return false;
}
