/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version changes with the guard, and may be read without it: who sets stores it (release), who
 * asks whether it has changed loads it (acquire), and sees what was done before the set. The value
 * is read and written with the guard, and so is all else; who waits looks at the version with the
 * guard before he is put in the queue, which the next set empties.
 */
#include <filch/watch.h>

#include "sync/items.h"
#include "sync/news.h"
#include "task/blame.h"

#include <filch/fork.h>

static bool is_bad(const filch_watch *w, const void *value)
{
    return !w || (!value && w->size > 0);
}

int filch_watch_init(filch_watch *w, void *value, size_t size)
{
    if (!w || (!value && size > 0))
        return -EINVAL;
    *w = (filch_watch){.value = value, .size = size};
    return 0;
}

int filch_watch_destroy(filch_watch *w)
{
    if (!w)
        return -EINVAL;
    filch__waiters_lock(&w->queue);
    bool gone = filch__crowd_gone(&w->queue, &w->leaving);
    if (gone) {
        filch__store_relaxed(&w->version, 0);
        w->closed = false;
    }
    filch__waiters_unlock(&w->queue);
    return gone ? 0 : -EBUSY;
}

/* ---- changes ---- */

int filch_watch_set(filch_watch *w, const void *value)
{
    if (is_bad(w, value))
        return -EINVAL;
    filch__waiters_lock(&w->queue);
    bool closed = w->closed;
    if (!closed) {
        filch__item_move(w->value, value, w->size);
        filch__store_release(&w->version, w->version + 1);
    }
    filch__crowd_tell_all(&w->queue, &w->leaving);
    return closed ? -EPIPE : 0;
}

int filch_watch_close(filch_watch *w)
{
    if (!w)
        return -EINVAL;
    filch__waiters_lock(&w->queue);
    w->closed = true;
    filch__crowd_tell_all(&w->queue, &w->leaving);
    return 0;
}

/* ---- the value ---- */

/* Returns its version. */
static uint64_t copy(filch_watch *w, void *value)
{
    filch__waiters_lock(&w->queue);
    uint64_t version = w->version;
    if (value)
        filch__item_move(value, w->value, w->size);
    filch__waiters_unlock(&w->queue);
    return version;
}

int filch_watch_get(filch_watch *w, void *value)
{
    if (is_bad(w, value))
        return -EINVAL;
    (void)copy(w, value);
    return 0;
}

int filch_watch_read(filch_watch_reader *r, void *value)
{
    if (!r || !r->watch)
        return -EINVAL;
    r->seen = copy(r->watch, value);
    return 0;
}

/* ---- waiting ---- */

static bool has_changed(const filch_watch_reader *r)
{
    return filch__load_acquire(&r->watch->version) != r->seen;
}

bool filch_watch_has_changed(const filch_watch_reader *r)
{
    return r && r->watch && has_changed(r);
}

int filch_watch_changed(filch_watch_reader *r)
{
    if (!r || !r->watch)
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (has_changed(r))
        return 0;
    filch_watch_changed_future f = FILCH_WATCH_CHANGED_FUTURE(r);
    return filch_await(&f.future);
}

static int poll_changed(filch_future *self, const filch_waker *waker)
{
    filch_watch_changed_future *f = (filch_watch_changed_future *)(void *)self;
    const filch_watch_reader *r = f->reader;
    if (!r || !r->watch)
        return -EINVAL;
    filch_watch *w = r->watch;
    if (!filch__news_look(&w->queue, &w->leaving, &f->waiter, waker))
        return FILCH_PENDING;
    int rc = has_changed(r) ? 0 : w->closed ? -EPIPE : -EAGAIN;
    return filch__news_answer(&w->queue, &f->waiter, waker, rc);
}

static void drop_changed(filch_future *self)
{
    filch_watch_changed_future *f = (filch_watch_changed_future *)(void *)self;
    if (filch__waiter_is_nowhere(&f->waiter))
        return;
    filch_watch *w = f->reader->watch;
    filch__news_leave(&w->queue, &w->leaving, &f->waiter, NULL);
}

FILCH_API const filch_future_ops filch_watch_changed_future_ops = {"a change", poll_changed,
                                                                   drop_changed};
FILCH__EXPLAIN_ANYBODY(filch_watch_changed_future_ops, filch_watch_changed_future, reader)
