/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/idle.h"

#include "sched/reactor.h"

#include "sched/os/chaos.h"
#include "sched/os/clock.h"
#include "sched/os/random.h"

/*
 * How long a worker searches before it sleeps: rounds over all victims, with a growing pause
 * between them, some 20 us in all. Less than that and a worker sleeps through the pauses between
 * the steps of a parallel computation; waking it costs more.
 */
#define ROUNDS 48

/* Takes anything from one other worker. */
static bool rob(struct filch__worker *w, struct filch__worker *victim, struct filch__work *work)
{
    struct filch__fiber *fiber = filch__load_acquire(&victim->current);
    if (fiber && filch__forks_steal(fiber, w, &work->loot) == FILCH__STEAL_TAKEN) {
        work->runnable = NULL;
        return true;
    }
    struct filch__runnable *loot;
    if (!filch__chaos_miss() &&
        (filch__deque_steal(&victim->ready, w->index, &loot) == FILCH__STEAL_TAKEN ||
         filch__deque_steal(&victim->spawned, w->index, &loot) == FILCH__STEAL_TAKEN)) {
        work->runnable = loot;
        filch__worker_keep(w, loot->next);
        FILCH__COUNT(w, steals);
        return true;
    }
    FILCH__COUNT(w, failed_steals);
    return false;
}

/* One round: every other worker once from a random one on, then what came from outside. */
static bool search_round(struct filch__worker *w, struct filch__work *work)
{
    struct filch_runtime *rt = w->rt;
    uint32_t n = rt->worker_count;
    uint32_t first = filch__random_below(&w->random, n);
    for (uint32_t i = 0; i < n; i++) {
        struct filch__worker *victim = &rt->workers[first + i < n ? first + i : first + i - n];
        if (victim != w && rob(w, victim, work))
            return true;
    }
    work->runnable = filch__worker_pick(w);
    return work->runnable;
}

/* Is there anything that this worker could run? */
static bool work_in_sight(struct filch__worker *w)
{
    struct filch_runtime *rt = w->rt;
    if (!filch__injector_empty(&rt->injector) || !filch__injector_empty(&w->inbox) ||
        filch__load_relaxed(&rt->calls.wanted))
        return true;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct filch__worker *other = &rt->workers[i];
        struct filch__fiber *fiber = filch__load_acquire(&other->current);
        if (filch__deque_count(&other->spawned) || filch__deque_count(&other->ready) ||
            (fiber && filch__forks_count(fiber)))
            return true;
    }
    return false;
}

static void stop_searching(struct filch__worker *w, bool found)
{
    if (!w->searching)
        return;
    w->searching = false;
    filch__chaos_nap();
    if (filch__sub_seq_cst(&w->rt->searching, 1) == 1 && found)
        filch__idle_notify(w->rt);
}

/*
 * w has found an answer. What was pushed by a worker that has seen it search is in sight after the
 * barrier: idle.h. Where no other worker is awake there is none; who pushes from outside does so by a
 * read-modify-write before it looks, and that is in sight.
 */
static void stop_searching_to_answer(struct filch__worker *w)
{
    struct filch_runtime *rt = w->rt;
    if (!w->searching)
        return;
    w->searching = false;
    filch__chaos_nap();
    if (filch__sub_seq_cst(&rt->searching, 1) != 1)
        return;
    uint32_t sleepers = filch__load_seq_cst(&rt->sleepers);
    bool sight = sleepers && work_in_sight(w);
    if (sleepers && !sight && sleepers + 1 < rt->worker_count) {
        filch__barrier_heavy();
        sight = work_in_sight(w);
    }
    if (sight)
        filch__idle_notify(rt);
}

/* On w's thread: another that is awake was last seen on the same CPU. */
static bool is_beside_worker(struct filch__worker *w)
{
    int cpu = filch__worker_show_cpu(w);
    for (uint32_t i = 0; cpu >= 0 && i < w->rt->worker_count; i++) {
        const struct filch__worker *other = &w->rt->workers[i];
        if (other != w && filch__load_relaxed(&other->cpu) == cpu &&
            !filch__load_relaxed(&other->idle))
            return true;
    }
    return false;
}

static bool search_rounds(struct filch__worker *w, struct filch__work *work, int rounds)
{
    for (int round = 0; round < rounds && !filch__load_relaxed(&w->rt->stop); round++) {
        for (int pause = 0; pause < round; pause++)
            filch__cpu_relax();
        if (search_round(w, work))
            return true;
    }
    return false;
}

/*
 * Where w searches on the CPU of one that may make work, that one cannot: one round must do. A worker
 * that was waked onto the CPU of its waker, as kernels do where other CPUs seem far from ready, lets
 * that go on before it sleeps, and counts as a searcher meanwhile: a task that a timer has waked often
 * forks a little, and soon, which then wakes nobody. Only where nobody sleeps who could be waked.
 */
static bool search(struct filch__worker *w, struct filch__work *work)
{
    struct filch_runtime *rt = w->rt;
    bool woken = w->searching, after_poster = w->beside_poster;
    w->beside_poster = false;
    if (!woken) {
        uint32_t awake = rt->worker_count - filch__load_relaxed(&rt->sleepers);
        if (2 * filch__load_relaxed(&rt->searching) >= awake)
            return search_round(w, work);
        filch__add_seq_cst(&rt->searching, 1);
        w->searching = true;
    }
    bool beside = is_beside_worker(w) || after_poster;
    bool found = search_rounds(w, work, beside ? 1 : ROUNDS);
    if (!found && beside && woken && !filch__load_relaxed(&rt->sleepers)) {
        filch__os_yield();
        found = search_rounds(w, work, 1);
    }
    if (found && work->runnable == &w->answer)
        stop_searching_to_answer(w);
    else
        stop_searching(w, found);
    return found;
}

/*
 * The next fork of every running fiber goes the slow way and looks for sleepers. True if that was
 * news to any of them: then a barrier must follow, and another look.
 */
static bool attract(struct filch_runtime *rt)
{
    bool news = false;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct filch__fiber *fiber = filch__load_acquire(&rt->workers[i].current);
        if (fiber && filch__load_relaxed(&fiber->forks.split.limit)) {
            filch__store_relaxed(&fiber->forks.split.limit, 0);
            news = true;
        }
    }
    return news;
}

/* Everybody knows of the sleeper, and there was nothing for it to run. */
static bool nothing_to_do(struct filch__worker *w)
{
    do {
        filch__barrier_heavy();
        if (work_in_sight(w) || filch__load_acquire(&w->rt->stop))
            return false;
    } while (attract(w->rt));
    return true;
}

/* Takes w out of the sleepers. False: a waker has done so, and has counted w as searching. */
static bool leave_sleepers(struct filch__worker *w)
{
    uint32_t idle = 1;
    if (!filch__cas_seq_cst(&w->idle, &idle, 0))
        return false;
    filch__sub_seq_cst(&w->rt->sleepers, 1);
    return true;
}

static void sleep_until_woken(struct filch__worker *w)
{
    struct filch_runtime *rt = w->rt;
    uint32_t key = filch__parker_key(&w->parker);
    filch__chaos_nap();
    filch__store_seq_cst(&w->idle, 1);
    filch__chaos_nap();
    filch__add_seq_cst(&rt->sleepers, 1);
    filch__fence_seq_cst();
    filch__chaos_nap();
    attract(rt);
    if (nothing_to_do(w)) {
        FILCH__COUNT(w, parks);
        bool shrinking = true;
        while (filch__load_acquire(&w->idle)) {
            if (shrinking) {
                shrinking = filch__fibers_shrink(w);
                continue;
            }
            filch__chaos_nap();
            if (filch__chaos_wake() || filch__reactor_sleep(w))
                break; /* it was woken, or has been told of something */
            filch__parker_wait(&w->parker, key, FILCH_NEVER);
            key = filch__parker_key(&w->parker);
        }
    }
    if (!leave_sleepers(w))
        w->searching = true;
    filch__store_relaxed(&w->clock, filch__now_coarse());
}

/* File descriptors that are ready make work of one's own. */
static bool ask_reactor(struct filch__worker *w, struct filch__work *work)
{
    if (!filch__reactor_ask(w))
        return false;
    work->runnable = filch__worker_pick(w);
    if (!work->runnable)
        return false;
    stop_searching(w, true);
    return true;
}

bool filch__idle_find(struct filch__worker *w, struct filch__work *work)
{
    while (!filch__load_acquire(&w->rt->stop)) {
        if (ask_reactor(w, work) || search(w, work))
            return true;
        if (!filch__load_acquire(&w->rt->stop))
            sleep_until_woken(w);
    }
    stop_searching(w, false);
    return false;
}

/* w leaves the sleepers as a searcher, which the caller has counted. False: it was awake. */
static bool wake(struct filch__worker *w)
{
    if (!filch__load_relaxed(&w->idle) || !leave_sleepers(w))
        return false;
    filch__chaos_pause();
    filch__parker_wake(&w->parker);
    filch__reactor_wake(w);
    return true;
}

/*
 * A count of searchers held by somebody who then wakes nobody may have kept another producer from
 * waking: whoever takes such a count back looks again.
 */
void filch__idle_wake_one(struct filch_runtime *rt)
{
    struct filch__worker *self = filch__worker_current();
    uint32_t first = self && self->rt == rt ? self->index + 1 : 0;
    uint32_t none = 0;
    first = filch__chaos_among(first, rt->worker_count);
    while (filch__load_seq_cst(&rt->sleepers) && filch__cas_seq_cst(&rt->searching, &none, 1)) {
        filch__chaos_pause();
        for (uint32_t i = 0; i < rt->worker_count; i++)
            if (wake(&rt->workers[(first + i) % rt->worker_count])) {
                if (self)
                    FILCH__COUNT(self, wakes);
                return;
            }
        filch__sub_seq_cst(&rt->searching, 1);
    }
}

void filch__idle_wake(struct filch__worker *w)
{
    filch__barrier_light();
    filch__add_seq_cst(&w->rt->searching, 1);
    if (!wake(w) && filch__sub_seq_cst(&w->rt->searching, 1) == 1)
        filch__idle_notify(w->rt);
}
