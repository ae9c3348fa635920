/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything but `biased` is under the queue's guard; `owner` is written under it, and its owner
 * finds itself there without. Free -> owner by a writer, or readers + 1: at once where nobody waits,
 * else from the front of the queue. Who was let in from the queue passes the guard before it goes
 * on, and a writer always has it, so the last touch by who had it before was that of the guard,
 * and a writer may free the memory. `passing` are unlocks that have left the guard to wake some of
 * the readers whom they let in, and come back: no writer gets in meanwhile.
 *
 * While it is biased (which implies: no owner, no queue, not broken) readers do not come here but
 * show themselves in the table of readers.h: after BRAVO, see there. A writer takes the bias away
 * and turns those that are shown into counted ones, so it need not wait there for any of them.
 *
 *     reader   show, in its slot    L: load biased; if it is set it is in
 *     writer   S: biased = 0    take what is shown in all slots, count it
 *              all of these sequentially consistent: either L sees S, or the writer sees the slot
 *     reader   biased = 1, release; pairs with L (acquire), for what writers did before
 *     reader   hide, release; pairs with the writer's look at the slot (acquire); or where it
 *              is counted the guard
 *
 * Entries of one lock are fungible. Let R be the readers whose slot is one and the same. Of each
 * that is in, there is an entry, shown there or counted: a lock adds one, in either way; a take turns
 * one into the other; an unlock removes the shown one, and only where there is none a counted one.
 * So the number of entries is that of R, whosoever entry was removed, and where none is shown all of
 * R are counted. Unlocks on behalf of others may use up entries of other slots, but not their
 * total: where none is counted for an unlock, all that are shown are taken, and counted, first.
 *
 * A reader whose L finds no bias hides again and goes by the guard. If there is nothing to hide, its
 * entry was taken, or used by one of R, which was counted and left that to it. So it is in: some
 * reader was counted for it ever since it showed itself. It was no owner's time, for only who finds
 * a bias takes. It makes sure of that under the guard, lest an unlock by who was no reader, which
 * used up its entry while there was an owner, lets it in.
 */
#include <filch/rwlock.h>

#include "sched/os/chaos.h"
#include "sync/readers.h"
#include "sync/waiters.h"
#include "task/blame.h"
#include "task/future.h"
#include "task/holder.h"

#include <filch/fork.h>

enum { READS, WRITES };

/* The bias comes after so many reads without a write in between, of those that count; those after
 * one was taken away do not, so that their number outweighs the walk over the table. */
enum { CALM_READS = 16, UNCOUNTED_READS = 1024 };

_Static_assert(sizeof(struct filch__held) <= sizeof((filch_rwlock *)0)->held, "held");

/* Own those that are beyond recovery, and those let in that have not polled since. */
static struct filch__holder nobody, somebody;

static struct filch__held *held_of(filch_rwlock *l)
{
    return (struct filch__held *)(void *)l->held;
}

static void set_owner(filch_rwlock *l, struct filch__holder *owner)
{
    filch__store_relaxed(&l->owner, (void *)owner);
}

/* ---- visible readers ---- */

/* True: it is in nevertheless. */
static bool withdraw(filch_rwlock *l, uintptr_t *slot)
{
    if (filch__reader_hide(slot, l))
        return false;
    filch__waiters_lock(&l->queue);
    bool counted = l->readers && !l->owner;
    filch__waiters_unlock(&l->queue);
    return counted;
}

static bool enter_shown(filch_rwlock *l, struct filch__holder *me)
{
    if (!filch__load_relaxed(&l->biased))
        return false;
    uintptr_t *slot = filch__reader_slot(l, me);
    if (!filch__reader_show(slot, l))
        return false;
    filch__chaos_pause();
    return filch__likely(filch__load_seq_cst(&l->biased)) || withdraw(l, slot);
}

/* With the guard: all readers are counted, until the bias comes back. */
static void unbias(filch_rwlock *l)
{
    if (!filch__load_relaxed(&l->biased))
        return;
    filch__store_seq_cst(&l->biased, 0);
    filch__chaos_pause();
    l->readers += filch__readers_take(l);
    l->calm = -UNCOUNTED_READS;
}

/* ---- with the guard ---- */

static void read_in(filch_rwlock *l)
{
    l->readers++;
    if (l->calm < CALM_READS)
        l->calm++;
    if (l->calm >= CALM_READS && !l->broken)
        filch__store_release(&l->biased, 1);
}

static void write_in(filch_rwlock *l, struct filch__holder *me)
{
    set_owner(l, me);
    if (l->calm > 0)
        l->calm = 0;
}

static int result_of_entering(const filch_rwlock *l)
{
    return filch__unlikely(l->broken) ? -EOWNERDEAD : 0;
}

/* As the lock functions; -EBUSY: it would have to wait. */
static int enter(filch_rwlock *l, struct filch__holder *me, uint32_t kind)
{
    if (filch__unlikely(l->owner != NULL))
        return l->owner == &nobody ? -ENOTRECOVERABLE : l->owner == me ? -EDEADLK : -EBUSY;
    if (kind == WRITES)
        unbias(l);
    if (l->queue.first || (kind == WRITES && (l->readers || l->passing)))
        return -EBUSY;
    if (kind == WRITES)
        write_in(l, me);
    else
        read_in(l);
    return result_of_entering(l);
}

/* Lets in who may, in order. True: wakes is full, and there are more; then it counts as passing. */
static bool serve(filch_rwlock *l, struct filch__wakes *wakes)
{
    filch_waiter *first;
    while (!l->owner && (first = l->queue.first)) {
        struct filch__wait_node *node = filch__node_of(first);
        if (node->kind == WRITES && (l->readers || l->passing))
            return false;
        if (filch__wakes_full(wakes)) {
            l->passing++;
            return true;
        }
        if (node->kind == WRITES)
            write_in(l, &somebody);
        else
            l->readers++;
        filch__waiters_tell_first(&l->queue, FILCH__GRANTED, wakes);
    }
    return false;
}

/* What follows a serve that returned `more`, without the guard. */
static void serve_more(filch_rwlock *l, bool more)
{
    while (filch__unlikely(more)) {
        struct filch__wakes wakes;
        filch__wakes_begin(&wakes);
        filch__waiters_lock(&l->queue);
        l->passing--;
        more = serve(l, &wakes);
        filch__waiters_unlock(&l->queue);
        filch__wakes_run(&wakes);
    }
}

static __attribute__((noinline)) void leave_to_queue(filch_rwlock *l)
{
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    bool more = serve(l, &wakes);
    filch__waiters_unlock(&l->queue);
    filch__wakes_run(&wakes);
    serve_more(l, more);
}

/* Leaves the guard, with the lock changed so that others may get in. */
static void leave(filch_rwlock *l)
{
    if (filch__unlikely(l->queue.first != NULL))
        leave_to_queue(l);
    else
        filch__waiters_unlock(&l->queue);
}

/* ---- locking ---- */

static void orphan(struct filch__held *held)
{
    filch_rwlock *l = (filch_rwlock *)(void *)((char *)held - offsetof(filch_rwlock, held));
    filch__waiters_lock(&l->queue);
    l->broken = 1;
    set_owner(l, NULL);
    leave(l);
}

/* Without the guard, with the result of entering. */
static int entered(filch_rwlock *l, struct filch__holder *me, uint32_t kind, int rc)
{
    if (kind == WRITES && (rc == 0 || rc == -EOWNERDEAD))
        filch__holder_add(me, held_of(l), orphan);
    return rc;
}

static int enter_guarded(filch_rwlock *l, struct filch__holder *me, uint32_t kind)
{
    filch__waiters_lock(&l->queue);
    int rc = enter(l, me, kind);
    filch__waiters_unlock(&l->queue);
    return entered(l, me, kind, rc);
}

static int enter_or_enqueue(filch_rwlock_future *f, struct filch__holder *me, uint32_t kind,
                            const filch_waker *waker)
{
    filch_rwlock *l = f->lock;
    filch__waiters_lock(&l->queue);
    int rc = enter(l, me, kind);
    if (rc == -EBUSY) {
        filch__node_of(&f->waiter)->kind = kind;
        filch__waiters_append(&l->queue, &f->waiter, waker);
        rc = FILCH_PENDING;
    }
    filch__waiters_unlock(&l->queue);
    return entered(l, me, kind, rc);
}

/* It is in; for writing only now it is known who that is. */
static int accept(filch_rwlock_future *f, struct filch__holder *me)
{
    filch_rwlock *l = f->lock;
    uint32_t kind = filch__node_of(&f->waiter)->kind;
    filch__waiters_lock(&l->queue);
    if (kind == WRITES)
        set_owner(l, me);
    int rc = result_of_entering(l);
    filch__waiters_unlock(&l->queue);
    return entered(l, me, kind, rc);
}

static int poll_waiting(filch_rwlock_future *f, struct filch__holder *me, const filch_waker *waker)
{
    enum filch__place place = filch__waiter_look(&f->lock->queue, &f->waiter, waker);
    if (place != FILCH__GRANTED && place != FILCH__REFUSED)
        return FILCH_PENDING;
    filch__waiter_reset(&f->waiter);
    return place == FILCH__GRANTED ? accept(f, me) : -ENOTRECOVERABLE;
}

static int poll_rwlock(filch_future *self, const filch_waker *waker)
{
    filch_rwlock_future *f = (filch_rwlock_future *)(void *)self;
    uint32_t kind = f->writes ? WRITES : READS;
    if (!f->lock)
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (!me)
        return -ENOMEM;
    if (!filch__waiter_is_nowhere(&f->waiter))
        return poll_waiting(f, me, waker);
    if (kind == READS && enter_shown(f->lock, me))
        return 0;
    return enter_or_enqueue(f, me, kind, waker);
}

static void drop_rwlock(filch_future *self)
{
    filch_rwlock_future *f = (filch_rwlock_future *)(void *)self;
    filch_rwlock *l = f->lock;
    struct filch__wakes wakes;
    if (!l || filch__waiter_is_nowhere(&f->waiter))
        return;
    filch__wakes_begin(&wakes);
    enum filch__place place = filch__waiter_leave(&l->queue, &f->waiter);
    if (place == FILCH__GRANTED && filch__node_of(&f->waiter)->kind == WRITES)
        set_owner(l, NULL);
    else if (place == FILCH__GRANTED)
        l->readers--;
    bool more = serve(l, &wakes);
    filch__waiter_left(&l->queue, &f->waiter, &wakes);
    serve_more(l, more);
}

FILCH_API const filch_future_ops filch_rwlock_future_ops = {"a rwlock", poll_rwlock, drop_rwlock};

/* Who reads is not known. */
static void explain(const filch_future *self, struct filch__blame *blame)
{
    const filch_rwlock_future *f = (const filch_rwlock_future *)(const void *)self;
    if (!filch__waiter_waits(&f->waiter))
        return;
    filch__blame_holder(blame, f->lock, (uintptr_t)filch__load_acquire(&f->lock->owner));
    if (!blame->who)
        blame->kind = FILCH__BLAME_ANYBODY;
}
FILCH__EXPLAIN(filch_rwlock_future_ops, explain)

static __attribute__((noinline)) int lock_slow(filch_rwlock *l, struct filch__holder *me,
                                               uint32_t kind)
{
    int rc = enter_guarded(l, me, kind);
    if (rc != -EBUSY)
        return rc;
    filch_rwlock_future f = FILCH_RWLOCK_READ_FUTURE(l);
    f.writes = kind == WRITES;
    return filch_await(&f.future);
}

static inline int lock(filch_rwlock *l, uint32_t kind)
{
    if (filch__unlikely(!l))
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (filch__unlikely(!me))
        return -ENOMEM;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    return kind == READS && filch__likely(enter_shown(l, me)) ? 0 : lock_slow(l, me, kind);
}

int filch_rwlock_read_lock(filch_rwlock *l)
{
    return lock(l, READS);
}

int filch_rwlock_write_lock(filch_rwlock *l)
{
    return lock(l, WRITES);
}

static int try_lock(filch_rwlock *l, uint32_t kind)
{
    if (!l)
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (!me)
        return -ENOMEM;
    if (kind == READS && enter_shown(l, me))
        return 0;
    int rc = enter_guarded(l, me, kind);
    return rc == -EDEADLK ? -EBUSY : rc;
}

int filch_rwlock_try_read_lock(filch_rwlock *l)
{
    return try_lock(l, READS);
}

int filch_rwlock_try_write_lock(filch_rwlock *l)
{
    return try_lock(l, WRITES);
}

/* ---- unlocking ---- */

static __attribute__((noinline)) int read_unlock_counted(filch_rwlock *l)
{
    filch__waiters_lock(&l->queue);
    if (!l->readers)
        unbias(l);
    if (!l->readers) {
        filch__waiters_unlock(&l->queue);
        return -EPERM;
    }
    l->readers--;
    leave(l);
    return 0;
}

int filch_rwlock_read_unlock(filch_rwlock *l)
{
    if (filch__unlikely(!l))
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (filch__likely(filch__load_relaxed(&l->biased) && me))
        if (filch__likely(filch__reader_hide(filch__reader_slot(l, me), l)))
            return 0;
    return read_unlock_counted(l);
}

/* 0: the caller has it for writing. */
static int check_owner(filch_rwlock *l, struct filch__holder **me)
{
    if (!l)
        return -EINVAL;
    *me = filch__holder_current();
    return *me && filch__load_relaxed(&l->owner) == (void *)*me ? 0 : -EPERM;
}

/* By the owner, with the guard, which it leaves. Who is told so may free it. */
static void ruin(filch_rwlock *l)
{
    for (bool more = true; more;) {
        struct filch__wakes wakes;
        filch__wakes_begin(&wakes);
        more = filch__waiters_tell_some(&l->queue, FILCH__REFUSED, &wakes);
        if (!more)
            set_owner(l, &nobody);
        filch__waiters_unlock(&l->queue);
        filch__wakes_run(&wakes);
        if (more)
            filch__waiters_lock(&l->queue);
    }
}

int filch_rwlock_write_unlock(filch_rwlock *l)
{
    struct filch__holder *me;
    int rc = check_owner(l, &me);
    if (filch__unlikely(rc < 0))
        return rc;
    filch__holder_remove(me, held_of(l));
    filch__waiters_lock(&l->queue);
    if (filch__unlikely(l->broken)) {
        ruin(l);
        return 0;
    }
    set_owner(l, NULL);
    leave(l);
    return 0;
}

int filch_rwlock_consistent(filch_rwlock *l)
{
    struct filch__holder *me;
    int rc = check_owner(l, &me);
    if (rc < 0)
        return rc;
    filch__waiters_lock(&l->queue);
    rc = l->broken ? 0 : -EINVAL;
    l->broken = 0;
    filch__waiters_unlock(&l->queue);
    return rc;
}

int filch_rwlock_destroy(filch_rwlock *l)
{
    if (!l)
        return -EINVAL;
    filch__waiters_lock(&l->queue);
    unbias(l);
    bool idle = !l->readers && !l->passing && !l->queue.first && (!l->owner || l->owner == &nobody);
    if (idle) {
        set_owner(l, NULL);
        l->broken = 0;
        l->calm = 0;
    }
    filch__waiters_unlock(&l->queue);
    return idle ? 0 : -EBUSY;
}
