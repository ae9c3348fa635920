/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for one, or for all, of several futures. */
#include "sched/os/random.h"
#include "sched/worker.h"
#include "task/await.h"
#include "task/blame.h"
#include "task/future.h"

struct several {
    struct filch__watch watch; /* first */
    filch_future *const *futures;
    size_t n;
    size_t index; /* select: the winner */
};

/* except: one that has ended, and may be gone. */
static void leave_all(filch_future *const futures[], size_t n, size_t except)
{
    for (size_t i = 0; i < n; i++)
        if (i != except && futures[i])
            filch__future_leave(futures[i]);
}

/* All of them, or none: how many there are, or what is wrong with one. */
static int enter_all(filch_future *const futures[], size_t n)
{
    int count = 0;
    if (!futures && n > 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (!futures[i])
            continue;
        int rc = filch__future_check(futures[i]);
        if (rc < 0) {
            leave_all(futures, i, n);
            return rc;
        }
        filch__future_enter(futures[i]);
        count++;
    }
    return count;
}

/* Where this look begins, so that none of them always comes first. */
static size_t first_of(size_t n)
{
    static __thread uint64_t random_of_thread = 1;
    struct filch__worker *w = filch__worker_current();
    return filch__random_below(w ? &w->random : &random_of_thread, (uint32_t)n);
}

static bool any_ready(struct filch__watch *watch, const filch_waker *waker)
{
    struct several *s = (struct several *)(void *)watch;
    size_t at = first_of(s->n);
    for (size_t looks = 0; looks < s->n; looks++) {
        filch_future *f = s->futures[at];
        int result;
        s->index = at;
        if (f && filch__future_poll(f, waker, &result))
            return true;
        at = at + 1 < s->n ? at + 1 : 0;
    }
    return false;
}

/* In a look: no more of them than it can take. */
static void explain(const struct several *s, struct filch__blames *blames)
{
    blames->timed = s->watch.timed;
    for (size_t i = 0; i < s->n && !blames->more; i++) {
        const filch_future *f = s->futures[i];
        if (f && filch__load_relaxed(&f->state) & FILCH__FUTURE_BUSY)
            filch__blames_add_future(blames, f);
    }
}

static void explain_any(const void *on, struct filch__blames *blames)
{
    explain(on, blames);
}

static void explain_all(const void *on, struct filch__blames *blames)
{
    blames->all = true;
    explain(on, blames);
}

static const struct filch__topic topic_any = {"one of several futures", explain_any};
static const struct filch__topic topic_all = {"all of several futures", explain_all};

int filch_select_until(filch_future *const futures[], size_t n, int64_t deadline)
{
    int count = n > INT_MAX ? -EINVAL : enter_all(futures, n);
    if (count <= 0)
        return count < 0 ? count : -EINVAL;
    struct several s = {{any_ready, &topic_any, false}, futures, n, 0};
    int rc = filch__await(&s.watch, filch__fiber_current(), deadline);
    leave_all(futures, n, rc < 0 ? n : s.index);
    return rc < 0 ? rc : (int)s.index;
}

int filch_select(filch_future *const futures[], size_t n)
{
    return filch_select_until(futures, n, FILCH_NEVER);
}

static bool all_ready(struct filch__watch *watch, const filch_waker *waker)
{
    struct several *s = (struct several *)(void *)watch;
    bool all = true;
    for (size_t i = 0; i < s->n; i++) {
        filch_future *f = s->futures[i];
        int result;
        if (f && f->state & FILCH__FUTURE_BUSY)
            all &= filch__future_poll(f, waker, &result);
    }
    return all;
}

int filch_join_all(filch_future *const futures[], size_t n)
{
    int count = enter_all(futures, n);
    if (count <= 0)
        return count;
    struct several s = {{all_ready, &topic_all, false}, futures, n, 0};
    int rc = filch__await(&s.watch, filch__fiber_current(), FILCH_NEVER);
    for (size_t i = 0; i < n; i++) {
        filch_future *f = futures[i];
        if (f && f->state & FILCH__FUTURE_BUSY)
            filch__future_abandon(f);
        else if (f && rc == 0 && f->result < 0)
            rc = f->result;
    }
    return rc;
}
