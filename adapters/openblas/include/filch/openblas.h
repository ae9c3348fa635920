/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenBLAS 0.3.28 or later on filch: the jobs of a call run as the members of a team (team.h), in
 * place of threads of OpenBLAS' own. A header alone, for openblas_set_threads_callback_function.
 *
 *     #include <cblas.h>
 *     #include <filch/openblas.h>
 *
 *     openblas_set_threads_callback_function(filch_openblas_callback); // before any other call of it
 *     openblas_set_num_threads(filch_concurrency(NULL));
 *
 * It must be a team: the jobs of a matrix product spin until the others have packed their part, and
 * until theirs was read, so each of them must be running. So ask for as many threads as there are
 * workers, not more: filch starts the threads that are missing.
 */
#ifndef FILCH_OPENBLAS_H
#define FILCH_OPENBLAS_H

#include <errno.h>
#include <filch/atomic.h>
#include <filch/mutex.h>
#include <filch/shield.h>
#include <filch/team.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

FILCH_BEGIN_DECLS

typedef struct filch__openblas_jobs {
    void (*work)(int thread_num, void *jobdata, int dojob_data);
    char *data;
    size_t size;
    int count, context;
    uint32_t next; /* of the threads' fallback */
} filch__openblas_jobs;

static inline void filch__openblas_die(const char *why)
{
    fprintf(stderr, "filch: OpenBLAS' jobs cannot run: %s\n", why);
    abort();
}

static inline void filch__openblas_job(filch__openblas_jobs *jobs, int i)
{
    jobs->work(i, jobs->data + (size_t)i * jobs->size, jobs->context);
}

static inline int filch__openblas_member(filch_member *me, void *jobs)
{
    me->local = jobs;
    filch__openblas_job((filch__openblas_jobs *)jobs, me->rank);
    return 0;
}

static inline void *filch__openblas_thread(void *arg)
{
    filch__openblas_jobs *jobs = (filch__openblas_jobs *)arg;
    filch__openblas_job(jobs, (int)filch__add_relaxed(&jobs->next, 1u));
    return NULL;
}

/* Where no team can be had. The jobs may not run one after the other, and there is nobody to tell. */
static inline void filch__openblas_threads(filch__openblas_jobs *jobs)
{
    pthread_t *threads = (pthread_t *)malloc((size_t)jobs->count * sizeof(*threads));
    if (threads == NULL)
        filch__openblas_die("no memory");
    for (int i = 1; i < jobs->count; i++)
        if (pthread_create(&threads[i], NULL, filch__openblas_thread, jobs) != 0)
            filch__openblas_die("no team and no threads");
    filch__openblas_thread(jobs);
    for (int i = 1; i < jobs->count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

/*
 * An openblas_threads_callback. Calls dojob(i, jobdata + i * jobdata_elsize, dojob_data) for each i
 * below numjobs, all of them at once, and returns when all have returned, whether OpenBLAS asked for
 * that by sync or not. The first argument, its thread number, chooses the buffers that a job packs
 * into, which in OpenBLAS' pthreads build are the process's: so one call has them at a time, and
 * others wait. Any thread or task; a job must not come here again. The caller's cancellation is seen
 * afterwards.
 */
static inline void filch_openblas_callback(int sync, void (*dojob)(int, void *, int), int numjobs,
                                           size_t jobdata_elsize, void *jobdata, int dojob_data)
{
    static filch_mutex turn = FILCH_MUTEX;
    static filch__openblas_jobs *running;
    filch__openblas_jobs jobs = {dojob, (char *)jobdata, jobdata_elsize, numjobs, dojob_data, 0};
    filch_shield shield = {{0}};
    filch_team_options held;
    memset(&held, 0, sizeof held);
    held.hold_thread = true; /* the caller has locks of OpenBLAS, which are a thread's */
    (void)sync;
    if (numjobs <= 0)
        return;
    filch_member *member = filch_team_member();
    if (member != NULL && member->local != NULL && member->local == filch__load_relaxed(&running))
        filch__openblas_die("a job called OpenBLAS' threads again");
    filch_shield_begin(&shield, FILCH_NEVER);
    if (filch_mutex_lock(&turn) < 0)
        filch__openblas_die("no turn");
    filch__store_relaxed(&running, &jobs);
    int rc = filch_team_with(&held, numjobs, filch__openblas_member, &jobs);
    if (rc == -ECANCELED)
        filch__openblas_die("canceled in a shield");
    if (rc < 0)
        filch__openblas_threads(&jobs);
    filch__store_relaxed(&running, (filch__openblas_jobs *)NULL);
    filch_mutex_unlock(&turn);
    filch_shield_end(&shield);
}

FILCH_END_DECLS

#endif
