/* SPDX-License-Identifier: Apache-2.0 */
/* Parallel regions: how many threads, and their start and end. */
#include "adapters/gomp/reduction.h"
#include "adapters/gomp/share.h"
#include "adapters/gomp/task.h"
#include "adapters/gomp/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Selves of so many threads are on the caller's stack. */
enum { FEW = 8 };

/* All of them, or the end: a program that has cut its work in so many pieces waits for each. */
static void run_team(struct filch__omp_region *r)
{
    struct filch__omp_self few[FEW], *many = NULL;
    struct filch__omp_share first = {.left = 0};
    r->first = &first;
    r->selves = few;
    if (r->size > FEW)
        r->selves = many = filch__omp_alloc(64, (size_t)r->size * sizeof *many);
    else
        for (int i = 0; i < r->size; i++)
            r->selves[i].queue = (struct filch__omp_queue){0};
    int rc = filch__omp_team(r);
    r->first = NULL;
    free(many);
    if (rc < 0) {
        char why[80];
        snprintf(why, sizeof why, "cannot get %d threads: %s", r->size, strerror(-rc));
        filch__omp_die("GOMP_parallel", why);
    }
}

/*
 * BLIS reads OMP_NUM_THREADS itself and asks for just so many; it goes on with one thread if it does not
 * get them, and with no other number. More than there are CPUs, whose barriers spin, are what made it
 * slow: so where the variable is above the workers, who asks for its number gets one thread, unless
 * dyn-var is false.
 */
static bool is_wish_of_environment(struct filch__omp_self *self, unsigned threads)
{
    return threads > 1 && self->icv->dynamic &&
           threads == (unsigned)filch__omp_environment.threads[0] &&
           threads > (unsigned)filch__omp_threads(self);
}

static int size_of_region(struct filch__omp_self *self, unsigned threads)
{
    const struct filch__omp_icv *icv = self->icv;
    int limit = filch__omp_environment.thread_limit;
    if (threads == 1 || self->region->active >= icv->max_levels ||
        is_wish_of_environment(self, threads))
        return 1;
    long n = threads ? (long)threads : filch__omp_threads(self);
    if (n > limit)
        n = limit;
    if (n > FILCH_TEAM_MAX)
        filch__omp_die("GOMP_parallel", "more threads than a team may have");
    return (int)n;
}

unsigned filch__omp_parallel(void (*fn)(void *), void *data, unsigned threads,
                             const struct filch__omp_group *group)
{
    struct filch__omp_self *self = filch__omp_self();
    int n = size_of_region(self, threads);
    struct filch__omp_region r = {
        .size = n,
        .level = self->region->level + 1,
        .active = self->region->active + (n > 1),
        .fn = fn,
        .data = data,
        .outer = self,
    };
    if (group) {
        r.group = *group;
        filch__omp_reductions_make(r.group.reductions, (unsigned)n);
    }
    if (n > 1)
        run_team(&r);
    else
        filch__omp_alone(self, &r);
    return (unsigned)n;
}

void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags)
{
    (void)flags;
    filch__omp_parallel(fn, data, threads, NULL);
}

/* ---- barriers ---- */

static bool nothing_detached(void *ctx)
{
    struct filch__omp_region *r = ctx;
    return filch__load_seq_cst(&r->detached) == 0;
}

/* The barrier completes when nobody helps: so who has found nothing stays while an event is to
 * come that may bring more. */
static bool help(void *ctx)
{
    struct filch__omp_self *self = ctx;
    struct filch__omp_region *r = self->region;
    while (filch__omp_run_any(self))
        continue;
    if (filch__likely(nothing_detached(r)))
        return false;
    filch__omp_wait(self, FILCH__OMP_ALL_TASKS, nothing_detached, r);
    return true;
}

void filch__omp_barrier(struct filch__omp_self *self)
{
    if (self->region->size > 1) {
        if (filch_team_barrier_helping(self->member, help, self) < 0)
            filch__omp_die("GOMP_barrier", "the team was cancelled");
    } else if (!filch__omp_is_root(self)) {
        while (help(self))
            continue;
    }
}

void GOMP_barrier(void)
{
    filch__omp_barrier(filch__omp_self());
}

bool GOMP_barrier_cancel(void)
{
    GOMP_barrier();
    return false;
}

/* ---- leagues of teams: one after the other ---- */

struct league {
    void (*fn)(void *);
    void *data;
    int teams;
};

static void run_league(void *ctx)
{
    const struct league *league = ctx;
    struct filch__omp_icv *icv = filch__omp_self()->icv;
    icv->teams = league->teams;
    for (icv->team = 0; icv->team < league->teams; icv->team++)
        league->fn(league->data);
}

void GOMP_teams_reg(void (*fn)(void *), void *data, unsigned teams, unsigned threads,
                    unsigned flags)
{
    (void)threads, (void)flags;
    struct league league = {fn, data, teams ? (int)teams : 1};
    struct filch__omp_self *self = filch__omp_self();
    struct filch__omp_region r = {
        .size = 1,
        .level = self->region->level,
        .active = self->region->active,
        .fn = run_league,
        .data = &league,
    };
    filch__omp_alone(self, &r);
}
