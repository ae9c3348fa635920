/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to wait for futures, of a fiber or a thread. */
#ifndef FILCH_TASK_AWAIT_H
#define FILCH_TASK_AWAIT_H

#include "sched/fibers.h"

#include <filch/waker.h>

struct filch__signal;

struct filch__watch {
    /* Polls what is pending of it, with the waker; true: that will do. */
    bool (*ready)(struct filch__watch *watch, const filch_waker *waker);
    const struct filch__topic *topic; /* which explains a watch */
    bool timed;                       /* of filch__await: there is a deadline */
};

/*
 * me: the calling fiber, NULL on a thread. Waits until ready says so: 0. Nothing else ends what is
 * watched: -ECANCELED, looked at before each poll; -ETIMEDOUT, after a poll; -ENOMEM, -EAGAIN.
 */
int filch__await(struct filch__watch *watch, struct filch__fiber *me, int64_t deadline);

/*
 * A fiber's wait for a signal alone, which was armed with its waker: 0 once it rings. Else, as
 * above: -ECANCELED, -ENOMEM; then it may come yet. topic, on: for a dump.
 */
int filch__await_signal(struct filch__fiber *me, const struct filch__signal *signal,
                        const struct filch__topic *topic, const void *on);

/* The same with a spin lock, under which it was armed and will be fired, and which it leaves. */
int filch__await_signal_leaving(struct filch__fiber *me, uint32_t *lock,
                                const struct filch__signal *signal,
                                const struct filch__topic *topic, const void *on);

/* The rest of it, for a fiber whose first poll was in vain; polled: me->parks before that. */
int filch__await_suspended(struct filch__watch *watch, struct filch__fiber *me, uint32_t polled,
                           int64_t deadline);

#endif
