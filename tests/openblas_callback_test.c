/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The callback for OpenBLAS, called by a stand-in in the way that OpenBLAS calls it: the jobs of a
 * product pack a part each into the buffer of their thread number, and spin until the others' parts
 * are there, and until theirs was read by all.
 */
#include "sched/os/fault.h"
#include "tests/adapter_check.h"

#include <filch/openblas.h>

/* OpenBLAS' declarations. */
typedef void (*openblas_dojob_callback)(int thread_num, void *jobdata, int dojob_data);
typedef void (*openblas_threads_callback)(int sync, openblas_dojob_callback dojob, int numjobs,
                                          size_t jobdata_elsize, void *jobdata, int dojob_data);

static openblas_threads_callback callback = filch_openblas_callback;

/* ---- the stand-in ---- */

enum { JOBS_MAX = 8, PART = 64, ROUNDS = 3, CONTEXT = 5 };

/* The process's, one for each thread number, as in OpenBLAS' pthreads build. */
static struct buffer {
    uint32_t owners;
    uint64_t part[PART];
} buffers[JOBS_MAX];

struct product {
    int jobs;
    uint64_t sum[JOBS_MAX];
    /* working[i][j]: i has packed a part, and j has not yet read it. */
    uint32_t working[JOBS_MAX][JOBS_MAX];
};

struct job {
    struct product *product;
    int number;
    char more[40];
};

static uint64_t value_of(int job, int round, int i)
{
    return (uint64_t)(job + 1) * 1000003u + (uint64_t)round * 101u + (uint64_t)i;
}

static void pack(struct product *p, struct buffer *mine, int me, int round)
{
    for (int j = 0; j < p->jobs; j++)
        SPIN_UNTIL(!flag_up(&p->working[me][j]));
    for (int i = 0; i < PART; i++)
        mine->part[i] = value_of(me, round, i);
    for (int j = 0; j < p->jobs; j++)
        raise_flag(&p->working[me][j]);
}

static void use(struct product *p, int me, int other)
{
    SPIN_UNTIL(flag_up(&p->working[other][me]));
    for (int i = 0; i < PART; i++)
        p->sum[me] += buffers[other].part[i];
    filch__store_release(&p->working[other][me], 0u);
}

static void multiply_part(int thread, void *arg, int context)
{
    struct job *job = arg;
    struct product *p = job->product;
    REQUIRE(thread == job->number && thread < p->jobs && context == CONTEXT);
    struct buffer *mine = &buffers[thread];
    CHECK(filch__add_acq_rel(&mine->owners, 1u) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        pack(p, mine, thread, round);
        for (int i = 0; i < p->jobs; i++)
            use(p, thread, (thread + i) % p->jobs);
    }
    for (int j = 0; j < p->jobs; j++)
        SPIN_UNTIL(!flag_up(&p->working[thread][j]));
    filch__sub_acq_rel(&mine->owners, 1u);
}

static void multiply(int jobs, int sync)
{
    struct product product = {.jobs = jobs};
    struct job job[JOBS_MAX] = {{0}};
    uint64_t expected = 0;
    for (int j = 0; j < jobs; j++) {
        job[j] = (struct job){.product = &product, .number = j};
        for (int round = 0; round < ROUNDS; round++)
            for (int i = 0; i < PART; i++)
                expected += value_of(j, round, i);
    }
    callback(sync, multiply_part, jobs, sizeof(*job), job, CONTEXT);
    for (int j = 0; j < jobs; j++)
        CHECK(product.sum[j] == expected);
}

/* Jobs that do not wait for each other, as those of vectors. */
static void scale_part(int thread, void *arg, int context)
{
    struct job *job = arg;
    REQUIRE(thread == job->number && context == CONTEXT);
    CHECK(filch__add_acq_rel(&buffers[thread].owners, 1u) == 0);
    job->product->sum[thread]++;
    filch__sub_acq_rel(&buffers[thread].owners, 1u);
}

static void scale(int jobs)
{
    struct product product = {.jobs = jobs};
    struct job job[JOBS_MAX] = {{0}};
    for (int j = 0; j < jobs; j++)
        job[j] = (struct job){.product = &product, .number = j};
    callback(1, scale_part, jobs, sizeof(*job), job, CONTEXT);
    for (int j = 0; j < jobs; j++)
        CHECK(product.sum[j] == 1);
}

/* ---- cases ---- */

static void multiply_some(void)
{
    for (int jobs = 1; jobs <= JOBS_MAX; jobs++)
        scale(jobs);
    for (int round = 0; round < 3; round++)
        for (int jobs = 1; jobs <= JOBS_MAX; jobs += 1 + jobs / 2)
            multiply(jobs, round != 1);
}

static int multiply_in_task(void *arg)
{
    (void)arg;
    multiply_some();
    CHECK(filch_yield() == 0);
    return 0;
}

static void from_the_main_thread(void)
{
    multiply_some();
}

static void from_tasks(void)
{
    in_task_of_each(multiply_in_task);
}

static void from_two_threads_at_once(void)
{
    on_two_threads(multiply_some);
}

static int multiply_range(int64_t first, int64_t last, void *arg)
{
    (void)arg;
    for (int64_t i = first; i < last; i++)
        multiply(1 + (int)(i % 3), 1);
    return 0;
}

static int multiply_in_a_loop(void *arg)
{
    (void)arg;
    return filch_for(0, 30, 1, multiply_range, NULL);
}

static void nested_in_loops(void)
{
    in_task_of_each(multiply_in_a_loop);
}

/* Two runtimes have a team each; the buffers are the process's. */
static void *run_in_a_runtime(void *rt)
{
    CHECK(filch_run(rt, multiply_in_task, NULL) == 0);
    return NULL;
}

static void from_two_runtimes_at_once(void)
{
    filch_runtime *first = runtime_open(2), *second = runtime_open(2);
    pthread_t thread = thread_start(run_in_a_runtime, first);
    run_in_a_runtime(second);
    thread_join(thread);
    runtime_close(first);
    runtime_close(second);
}

static int multiply_on_each_member(filch_member *me, void *arg)
{
    (void)arg;
    multiply(2, 1);
    return filch_team_barrier(me);
}

static void from_members_of_a_team(void)
{
    CHECK(filch_team(2, multiply_on_each_member, NULL) == 0);
}

static void cancelled_callers_finish(void)
{
    in_cancelled_task_of_each(multiply_some);
}

static void closing_runtimes_finish(void)
{
    while_runtimes_close(multiply_some);
}

static void children_of_a_fork_finish(void)
{
    in_forked_child(multiply_some);
}

#ifdef FILCH_FAULTS

static int multiply_without_spares(void *arg)
{
    (void)arg;
    filch__fault_arm(FILCH__FAULT_THREAD, 0, true);
    multiply(JOBS_MAX, 1);
    CHECK(filch_participants(NULL) - FILCH_PARTICIPANTS_MORE >= JOBS_MAX ||
          filch__fault_seen(FILCH__FAULT_THREAD) > 0);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    multiply(JOBS_MAX, 1);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    filch__fault_arm(FILCH__FAULT_THREAD, -1, false);
    return 0;
}

static void where_no_team_can_be_had_threads_do_it(void)
{
    in_task_of_each(multiply_without_spares);
}

#endif

static void no_jobs_are_no_calls(void)
{
    callback(1, multiply_part, 0, sizeof(struct job), NULL, CONTEXT);
    callback(1, multiply_part, -1, sizeof(struct job), NULL, CONTEXT);
}

int main(void)
{
    RUN(from_the_main_thread);
    RUN(from_tasks);
    RUN(from_two_threads_at_once);
    RUN(nested_in_loops);
    RUN(from_two_runtimes_at_once);
    RUN(from_members_of_a_team);
    RUN(cancelled_callers_finish);
    RUN(closing_runtimes_finish);
    if (!WITH_TSAN) /* it allows no threads there */
        RUN(children_of_a_fork_finish);
#ifdef FILCH_FAULTS
    RUN(where_no_team_can_be_had_threads_do_it);
#endif
    RUN(no_jobs_are_no_calls);
    return summary();
}
