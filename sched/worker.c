/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/worker.h"

#include "sched/admission.h"
#include "sched/fiber/overflow.h"
#include "sched/forks.h"
#include "sched/idle.h"
#include "sched/os/chaos.h"
#include "sched/os/clock.h"
#include "sched/reactor.h"
#include "sched/runtime.h"
#include "sched/switch.h"

#include <errno.h>

/*
 * A worker looks at the injector, and at its own oldest work, once in so many picks: what came
 * first must not starve behind what comes all the time.
 */
#define FAIRNESS 64
/* It asks for file descriptors that are ready when it runs out of work, and once in so many picks. */
#define PATIENCE 128
/* One pick in so many prefers new tasks to ready fibers, and pinned work to both. */
#define TURN 8
/* So many ready fibers are not in the caches. */
#define COLD 32
/* What is used of the stack of a fiber that is resumed, in cache lines. */
#define USED 8
/* How deep a join looks for its task among the newest. */
#define DEPTH 8

void filch__worker_keep(struct filch__worker *w, struct filch__runnable *r)
{
    if (!r)
        return;
    while (r) {
        struct filch__runnable *next = r->next;
        filch__worker_push(w, &w->ready, r);
        r = next;
    }
    filch__idle_notify(w->rt);
}

/* Takes all that came from outside into w's own deque, where others can steal it. */
static void empty_injector(struct filch__worker *w)
{
    struct filch__runnable *r = filch__injector_take_all(&w->rt->injector);
    filch__chaos_nap();
    filch__worker_keep(w, r);
}

static struct filch__runnable *pick_pinned(struct filch__worker *w)
{
    struct filch__runnable *arrived = filch__injector_take_all(&w->inbox);
    if (arrived) {
        if (w->pinned)
            filch__runnable_link(w->pinned_last, arrived);
        else
            filch__store_release(&w->pinned, arrived);
        while (arrived->next)
            arrived = arrived->next;
        w->pinned_last = arrived;
    }
    struct filch__runnable *r = w->pinned;
    if (r)
        filch__store_release(&w->pinned, r->next);
    return r;
}

/*
 * Among many fibers that have waited long each is in memory alone: its structure, its task, the top
 * of its stack and the way there through the page table. So those that come next are fetched, some
 * at a time, for the CPU walks through the page table for several at once: first the structures of
 * the next but one turn, then the stacks of the next turn, for which the structures must be there.
 */
static void fetch_ahead(const struct filch__deque *ready)
{
    for (uint32_t n = TURN; n < 2 * TURN; n++) {
        struct filch__runnable *r = filch__deque_hint(ready, n);
        if (!r || !filch__fiber_is_resume(r))
            continue;
        const char *fiber = (const char *)filch__fiber_of_resume(r);
        __builtin_prefetch(fiber + offsetof(struct filch__fiber, forks.cancelled), 1);
        __builtin_prefetch(fiber + offsetof(struct filch__fiber, worker), 1);
        __builtin_prefetch(fiber + offsetof(struct filch__fiber, waiting), 1);
    }
    for (uint32_t n = 0; n < TURN; n++) {
        struct filch__runnable *r = filch__deque_hint(ready, n);
        if (!r || !filch__fiber_is_resume(r))
            continue;
        const struct filch__fiber *fiber = filch__fiber_of_resume(r);
        const char *task = filch__load_relaxed(&fiber->task);
        const char *stack = filch__load_relaxed(&fiber->context.sp);
        __builtin_prefetch(task, 1);
        __builtin_prefetch(task + FILCH__LINE, 1);
        for (int line = 0; line < USED; line++)
            __builtin_prefetch(stack + line * FILCH__LINE, 1);
    }
}

/* The oldest ready one, or by chaos the next, and that one comes last. Where there is but one it
 * is the newest too, which costs no locked instruction. */
static inline struct filch__runnable *take_ready(struct filch__worker *w)
{
    struct filch__runnable *r = NULL;
    if (filch__deque_length(&w->ready) == 1)
        r = filch__deque_pop(&w->ready);
    if (!r)
        r = filch__deque_take(&w->ready);
    if (!filch__chaos_stray(w->rt->worker_count) || !r)
        return r;
    filch__runnable_link(r, NULL);
    filch__worker_keep(w, r);
    return filch__deque_take(&w->ready);
}

struct filch__runnable *filch__worker_pick_ready(struct filch__worker *w)
{
    if (filch__unlikely((w->tick + 1) % TURN == 0 || filch__load_relaxed(&w->rt->calls.urgent) ||
                        w->aside))
        return NULL;
    w->tick++;
    return take_ready(w);
}

static inline struct filch__runnable *answer(struct filch__worker *w)
{
    return filch__load_relaxed(&w->rt->calls.wanted) ? filch__calls_answer(w, false) : NULL;
}

struct filch__runnable *filch__worker_pick(struct filch__worker *w)
{
    struct filch__runnable *r = NULL;
    if (filch__unlikely(w->aside != NULL)) {
        r = &w->aside->resume;
        w->aside = NULL;
        w->left_aside = filch__fiber_here()->task;
        return r;
    }
    if (filch__unlikely(filch__load_relaxed(&w->rt->calls.urgent)))
        r = filch__calls_answer(w, true);
    if (filch__chaos_stray(w->rt->worker_count))
        w->tick |= TURN - 1;
    uint32_t tick = ++w->tick;
    if (filch__unlikely(tick % TURN == 0)) {
        if (filch__deque_length(&w->ready) >= COLD)
            fetch_ahead(&w->ready);
        filch__store_relaxed(&w->clock, filch__now_coarse());
        (void)filch__worker_show_cpu(w);
        if (tick % FAIRNESS == 0) {
            empty_injector(w);
            if (!r)
                r = answer(w);
            if (!r)
                r = filch__deque_take(&w->spawned);
        }
        if (tick % PATIENCE == 0)
            (void)filch__reactor_ask(w);
        if (!r)
            r = pick_pinned(w);
        if (!r)
            r = filch__deque_pop(&w->spawned);
    }
    if (!r)
        r = take_ready(w);
    if (!r)
        r = filch__deque_pop(&w->spawned);
    if (!r)
        r = pick_pinned(w);
    if (!r && !filch__injector_empty(&w->rt->injector)) {
        empty_injector(w);
        r = filch__deque_take(&w->ready);
    }
    return r ? r : answer(w);
}

bool filch__worker_take_back_deep(struct filch__worker *w, struct filch__runnable *r,
                                  struct filch__runnable *newest)
{
    struct filch__runnable *above[DEPTH];
    int n = 0;
    while (newest && newest != r) {
        above[n++] = newest;
        newest = n < DEPTH ? filch__deque_pop(&w->spawned) : NULL;
    }
    if (n > 0) {
        while (n > 0)
            filch__worker_push(w, &w->spawned, above[--n]);
        filch__idle_notify(w->rt); /* a sleeper may have looked while they were out */
    }
    return newest;
}

void filch__submit_outside(struct filch_runtime *rt, struct filch__runnable *r,
                           struct filch__worker *pinned)
{
    if (filch__unlikely(filch__load_relaxed(&rt->lost)))
        return;             /* nobody is there to run it */
    filch__visit_begin(rt); /* once pushed, r may run, and its end be the end of rt */
    filch__injector_push(pinned ? &pinned->inbox : &rt->injector, r);
    filch__fence_seq_cst(); /* in sight of who leaves the searchers after the look below */
    filch__chaos_pause();
    if (pinned)
        filch__idle_wake(pinned);
    else
        filch__idle_notify(rt);
    filch__visit_end(rt);
}

static void submit(struct filch_runtime *rt, struct filch__runnable *r,
                   struct filch__worker *pinned, bool fresh)
{
    struct filch__worker *w = filch__worker_current();
    if (!w || w->rt != rt || (!pinned && filch__chaos_stray(rt->worker_count))) {
        filch__submit_outside(rt, r, pinned);
    } else if (pinned) {
        filch__injector_push(&pinned->inbox, r);
        if (pinned != w)
            filch__idle_wake(pinned);
    } else {
        filch__worker_push(w, fresh ? &w->spawned : &w->ready, r);
        filch__idle_notify(rt);
    }
}

void filch__submit_spawn(struct filch_runtime *rt, struct filch__runnable *r,
                         struct filch__worker *pinned)
{
    submit(rt, r, pinned, true);
}

void filch__submit_ready(struct filch_runtime *rt, struct filch__runnable *r,
                         struct filch__worker *pinned)
{
    submit(rt, r, pinned, false);
}

/* A fiber made for one task does not go on to run others. */
static struct filch__fiber *successor(struct filch__worker *w)
{
    struct filch__fiber *to;
    while (!(to = filch__fiber_acquire(w->rt, w, w->rt->stack_size)) &&
           w->current->stack.size < w->rt->stack_size)
        filch__os_yield();
    return to; /* NULL: no memory, but the old stack will do for others */
}

/* Runs one thing. Returns the fiber to go on with, or NULL; *home when the runtime ends. */
static struct filch__fiber *step(struct filch__worker *w, bool *home)
{
    struct filch__work work = {.runnable = w->handoff};
    w->handoff = NULL;
    if (!work.runnable)
        work.runnable = filch__worker_pick(w);
    if (!work.runnable && !filch__idle_find(w, &work)) {
        *home = true;
        return NULL;
    }
    if (work.runnable)
        return work.runnable->run(work.runnable);
    return filch__forks_run(&work.loot);
}

void filch__worker_loop(void *arg)
{
    struct filch__fiber *fiber = arg;
    bool home = false;
    filch__fiber_arrive(fiber);
    for (;;) {
        struct filch__fiber *next = step(fiber->worker, &home);
        if (filch__unlikely(home))
            filch__context_switch(&fiber->context, &fiber->worker->home);
        if (filch__unlikely(fiber->own_size) && !next)
            next = successor(fiber->worker);
        if (next)
            filch__fiber_switch(fiber, next, filch__fiber_release_left);
    }
}

void *filch__worker_main(void *arg)
{
    struct filch__worker *w = arg;
    w->errno_at = &errno;
    filch__store_relaxed(&w->clock, filch__now_coarse());
    (void)filch__worker_show_cpu(w);
    w->fp = filch__fp_control_read();
    filch__context_adopt(&w->home);
    filch__overflow_attach();
    struct filch__fiber *first = filch__fiber_acquire(w->rt, w, w->rt->stack_size);
    first->worker = w;
    filch__store_release(&w->current, first);
    filch__forks_enter(&first->forks);
    filch__context_switch(&w->home, &first->context);
    filch__forks_enter(filch__forks_foreign);
    filch__overflow_detach();
    filch__context_release(&w->home);
    return NULL;
}
