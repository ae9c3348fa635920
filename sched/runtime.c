/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/runtime.h"

#include "sched/admission.h"
#include "sched/barrier.h"
#include "sched/blocks.h"
#include "sched/clock.h"
#include "sched/forks.h"
#include "sched/frames.h"
#include "sched/idle.h"
#include "sched/os/clock.h"
#include "sched/os/cpus.h"
#include "sched/os/memory.h"
#include "sched/pool.h"
#include "sched/reactor.h"
#include "sched/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEQUE_CAPACITY 256
/* Address space of a worker's own stack: the loop runs on fibers, so it needs little. */
#define THREAD_STACK (256 * 1024)

static int worker_init(filch_runtime *rt, struct filch__worker *w, uint32_t index)
{
    w->rt = rt;
    w->index = index;
    w->random = index + 1;
    w->cpu = -1;
    filch__parker_init(&w->parker);
    filch__roster_init(&w->roster);
    int rc = filch__deque_init(&w->spawned, rt->arena, DEQUE_CAPACITY);
    if (rc == 0)
        rc = filch__deque_init(&w->ready, rt->arena, DEQUE_CAPACITY);
    if (rc == 0)
        rc = filch__cache_create(&w->cache, rt->arena);
    if (rc < 0)
        return rc;
    struct filch__fiber *first = filch__fiber_acquire(rt, NULL, rt->stack_size);
    if (!first)
        return -ENOMEM;
    filch__fiber_release(w, first);
    return 0;
}

static void worker_clear(struct filch__worker *w)
{
    filch__deque_destroy(&w->spawned);
    filch__deque_destroy(&w->ready);
    if (w->cache)
        filch__cache_destroy(w->cache);
}

/* All but the runtime itself and blocks that somebody still holds. No thread runs any more. */
static void free_workers(filch_runtime *rt)
{
    filch__fibers_drop_stacks(rt);
    for (uint32_t i = 0; i < rt->worker_count; i++)
        worker_clear(&rt->workers[i]);
    filch__free(rt->arena, rt->workers, rt->worker_count * sizeof *rt->workers, 64);
    filch__seats_destroy(&rt->participants, rt->arena);
    pthread_mutex_destroy(&rt->clock_lock);
    pthread_mutex_destroy(&rt->reactor_lock);
    pthread_mutex_destroy(&rt->pool_lock);
}

static void stop_threads(filch_runtime *rt, uint32_t started)
{
    filch__store_seq_cst(&rt->stop, 1);
    filch__barrier_heavy();
    for (uint32_t i = 0; i < started; i++)
        filch__idle_wake(&rt->workers[i]);
    for (uint32_t i = 0; i < started; i++)
        filch__thread_join(&rt->workers[i].thread);
}

static void pin_thread(struct filch__worker *w)
{
    int cpus[FILCH_WORKERS_MAX];
    int n = filch__cpus_list(cpus, FILCH_WORKERS_MAX);
    /* An affinity that is refused costs locality, nothing else. */
    if (n > 0)
        (void)filch__thread_pin(&w->thread, cpus[w->index % (uint32_t)n]);
}

static int start_threads(filch_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct filch__worker *w = &rt->workers[i];
        char name[32];
        snprintf(name, sizeof name, "%.10s/%u", rt->name, i);
        int rc = filch__thread_create(&w->thread, filch__worker_main, w, THREAD_STACK, name);
        if (rc < 0) {
            stop_threads(rt, i);
            return rc;
        }
        if (rt->options.pin)
            pin_thread(w);
    }
    return 0;
}

static int build(filch_runtime *rt, const filch_options *opt, int workers)
{
    rt->options = *opt;
    rt->stack_size = opt->stack_size ? opt->stack_size : FILCH_STACK_DEFAULT;
    snprintf(rt->name, sizeof rt->name, "%s", opt->name ? opt->name : "filch");
    rt->options.name = rt->name;
    pthread_mutex_init(&rt->fibers_lock, NULL);
    size_t size = (size_t)workers * sizeof *rt->workers;
    rt->workers = filch__alloc(rt->arena, size, 64);
    if (!rt->workers)
        return -ENOMEM;
    memset(rt->workers, 0, size);
    rt->worker_count = (uint32_t)workers;
    filch__blocks_init(rt);
    filch__roster_init(&rt->roster);
    filch__calls_init(&rt->calls);
    pthread_mutex_init(&rt->clock_lock, NULL);
    pthread_mutex_init(&rt->reactor_lock, NULL);
    pthread_mutex_init(&rt->pool_lock, NULL);
    int rc = filch__seats_init(&rt->participants, rt->arena, (uint32_t)workers,
                               FILCH__PARTICIPANTS_MORE);
    for (int i = 0; i < workers && rc == 0; i++)
        rc = worker_init(rt, &rt->workers[i], (uint32_t)i);
    if (rc == 0)
        rc = start_threads(rt);
    if (rc < 0)
        free_workers(rt);
    return rc;
}

int filch_runtime_create(filch_runtime **out, const filch_options *opt)
{
    static const filch_options defaults;
    opt = opt ? opt : &defaults;
    if (!out || opt->workers < 0 || opt->workers > FILCH_WORKERS_MAX || opt->blocking_threads < 0 ||
        opt->blocking_threads > FILCH_BLOCKING_THREADS_MAX ||
        (opt->stack_size && opt->stack_size < FILCH_STACK_MIN) || opt->stack_size > FILCH_STACK_MAX)
        return -EINVAL;
    filch__registry_init_process();
    int workers = opt->workers ? opt->workers : filch__cpus_usable();
    if (workers > FILCH_WORKERS_MAX)
        workers = FILCH_WORKERS_MAX;
    struct filch__arena *arena;
    int rc = filch__arena_create(&arena);
    if (rc < 0)
        return rc;
    filch_runtime *rt = filch__alloc(arena, sizeof *rt, 64);
    if (!rt) {
        filch__arena_destroy(arena);
        return -ENOMEM;
    }
    memset(rt, 0, sizeof *rt);
    rt->arena = arena;
    rc = build(rt, opt, workers);
    if (rc < 0) {
        filch__blocks_free_runtime(rt);
        return rc;
    }
    filch__registry_add(rt);
    *out = rt;
    return 0;
}

/*
 * Every wait returns, sees `closing`, and fails. The lock is held over both passes, so that they
 * see the same fibers; a fiber made later sees `closing` from its start.
 */
static void interrupt_all_fibers(filch_runtime *rt)
{
    pthread_mutex_lock(&rt->fibers_lock);
    bool again = false;
    for (struct filch__fiber *fiber = rt->fibers; fiber; fiber = fiber->next_all) {
        enum filch__interrupt action = filch__interrupt_begin(fiber);
        if (action == FILCH__INTERRUPT_WAKE)
            filch__unpark_claimed(fiber);
        again |= action == FILCH__INTERRUPT_END;
    }
    if (again)
        filch__barrier_heavy();
    for (struct filch__fiber *fiber = again ? rt->fibers : NULL; fiber; fiber = fiber->next_all)
        filch__interrupt_end(fiber);
    pthread_mutex_unlock(&rt->fibers_lock);
}

/* The calling thread has a frame open, or is in a loop, for whose end rt would wait. */
static bool thread_keeps(const filch_runtime *rt)
{
    const struct filch__frame *frame = *filch__frames_of_thread();
    if (filch__role_here()->rt == rt)
        return true;
    while (frame && frame->rt != rt)
        frame = frame->outer;
    return frame;
}

int filch_runtime_destroy(filch_runtime *rt)
{
    if (!rt)
        return -EINVAL;
    if (filch__load_acquire(&rt->lost))
        return -ESHUTDOWN;
    if (filch__worker_current() || filch__pool_of_thread() == rt)
        return -EDEADLK;
    if (thread_keeps(rt))
        return -EBUSY;
    if (filch__exchange_seq_cst(&rt->closing, 1))
        return -EALREADY;
    filch__barrier_heavy();
    filch__registry_tell_closing(rt);
    interrupt_all_fibers(rt);
    filch__admission_await_end(rt);
    filch__registry_remove(rt);
    stop_threads(rt, rt->worker_count);
    filch__pools_end(rt);
    filch__clock_end(rt);
    filch__reactor_end(rt);
    int64_t blocks = 0;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        filch__blocks_flush(&rt->workers[i]);
        blocks += rt->workers[i].counters.blocks;
    }
    free_workers(rt);
    filch__blocks_end(rt, blocks);
    return 0;
}
