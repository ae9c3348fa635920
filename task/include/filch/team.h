/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A team: exactly n members that run at the same time, each on a thread of its own, ranked from 0.
 * For code that must know how many there are, and whose members wait for each other: what is not so
 * is better off with a loop (loop.h). Rank 0 is the caller; the others are workers, and spare
 * threads where n is above what there is. There are all n, or there is an error.
 *
 *     static int sweep(filch_member *me, void *grid)
 *     {
 *         for (int step = 0; step < STEPS; step++) {
 *             advance(grid, me->rank, me->size);
 *             int rc = filch_team_barrier(me);
 *             if (rc < 0)
 *                 return rc;
 *         }
 *         return 0;
 *     }
 *     int rc = filch_team(filch_concurrency(NULL), sweep, &grid);
 *
 * One team of a runtime runs at a time; who waits for its turn suspends, and its worker serves the
 * team that runs, as does any other that comes to a wait or to its task's end. All begin when all
 * have come. Where a worker does not come within half a second, because it computes on, or waits for
 * something that is not filch's, a spare thread takes its place. A team that a member opens is
 * served by spare threads alone, at once. A member must not wait for a task that calls filch_team.
 */
#ifndef FILCH_TEAM_H
#define FILCH_TEAM_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* Most members of a team. */
#define FILCH_TEAM_MAX 4096

/* One of a team, while it runs; for that member's own use. */
typedef struct filch_member {
    int rank;    /* 0 to size - 1 */
    int size;    /* of the team */
    void *local; /* NULL at first; the member's, for what it likes */
    void *team;  /* filch's, as is the rest */
    uint64_t singles;
} filch_member;

/* < 0 cancels the team. */
typedef int filch_team_fn(filch_member *me, void *ctx);

/* Zero means default. */
typedef struct filch_team_options {
    filch_runtime *runtime; /* default: the caller's, on other threads the process's default */
    bool refuse;            /* -EAGAIN rather than spare threads */
    bool hold_thread;       /* as in filch_loop_options */
} filch_team_options;

/*
 * Calls fn once for each rank, and returns when all have returned: 0, or the first failure. Any
 * thread or task; in a task it may suspend while it waits for its turn and after rank 0 has ended;
 * on other threads it blocks then. Members may wait as they could elsewhere, but while they do their worker
 * may run other things; barriers hold it. Members other than the caller have the runtime's stack
 * size. On spare threads filch_cancelled is always false: see filch_team_cancelled. Barriers and spare
 * threads hold what they run on: a member must not wait for what needs the last free worker, a pinned
 * task, say. A task of another runtime is served by spare threads alone.
 *
 * The team is cancelled when a member fails, or when the caller's task or scope is, which is seen some
 * milliseconds after somebody has come to wait in a barrier. Then all barriers return -ECANCELED.
 *
 * -ECANCELED: cancelled, before fn was called or since. Where fn was not called: -EINVAL: n < 1 or above FILCH_TEAM_MAX, fn is
 * NULL. -EAGAIN: n is above what there is and spare threads are refused, or cannot be had; -ENOMEM;
 * -ESHUTDOWN: the runtime closes, or was lost to a fork(2).
 */
FILCH_API int filch_team(int n, filch_team_fn *fn, void *ctx);
FILCH_API int filch_team_with(const filch_team_options *o, int n, filch_team_fn *fn, void *ctx);

/*
 * By each member: returns when all have come: 0. What each did before is seen by all after. Spins
 * shortly, yields, then sleeps; holds the thread. -ECANCELED: the team is cancelled. A member that
 * returns without having come leaves the others waiting, unless it fails.
 */
FILCH_API int filch_team_barrier(filch_member *me);

/*
 * A barrier whose members help with what is left to do: help(ctx) is called until it returns false,
 * and again after each filch_team_rally. It is complete when all have come and, at one moment, none
 * is in help and none was rallied in vain. A member in help may bring more work, and rally the
 * others for it. Not from within help.
 */
FILCH_API int filch_team_barrier_helping(filch_member *me, bool (*help)(void *ctx), void *ctx);

/* By a member, after it has made work: one of those who wait in a helping barrier looks for it. */
FILCH_API void filch_team_rally(filch_member *me);

/* By each member, as often as the others: true to the first that comes to this call. */
FILCH_API bool filch_team_single(filch_member *me);

/* By a member. */
FILCH_API bool filch_team_cancelled(const filch_member *me);

/* The member that runs here, the innermost; NULL: none. In a loop's body or a forked job of a member
 * that another worker runs, too: NULL. */
FILCH_API filch_member *filch_team_member(void);

FILCH_END_DECLS

#endif
