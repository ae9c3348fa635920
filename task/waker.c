/* SPDX-License-Identifier: Apache-2.0 */
#include "task/waker.h"

#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/idle.h"
#include "sched/os/fault.h"
#include "sched/os/futex.h"
#include "task/stackless.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- a fiber ---- */

static void wake_fiber(void *fiber)
{
    filch__unpark(fiber);
}

static filch_waker clone_fiber(void *data)
{
    struct filch__fiber *fiber = data;
    filch__blocks_hold(fiber->rt);
    return (filch_waker){&filch__waker_fiber_owned, fiber};
}

static void wake_fiber_owned(void *data)
{
    struct filch__fiber *fiber = data;
    if (!filch__visit_try(fiber->rt))
        return;
    filch__unpark(fiber);
    filch__visit_end(fiber->rt);
}

static void drop_fiber(void *data)
{
    struct filch__fiber *fiber = data;
    filch__blocks_let_go(fiber->rt);
}

const filch_waker_ops filch__waker_fiber = {wake_fiber, clone_fiber, NULL};
const filch_waker_ops filch__waker_fiber_owned = {wake_fiber_owned, clone_fiber, drop_fiber};

/* ---- a thread ---- */

static pthread_key_t key;
static bool has_key;

static void drop_thread(void *data)
{
    struct filch__sleeper *sleeper = data;
    if (filch__sub_acq_rel(&sleeper->references, 1) == 1)
        free(sleeper);
}

static void create_key(void)
{
    has_key = pthread_key_create(&key, drop_thread) == 0;
}

struct filch__sleeper *filch__sleeper_of_thread(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, create_key);
    struct filch__sleeper *sleeper = has_key ? pthread_getspecific(key) : NULL;
    if (sleeper || !has_key)
        return sleeper;
    sleeper = filch__fault_alloc() ? NULL : malloc(sizeof *sleeper);
    if (!sleeper)
        return NULL;
    *sleeper = (struct filch__sleeper){.references = 1};
    if (pthread_setspecific(key, sleeper) == 0)
        return sleeper;
    free(sleeper);
    return NULL;
}

/* Afterwards the thread may be gone, and the word with it: a futex is woken by address alone. */
static void wake_thread(void *data)
{
    struct filch__sleeper *sleeper = data;
    if (!filch__exchange_acq_rel(&sleeper->woken, 1))
        filch__futex_wake(&sleeper->woken, 1);
}

static filch_waker clone_thread(void *data)
{
    struct filch__sleeper *sleeper = data;
    filch__add_relaxed(&sleeper->references, 1);
    return (filch_waker){&filch__waker_thread_owned, sleeper};
}

const filch_waker_ops filch__waker_thread = {wake_thread, clone_thread, NULL};
const filch_waker_ops filch__waker_thread_owned = {wake_thread, clone_thread, drop_thread};

/* ---- a task without a stack ---- */

static void push_task(void *task)
{
    filch__stackless_queue(task);
}

static void wake_task(void *task)
{
    if (filch__stackless_claim(task))
        push_task(task);
}

static filch_waker clone_task(void *data)
{
    struct filch_handle *t = data;
    filch__state_ref(&t->state);
    return (filch_waker){&filch__waker_task_owned, t};
}

static void drop_task(void *data)
{
    struct filch_handle *t = data;
    if (filch__state_unref(&t->state) == FILCH__LAST_FREE)
        filch__task_free(t);
}

const filch_waker_ops filch__waker_task = {wake_task, clone_task, NULL};
const filch_waker_ops filch__waker_task_owned = {wake_task, clone_task, drop_task};

/* ---- nobody ---- */

static void wake_none(void *data)
{
    (void)data;
}

static filch_waker clone_none(void *data)
{
    (void)data;
    return filch__waker_none;
}

static const filch_waker_ops none = {wake_none, clone_none, wake_none};
const filch_waker filch__waker_none = {&none, NULL};

/* ---- all ---- */

void filch_wake(const filch_waker *w)
{
    if (w->ops)
        w->ops->wake(w->data);
}

filch_waker filch_waker_clone(const filch_waker *w)
{
    return w->ops ? w->ops->clone(w->data) : *w;
}

void filch_waker_drop(filch_waker *w)
{
    filch_waker dropped = *w;
    *w = (filch_waker){NULL, NULL};
    if (dropped.ops && dropped.ops->drop)
        dropped.ops->drop(dropped.data);
}

static void push_fiber(void *fiber)
{
    filch__unpark_claimed(fiber);
}

void filch__waker_claim(const filch_waker *w, struct filch__after *after)
{
    if (w->ops == &filch__waker_task) {
        if (filch__stackless_claim(w->data))
            *after = (struct filch__after){push_task, w->data};
    } else if (filch__unpark_claim(w->data)) {
        *after = (struct filch__after){push_fiber, w->data};
    }
}

/*
 * In a handler, which may have interrupted a worker at any point of its own queues: so nothing but
 * the injector, which takes one compare and swap, whoever calls.
 */
static void wake_fiber_from_signal(struct filch__fiber *fiber)
{
    if (filch__unpark_claim(fiber))
        filch__submit_outside(fiber->rt, &fiber->resume, fiber->pinned);
}

static void wake_task_from_signal(struct filch_handle *t)
{
    if (filch__stackless_claim(t))
        filch__submit_outside(t->rt, &t->runnable, filch__task_pinned(t));
}

int filch_wake_from_signal(const filch_waker *w)
{
    int saved_errno = errno;
    int rc = 0;
    if (w->ops == &filch__waker_fiber) {
        wake_fiber_from_signal(w->data);
    } else if (w->ops == &filch__waker_fiber_owned) {
        struct filch__fiber *fiber = w->data;
        if (filch__visit_try(fiber->rt)) {
            wake_fiber_from_signal(fiber);
            filch__visit_end(fiber->rt);
        }
    } else if (w->ops == &filch__waker_task || w->ops == &filch__waker_task_owned) {
        wake_task_from_signal(w->data);
    } else if (w->ops == &filch__waker_thread || w->ops == &filch__waker_thread_owned) {
        wake_thread(w->data);
    } else if (w->ops && w->ops != &none) {
        rc = -ENOTSUP;
    }
    errno = saved_errno;
    return rc;
}
