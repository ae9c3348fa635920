/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that block, off the workers: each runtime has a pool of threads for what cannot wait as a
 * task does, such as file systems, name lookups and other people's libraries. It has no thread
 * before the first call, filch_options.blocking_threads at most, and gives them back when they have
 * been idle for ten seconds; calls beyond that wait for their turn in order of arrival.
 *
 *     static int look_up(void *arg)
 *     {
 *         struct query *q = arg;
 *         return getaddrinfo(q->host, NULL, NULL, &q->found) == 0 ? 0 : -EHOSTUNREACH;
 *     }
 *     ...
 *     struct query q = {"example.org"};
 *     int rc = filch_blocking(look_up, &q); // other tasks run meanwhile
 *
 * arg is borrowed until the call has ended, so no call is left behind. A cancel takes one that has
 * not started out of the queue, and it never starts; one that runs is waited for. To make it end
 * soon, it gets its system calls between filch_interruptible_begin and filch_interruptible_end
 * interrupted:
 *
 *     static int read_line(void *arg)
 *     {
 *         struct line *l = arg;
 *         int rc = filch_interruptible_begin();
 *         if (rc < 0)
 *             return rc;
 *         ssize_t n = read(l->fd, l->text, sizeof l->text); // -1, EINTR: the caller was cancelled
 *         filch_interruptible_end();
 *         return n < 0 ? -errno : (int)n;
 *     }
 */
#ifndef FILCH_BLOCKING_H
#define FILCH_BLOCKING_H

#include <filch/future.h>

FILCH_BEGIN_DECLS

/*
 * Runs fn(arg) on a thread of the pool and returns what it returned, also where a cancel came while
 * it ran: that is seen at the next checkpoint. In a task: suspends. On another thread, which is
 * also where fn itself runs: simply calls fn(arg). errno stays with the thread that fn ran on. In
 * the following cases fn was not called and never will be. -EINVAL: fn is NULL. -ECANCELED: the
 * caller was cancelled, before or while it waited for its turn. -ENOMEM: no stack to go on with.
 * -ENOMEM, -EAGAIN: the pool has no thread, and the system gives none.
 */
FILCH_API int filch_blocking(filch_fn *fn, void *arg);

/*
 * The same as a future, for select, deadlines, and tasks without a stack. Off tasks it uses the
 * default runtime's pool. Its drop, before fn was started: takes it out of the queue (a cancel of
 * who awaits it does so once that runs again); while fn runs: asks it to end as a cancel does, and
 * waits until it has returned: in a task suspends, whatever cancels it; else blocks the thread. So
 * a filch_await_until may be late by as long as fn takes: give fn a region, or a timeout of its
 * own. What an await that was cut short does not say: `started`. -ESHUTDOWN: the runtime was lost
 * to a fork(2) while it was pending.
 */
typedef struct filch_blocking_future {
    filch_future future;
    filch_fn *fn;
    void *arg;
    bool started; /* once it has ended: fn was called, and future.result is what it returned */
    uint64_t storage[10];
} filch_blocking_future;

extern FILCH_API const filch_future_ops filch_blocking_future_ops;

#define FILCH_BLOCKING_FUTURE(fn, arg)                                \
    {                                                                 \
        FILCH_FUTURE(&filch_blocking_future_ops), (fn), (arg), false, \
        {                                                             \
            0                                                         \
        }                                                             \
    }

/*
 * In fn, on the thread of the pool: what follows, up to filch_interruptible_end, may be
 * interrupted. Once the caller is cancelled, or drops the future, the system call in there returns
 * EINTR; where the signal comes between two calls it is sent again, after 1 ms, and then with
 * pauses that grow to 100 ms, until the region ends. Nothing is interrupted outside of regions. 0.
 * No region is open after: -ECANCELED: the call was asked to end before. -EBUSY: in a region
 * already. -EINVAL: on no thread of a pool. -ENOMEM, -EAGAIN: no thread for the timers. -ESHUTDOWN:
 * in the child of a fork(2).
 *
 * The signal is SIGURG. The first region gives it an empty handler, unless the program has one of
 * its own, which must then have been installed without SA_RESTART. It is blocked on filch's threads
 * outside of regions; one that somebody sends to the process may interrupt a region too.
 */
FILCH_API int filch_interruptible_begin(void);

/* On the same thread; keeps errno. Nothing where no region is open. What fn leaves open ends with
 * fn. */
FILCH_API void filch_interruptible_end(void);

FILCH_END_DECLS

#endif
