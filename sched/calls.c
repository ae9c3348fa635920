/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/calls.h"

#include "sched/admission.h"
#include "sched/hold.h"
#include "sched/idle.h"
#include "sched/os/cpus.h"
#include "sched/os/futex.h"
#include "sched/os/spin.h"
#include "sched/strand.h"

#define SLEEPING 0x80000000u

/*
 * How often the poster looks whether all have left before it suspends: as in forks.c; or before it
 * sleeps, on a thread outside: longer than a virtual CPU takes to wake up.
 */
#define LOOKS         100
#define LOOKS_OUTSIDE 3000

void filch__calls_init(struct filch__calls *calls)
{
    *calls = (struct filch__calls){.lock = 0};
    filch__link_init(&calls->posted);
    filch__link_init(&calls->turns);
}

static struct filch__call *call_of(struct filch__link *link)
{
    return (struct filch__call *)(void *)((char *)link - offsetof(struct filch__call, link));
}

/* Under the lock. */
static void change_wanted(struct filch__calls *calls, struct filch__call *call, uint32_t by)
{
    call->wanted += by;
    filch__store_release(&calls->wanted, calls->wanted + by);
    if (call->urgent)
        filch__store_release(&calls->urgent, calls->urgent + by);
}

/*
 * An urgent call does not wait until one searcher has waked the next. Searchers find it by
 * themselves; one that finds something else first wakes the next.
 */
static void wake_for(filch_runtime *rt, uint32_t wanted)
{
    filch__barrier_light();
    uint32_t searching = filch__load_relaxed(&rt->searching);
    wanted = wanted > searching ? wanted - searching : 0;
    for (uint32_t i = 0; i < rt->worker_count && wanted > 0; i++) {
        if (!filch__load_relaxed(&rt->sleepers))
            return;
        if (filch__load_relaxed(&rt->workers[i].idle)) {
            filch__idle_wake(&rt->workers[i]);
            wanted--;
        }
    }
}

void filch__call_post(struct filch__call *call, uint32_t wanted)
{
    filch_runtime *rt = call->rt;
    struct filch__calls *calls = &rt->calls;
    struct filch__worker *w = filch__worker_current();
    call->wanted = call->answered = 0;
    call->cpu = w ? filch__worker_show_cpu(w) : filch__cpu_here();
    filch__store_relaxed(&call->beside, false);
    (void)filch__add_acq_rel(&call->due, wanted);
    filch__spin_lock(&calls->lock);
    filch__link_add(calls->posted.prev, &call->link);
    change_wanted(calls, call, wanted);
    filch__spin_unlock(&calls->lock);
    /* `wanted` is in sight of who leaves the searchers after the look below, and of holders. */
    filch__fence_seq_cst();
    if (call->urgent) { /* who was waked may have answered, and search no more: it needs no heir */
        wake_for(rt, wanted);
        filch__hold_tell(rt);
    } else {
        filch__idle_notify(rt);
    }
}

static uint32_t recall(struct filch__call *call, bool last)
{
    struct filch__calls *calls = &call->rt->calls;
    filch__spin_lock(&calls->lock);
    uint32_t left = call->wanted;
    change_wanted(calls, call, -left);
    if (last)
        filch__link_remove(&call->link);
    filch__spin_unlock(&calls->lock);
    (void)filch__sub_acq_rel(&call->due, left);
    return left;
}

uint32_t filch__call_recall(struct filch__call *call)
{
    return recall(call, false);
}

bool filch__call_withdraw(struct filch__call *call)
{
    (void)recall(call, true);
    uint32_t looks = filch__load_relaxed(&call->beside) ? 0 : call->poster ? LOOKS : LOOKS_OUTSIDE;
    for (uint32_t i = filch__chaos_among(0, looks + 1); i < looks; i++) {
        if (filch__call_is_over(call))
            return true;
        filch__cpu_relax();
    }
    return filch__call_is_over(call);
}

/* Who leaves last wakes the poster from now on; returns the word. */
static uint32_t ask_to_be_waked(struct filch__call *call)
{
    return filch__or_acq_rel(&call->due, SLEEPING) | SLEEPING;
}

void filch__call_wait(struct filch__call *call, int64_t deadline)
{
    uint32_t due = ask_to_be_waked(call);
    if (due == SLEEPING)
        return;
    if (!call->poster)
        (void)filch__futex_wait(&call->due, due, deadline);
    else if (filch__park() < 0)
        filch__os_yield(); /* no fiber to go on with: wait here */
}

static bool is_over(const void *call)
{
    return filch__call_is_over(call);
}

bool filch__call_hold_on(struct filch__call *call, struct filch__hold *hold)
{
    return ask_to_be_waked(call) == SLEEPING || filch__hold_on(hold, is_over, call);
}

static const struct filch__topic topic = {"those who came to its call", NULL};

void filch__call_close(struct filch__call *call)
{
    if (filch__call_withdraw(call))
        return;
    if (call->poster)
        filch__fiber_begin_wait(call->poster, &topic, call);
    while (!filch__call_is_over(call))
        filch__call_wait(call, FILCH_NEVER);
    if (call->poster)
        filch__fiber_end_wait(call->poster);
}

/* Not on a thread outside, nor where somebody holds the worker, who would be buried below it. */
static bool may_go_on_with(const struct filch__fiber *poster)
{
    const struct filch__worker *w = filch__worker_current();
    return w && poster && !w->aside;
}

/*
 * The last touch of the call is the subtraction. The poster's runtime, where that is another one,
 * may end as soon as the poster goes on.
 */
struct filch__fiber *filch__call_leave(struct filch__call *call)
{
    struct filch__fiber *poster = call->poster;
    struct filch__worker *holder = call->holder;
    uint32_t *word = &call->due;
    bool foreign = poster && poster->rt != call->rt;
    filch_runtime *rt = foreign ? poster->rt : NULL;
    if (filch__unlikely(foreign))
        filch__visit_begin(rt);
    filch__chaos_nap();
    bool wake = filch__sub_acq_rel(word, 1) == (SLEEPING | 1);
    struct filch__fiber *next = NULL;
    if (wake && holder)
        filch__hold_ring(holder);
    if (wake && !poster)
        filch__futex_wake(word, 1);
    else if (wake && !may_go_on_with(poster))
        filch__unpark(poster);
    else if (wake && filch__unpark_claim(poster))
        next = filch__unpark_next(poster);
    if (filch__unlikely(foreign))
        filch__visit_end(rt);
    return next;
}

static bool is_posted_here(const struct filch__call *call)
{
    return call->cpu >= 0 && call->cpu == filch__cpu_here();
}

/* Run function of a worker's answer, which was filled in just before. */
static struct filch__fiber *run_answer(struct filch__runnable *r)
{
    struct filch__worker *w =
        (struct filch__worker *)(void *)((char *)r - offsetof(struct filch__worker, answer));
    struct filch__call *call = w->call;
    struct filch__fiber *me = filch__fiber_here();
    struct filch__frame *frame = call->frame;
    filch__strand_begin(me, call->task, call->cancelled, frame, call->teamed);
    if (is_posted_here(call))
        filch__store_relaxed(&call->beside, true);
    call->run(call, w->call_number);
    filch__strand_end(me, frame);
    filch__worker_current()->beside_poster = is_posted_here(call);
    return filch__call_leave(call);
}

/* Not where alone the poster can go on: an answer may hold its worker until the poster does. */
static bool may_answer(const struct filch__worker *w, const struct filch__call *call, bool urgent)
{
    return call->wanted && (!urgent || call->urgent) &&
           !(call->poster && call->poster->pinned == w);
}

/* Under the lock: the oldest that wants more. */
static struct filch__call *oldest(const struct filch__worker *w, bool urgent)
{
    struct filch__calls *calls = &w->rt->calls;
    for (struct filch__link *l = calls->posted.next; l != &calls->posted; l = l->next)
        if (may_answer(w, call_of(l), urgent))
            return call_of(l);
    return NULL;
}

struct filch__runnable *filch__calls_answer(struct filch__worker *w, bool urgent)
{
    struct filch__calls *calls = &w->rt->calls;
    if (filch__chaos_miss())
        return NULL;
    filch__spin_lock(&calls->lock);
    struct filch__call *call = oldest(w, urgent);
    if (call) {
        change_wanted(calls, call, (uint32_t)-1);
        w->call = call;
        w->call_number = ++call->answered;
    }
    filch__spin_unlock(&calls->lock);
    if (!call)
        return NULL;
    w->answer.run = run_answer;
    return &w->answer;
}
