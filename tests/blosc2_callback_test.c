/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The callback for c-blosc2, called by a stand-in in the way that c-blosc2 documents: the jobs of a
 * chunk are an array of structures, and in the delta decoder they block until the lowest has decoded
 * the chunk's first block.
 */
#include "tests/adapter_check.h"

#include <filch/blosc2.h>

/* c-blosc2's declarations. */
typedef void (*blosc_threads_callback)(void *callback_data, void (*dojob)(void *), int numjobs,
                                       size_t jobdata_elsize, void *jobdata);

static blosc_threads_callback callback = filch_blosc2_callback;

/* ---- the stand-in ---- */

enum { BLOCKS = 64, BLOCK = 512, JOBS_MAX = 16 };

struct chunk {
    const uint8_t *source;
    uint8_t decoded[BLOCKS][BLOCK];
    int jobs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool reference_is_there;
};

/* More than the callback may assume of it: an odd size. */
struct job {
    struct chunk *chunk;
    int number;
    uint32_t runs;
    char more[24];
};

static void decode_block(struct chunk *chunk, int block)
{
    const uint8_t *from = chunk->source + (size_t)block * BLOCK;
    pthread_mutex_lock(&chunk->mutex);
    while (block != 0 && !chunk->reference_is_there)
        pthread_cond_wait(&chunk->changed, &chunk->mutex);
    pthread_mutex_unlock(&chunk->mutex);
    for (int i = 0; i < BLOCK; i++)
        chunk->decoded[block][i] = block == 0 ? from[i] : from[i] ^ chunk->decoded[0][i];
    if (block != 0)
        return;
    pthread_mutex_lock(&chunk->mutex);
    chunk->reference_is_there = true;
    pthread_cond_broadcast(&chunk->changed);
    pthread_mutex_unlock(&chunk->mutex);
}

static void decode_some(void *arg)
{
    struct job *job = arg;
    struct chunk *chunk = job->chunk;
    job->runs++;
    int each = (BLOCKS + chunk->jobs - 1) / chunk->jobs;
    for (int b = job->number * each; b < BLOCKS && b < (job->number + 1) * each; b++)
        decode_block(chunk, b);
}

static void decode_chunk(int jobs, void *options)
{
    uint8_t source[BLOCKS * BLOCK];
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof(source); i++)
        source[i] = (uint8_t)test_random(&seed, 256);
    struct chunk *chunk = calloc(1, sizeof(*chunk));
    REQUIRE(chunk);
    *chunk = (struct chunk){.source = source,
                            .jobs = jobs,
                            .mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    struct job job[JOBS_MAX] = {{0}};
    for (int i = 0; i < jobs; i++)
        job[i] = (struct job){.chunk = chunk, .number = i};
    callback(options, decode_some, jobs, sizeof(*job), job);
    for (int i = 0; i < JOBS_MAX; i++)
        CHECK(job[i].runs == (i < jobs));
    bool right = true;
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < BLOCK; i++)
            right &= chunk->decoded[b][i] ==
                     (b == 0 ? source[i] : (uint8_t)(source[b * BLOCK + i] ^ source[i]));
    CHECK(right);
    free(chunk);
}

/* ---- cases ---- */

static void decode_chunks(void)
{
    for (int round = 0; round < 20; round++)
        for (int jobs = 1; jobs <= JOBS_MAX; jobs += 1 + jobs / 2)
            decode_chunk(jobs, NULL);
}

static int decode_in_task(void *arg)
{
    (void)arg;
    decode_chunks();
    return 0;
}

static void from_the_main_thread(void)
{
    decode_chunks();
}

static void from_tasks(void)
{
    in_task_of_each(decode_in_task);
}

static void from_two_threads_at_once(void)
{
    on_two_threads(decode_chunks);
}

static int decode_range(int64_t first, int64_t last, void *arg)
{
    (void)arg;
    for (int64_t i = first; i < last; i++)
        decode_chunk(1 + (int)(i % JOBS_MAX), NULL);
    return 0;
}

static int decode_in_a_loop(void *arg)
{
    (void)arg;
    return filch_for(0, 100, 1, decode_range, NULL);
}

static void nested_in_loops(void)
{
    in_task_of_each(decode_in_a_loop);
}

static void with_options(void)
{
    filch_runtime *rt = runtime_open(4);
    for (int participants = 0; participants < 4; participants++)
        decode_chunk(8, &(filch_loop_options){.runtime = rt, .participants = participants});
    runtime_close(rt);
}

static void cancelled_callers_finish_alone(void)
{
    in_cancelled_task_of_each(decode_chunks);
}

static void closing_runtimes_finish(void)
{
    while_runtimes_close(decode_chunks);
}

static filch_runtime *lost;

static void decode_with_lost(void)
{
    decode_chunk(8, &(filch_loop_options){.runtime = lost});
}

static void children_of_a_fork_finish_alone(void)
{
    lost = runtime_open(2);
    in_forked_child(decode_with_lost);
    runtime_close(lost);
}

static void no_jobs_are_no_calls(void)
{
    callback(NULL, decode_some, 0, sizeof(struct job), NULL);
    callback(NULL, decode_some, -1, sizeof(struct job), NULL);
}

int main(void)
{
    RUN(from_the_main_thread);
    RUN(from_tasks);
    RUN(from_two_threads_at_once);
    RUN(nested_in_loops);
    RUN(with_options);
    RUN(cancelled_callers_finish_alone);
    RUN(closing_runtimes_finish);
    RUN(children_of_a_fork_finish_alone);
    RUN(no_jobs_are_no_calls);
    return summary();
}
