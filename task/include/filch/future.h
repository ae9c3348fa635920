/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures: something to wait for, in the caller's memory. A future does nothing before it is first
 * polled; a poll says what it came to, or FILCH_PENDING and arranges for a wake. Awaiting one is a
 * poll, and where it is pending a suspension, so timeout, cancellation and select are the same for
 * all: sleeps, ends of tasks, file descriptors, locks, channels, and futures of your own.
 *
 *     filch_sleep_future pause = FILCH_SLEEP_FUTURE(filch_now() + SECOND);
 *     filch_join_future end = FILCH_JOIN_FUTURE(task);
 *     filch_future *either[] = {&pause.future, &end.future};
 *     int first = filch_select(either, 2);      // 0 or 1; the other one is still pending
 *     filch_future_drop(either[!first]);
 *
 * Life: new -> pending -> ready, and then dropped; or dropped before. A future that is ready is
 * dropped at once by whoever polled it, and never polled again: another await says -EALREADY. Its
 * owner drops it otherwise, before its memory goes. So `drop` runs exactly once. filch_await,
 * filch_await_until and filch_join_all always end what they are given, ready or not; filch_select
 * and filch_poll leave what is pending to their caller. One thread or task at a time uses a future;
 * a second one that is caught gets -EBUSY. What a task or thread has polled and left pending ends,
 * or is polled by another, before that task or thread is over.
 */
#ifndef FILCH_FUTURE_H
#define FILCH_FUTURE_H

#include <filch/task.h>
#include <filch/waker.h>

#include <limits.h>

FILCH_BEGIN_DECLS

/* What a poll returns where there is nothing yet; no result of a future. */
#define FILCH_PENDING INT_MIN

typedef struct filch_future filch_future;

/* How a kind of future works. */
typedef struct filch_future_ops {
    const char *name; /* what is waited for, for filch_dump: "a time" */
    /*
     * The result, >= 0 or a negative errno; or FILCH_PENDING, with *waker to be woken. May be
     * polled without a wake. Never called again once it has given a result, nor after drop. It
     * should not suspend, but may.
     */
    int (*poll)(filch_future *self, const filch_waker *waker);
    /* Called once, ready or not, polled or not, last of all. NULL: there is nothing to do. */
    void (*drop)(filch_future *self);
} filch_future_ops;

/* To be embedded, first, in what the future needs. Once polled it stays where it is. Its `drop` may
 * free it, but not where it is one of several. */
struct filch_future {
    const filch_future_ops *ops;
    uint32_t state; /* filch's */
    int result;     /* once it was ready */
};

#define FILCH_FUTURE(ops) \
    {                     \
        (ops), 0, 0       \
    }

/*
 * Waits for the result and returns it. In a task: suspends; on another thread: blocks it. Whatever
 * it returns, f has ended, but for -EINVAL: f is NULL; -EALREADY: f has ended before; -EBUSY: f is
 * in use. If it returns one of the following, f was dropped: -ECANCELED: the caller was cancelled,
 * before the result was looked at; -ENOMEM: no stack to go on with, or no memory for the thread to
 * wait.
 */
FILCH_API int filch_await(filch_future *f);

/* The same until a deadline: -ETIMEDOUT: f was pending then, and was dropped. A deadline that has
 * passed: one poll. -EAGAIN, -ENOMEM: no thread for the timers; f was dropped. */
FILCH_API int filch_await_until(filch_future *f, int64_t deadline);

/*
 * Waits until one of n futures is ready: its index; its result is in its `result`. It has ended;
 * the others are pending, or new: select again, or drop them. Which one wins of several that are
 * ready is random. NULLs are left out. In a task: suspends; on another thread: blocks it. Errors as
 * filch_await, but that no future was dropped: -ECANCELED, -ENOMEM, and -EALREADY, -EBUSY for any
 * of them. -EINVAL: there is none.
 */
FILCH_API int filch_select(filch_future *const futures[], size_t n);
/* -ETIMEDOUT: none was ready by the deadline. */
FILCH_API int filch_select_until(filch_future *const futures[], size_t n, int64_t deadline);

/*
 * Waits for all of n futures, which go on side by side. 0, or the result of the first that failed,
 * in the order of the array; the results are in the futures. Whatever it returns, all have ended,
 * but for -EINVAL, -EALREADY, -EBUSY. -ECANCELED, -ENOMEM as filch_await: those that were pending
 * were dropped. Each wake polls all that are pending: spawn many rather than join them.
 */
FILCH_API int filch_join_all(filch_future *const futures[], size_t n);

/* Ends a future that is new or pending; f may be NULL or have ended. -EBUSY: it is just being
 * polled or awaited, and nothing was done. Any thread or task. */
FILCH_API int filch_future_drop(filch_future *f);
FILCH_API void filch_future_drop_all(filch_future *const futures[], size_t n);

/*
 * One poll, for a future made of others, or to look without waiting: the result, after which f has
 * ended, or FILCH_PENDING. waker may be NULL: nobody is woken. -EINVAL, -EALREADY, -EBUSY as
 * filch_await.
 */
FILCH_API int filch_poll(filch_future *f, const filch_waker *waker);

/* True once it has ended: ready or dropped. */
FILCH_API bool filch_future_ended(const filch_future *f);

/*
 * Spawns a future as a task without a stack: some hundred bytes. `size` bytes of *f, which is new,
 * are moved into the task, aligned to 16, and f has ended for the caller; the task's result is the
 * future's. It is polled on the workers, first soon after the spawn; aborting it drops it where it
 * is pending. In a poll of it filch_cancelled and the others speak of the task, but filch_defer is
 * -EINVAL. Else as filch_spawn_with; arg_size, arg_drop, stack_size are -EINVAL. -EALREADY, -EBUSY:
 * f is not new. On failure f is as it was.
 */
FILCH_API int filch_spawn_future(filch_handle **h, filch_future *f, size_t size);
FILCH_API int filch_spawn_future_with(filch_handle **h, const filch_spawn_options *o,
                                      filch_future *f, size_t size);

/*
 * The end of a task as a future: like filch_join. When it is ready it has consumed the handle;
 * before it has, dropping it leaves the handle to the caller. While it is pending the handle is in
 * use: nobody else joins or detaches. out: where to move the task's result,
 * or NULL.
 */
typedef struct filch_join_future {
    filch_future future;
    filch_handle *handle;
    void *out;
    filch_waker waker;
} filch_join_future;

extern FILCH_API const filch_future_ops filch_join_future_ops;

#define FILCH_JOIN_FUTURE(handle)                             \
    {                                                         \
        FILCH_FUTURE(&filch_join_future_ops), (handle), NULL, \
        {                                                     \
            NULL, NULL                                        \
        }                                                     \
    }

FILCH_END_DECLS

#endif
