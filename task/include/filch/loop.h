/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops that run in parallel. The caller runs chunks of the loop itself, and workers that have
 * nothing else to do take chunks too, as long as there are any: so a loop that nobody has time to
 * help with is a plain loop, and loops inside of loops never use more threads than there are. The
 * call returns when each chunk that was begun has ended.
 *
 *     static int scale(int64_t first, int64_t last, void *ctx)
 *     {
 *         double *x = ctx;
 *         for (int64_t i = first; i < last; i++)
 *             x[i] *= 2;
 *         return 0;
 *     }
 *     int rc = filch_for(0, n, 0, scale, x);
 *
 * All of it is for any thread or task. In a task a call may suspend; another thread takes part as the
 * caller does, and blocks at the end until its helpers have left. A body may do what the caller
 * could: wait, fork, open scopes, call these functions again. It belongs to the caller's task and
 * scope; while it waits, what helps with the same loop goes on, and nothing else runs on its stack.
 *
 * What they return: 0, every chunk has run; the negative errno value of a body that failed;
 * -ECANCELED, the task or its scope was cancelled before all was done. After a failure or a cancel
 * no chunk is begun any more. -EINVAL: a wrong argument, -ESHUTDOWN: the runtime closes, or was lost
 * to a fork(2); no body was called.
 */
#ifndef FILCH_LOOP_H
#define FILCH_LOOP_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* Zero means default. */
typedef struct filch_loop_options {
    filch_runtime *runtime; /* whose workers help; default: the caller's, on other threads the
                               process's default runtime */
    int participants;       /* at most so many at once, the caller included; default: as many as the
                               runtime has workers, and never more than that */
    /*
     * A task that waits for the end of this keeps its thread, for half a second at most. Nothing else
     * runs there but members of teams (team.h). For callers that keep things by thread.
     */
    bool hold_thread;
} filch_loop_options;

/* [first, last), not empty. < 0 ends the loop. */
typedef int filch_for_fn(int64_t first, int64_t last, void *ctx);

/*
 * Calls body for chunks that together are [first, last), each index once, in any order. An empty or
 * inverted range is no call and 0. grain: indices of a chunk, the last one may have less; at most
 * the whole range. 0: chosen while the loop runs, so that a chunk takes some microseconds.
 * -EINVAL: body is NULL, grain negative.
 */
FILCH_API int filch_for(int64_t first, int64_t last, int64_t grain, filch_for_fn *body, void *ctx);
FILCH_API int filch_for_with(const filch_loop_options *o, int64_t first, int64_t last,
                             int64_t grain, filch_for_fn *body, void *ctx);

/* One dimension of a space of indices. */
typedef struct filch_span {
    int64_t first, last; /* [first, last) */
    int64_t tile;        /* edge of a tile; 0: chosen from the ranges */
} filch_span;

#define FILCH_DIMS_MAX 3

/* tile[d].first, .last of each dimension, none empty; .tile is its edge. < 0 ends the loop. */
typedef int filch_tile_fn(const filch_span *tile, void *ctx);

/*
 * The same in 1 to 3 dimensions: body is called for tiles, which at the upper bounds are cut. The
 * last dimension varies fastest. -EINVAL: dims out of range, spans or body is NULL, a tile
 * negative, more than INT64_MAX tiles.
 */
FILCH_API int filch_for_tiles(int dims, const filch_span *spans, filch_tile_fn *body, void *ctx);
FILCH_API int filch_for_tiles_with(const filch_loop_options *o, int dims, const filch_span *spans,
                                   filch_tile_fn *body, void *ctx);

/*
 * index: from 0. participant: who calls, unique among all that take part in any loop of the runtime at
 * this moment, and below filch_participants; so it may choose a scratch buffer. < 0 ends the loop.
 */
typedef int filch_run_n_fn(int64_t index, int participant, void *ctx);

/*
 * Exactly n calls of body unless one fails or the loop is cancelled, each by whoever is free, claimed
 * in ascending order: when a call begins, all with a lower index have begun or are just about to, so it
 * may wait for them. n <= 0 is no call and 0.
 * -EAGAIN: all numbers of participants are in use; no body was called.
 */
FILCH_API int filch_run_n(int64_t n, filch_run_n_fn *body, void *ctx);
FILCH_API int filch_run_n_with(const filch_loop_options *o, int64_t n, filch_run_n_fn *body,
                               void *ctx);

/* Numbers of participants that are not worker's: for bodies that wait, and for other threads. */
#define FILCH_PARTICIPANTS_MORE 256

/* Participants' numbers of rt are below this: its workers + FILCH_PARTICIPANTS_MORE. NULL: the
 * caller's runtime, on other threads the default one. */
FILCH_API int filch_participants(filch_runtime *rt);

/*
 * The number of the caller, in a body of any loop; also where the body waits, or calls loops of its
 * own. -EINVAL: in no body. -EAGAIN: all numbers are in use.
 */
FILCH_API int filch_participant(void);

/*
 * How many would take part in a loop that the caller began now: itself, and the workers of rt that
 * have nothing to do; at most as many as rt has workers. 1: all are busy. A team (team.h) of so many
 * begins without delay. It is a racy look, for a kernel that must know before it begins. rt as above.
 */
FILCH_API int filch_concurrency(filch_runtime *rt);

FILCH_END_DECLS

#endif
