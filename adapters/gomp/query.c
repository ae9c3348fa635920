/* SPDX-License-Identifier: Apache-2.0 */
/* Where code runs: threads, levels, leagues; and what time it is. */
#define _GNU_SOURCE 1
#include "adapters/gomp/gomp.h"

#include <sched.h>
#include <time.h>

int omp_get_thread_num(void)
{
    return filch__omp_self()->rank;
}

int omp_get_num_threads(void)
{
    return filch__omp_self()->region->size;
}

/* Those of the process, and not the workers: a library's constructor that asks starts no runtime. */
int omp_get_num_procs(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int omp_get_level(void)
{
    return filch__omp_self()->region->level;
}

int omp_get_active_level(void)
{
    return filch__omp_self()->region->active;
}

/* The thread of that level from which this one descends; NULL: there is no such level. A league is
 * run by a self that has no level of its own. */
static const struct filch__omp_self *ancestor(int level)
{
    const struct filch__omp_self *self = filch__omp_self();
    if (level < 0 || level > self->region->level)
        return NULL;
    while (self->region->level > level)
        self = self->outer;
    return self;
}

int omp_get_ancestor_thread_num(int level)
{
    const struct filch__omp_self *self = ancestor(level);
    return self ? self->rank : -1;
}

int omp_get_team_size(int level)
{
    const struct filch__omp_self *self = ancestor(level);
    return self ? self->region->size : -1;
}

int omp_in_final(void)
{
    return filch__omp_self()->task->final;
}

/* ---- leagues ---- */

int omp_get_num_teams(void)
{
    return filch__omp_self()->icv->teams;
}

int omp_get_team_num(void)
{
    return filch__omp_self()->icv->team;
}

/* Hints of later versions of OpenMP, without effect here. */
void omp_set_num_teams(int teams)
{
    (void)teams;
}

int omp_get_max_teams(void)
{
    return 0;
}

void omp_set_teams_thread_limit(int threads)
{
    (void)threads;
}

int omp_get_teams_thread_limit(void)
{
    return 0;
}

/* ---- time ---- */

static double seconds(struct timespec t)
{
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double omp_get_wtime(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return seconds(t);
}

double omp_get_wtick(void)
{
    struct timespec t;
    clock_getres(CLOCK_MONOTONIC, &t);
    return seconds(t);
}
