/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c-blosc2 on filch: its jobs run as a loop of filch (loop.h), in place of a pool of c-blosc2's own.
 * A header alone, for c-blosc2's blosc2_set_threads_callback.
 *
 *     #include <blosc2.h>
 *     #include <filch/blosc2.h>
 *
 *     blosc2_set_threads_callback(filch_blosc2_callback, NULL); // before any other call of it
 *     blosc2_init();
 *     blosc2_set_nthreads(8);                                   // jobs that a chunk is cut into
 */
#ifndef FILCH_BLOSC2_H
#define FILCH_BLOSC2_H

#include <filch/atomic.h>
#include <filch/loop.h>

#include <string.h>

FILCH_BEGIN_DECLS

typedef struct filch__blosc2_jobs {
    void (*work)(void *);
    char *data;
    size_t size;
    uint32_t count, next;
} filch__blosc2_jobs;

static inline bool filch__blosc2_next(filch__blosc2_jobs *jobs)
{
    /* A claim hands over nothing: what a job reads was there before the loop began. */
    uint32_t i = filch__add_relaxed(&jobs->next, 1u);
    if (i >= jobs->count)
        return false;
    jobs->work(jobs->data + i * jobs->size);
    return true;
}

static inline int filch__blosc2_one(int64_t index, int participant, void *jobs)
{
    (void)index;
    (void)participant;
    filch__blosc2_next((filch__blosc2_jobs *)jobs);
    return 0;
}

/*
 * A blosc_threads_callback. options: a filch_loop_options that stays as it is while it is in use, or
 * NULL. Calls dojob(jobdata + i * jobdata_elsize) once for each i below numjobs, on the calling thread
 * or task and workers that are free, and returns when all have returned.
 *
 * Jobs begin in ascending order. That is part of the contract though c-blosc2 does not say so: in the
 * delta filter's decoder the other jobs block until the one with the chunk's first block, the lowest,
 * has decoded it.
 *
 * The callback has no way to fail: where the runtime closes, or the caller is cancelled, the caller
 * does what is left alone, still in that order.
 */
static inline void filch_blosc2_callback(void *options, void (*dojob)(void *), int numjobs,
                                         size_t jobdata_elsize, void *jobdata)
{
    filch__blosc2_jobs jobs = {dojob, (char *)jobdata, jobdata_elsize,
                               numjobs > 0 ? (uint32_t)numjobs : 0, 0};
    filch_loop_options o;
    memset(&o, 0, sizeof o);
    if (options != NULL)
        o = *(const filch_loop_options *)options;
    o.hold_thread = true; /* for what is below the caller */
    if (filch_run_n_with(&o, numjobs, filch__blosc2_one, &jobs) == 0)
        return;
    while (filch__blosc2_next(&jobs))
        ;
}

FILCH_END_DECLS

#endif
