/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shields: a part of a task that cancellation from outside does not reach, for what must be brought
 * to its end: a message that says goodbye, a file that is written whole. The cancellation is not
 * lost; it is seen after the shield's end. A shield may have a deadline of its own, which cancels
 * what is inside. Shields nest, with scopes too.
 *
 *     filch_shield shield;
 *     filch_shield_begin(&shield, filch_now() + SECOND); // at most a second of farewell
 *     send_goodbye(connection);                          // its waits are not cut short
 *     filch_shield_end(&shield);
 */
#ifndef FILCH_SHIELD_H
#define FILCH_SHIELD_H

#include <filch/task.h>

FILCH_BEGIN_DECLS

typedef struct filch_shield {
    uint64_t opaque[40];
} __attribute__((aligned(64))) filch_shield;

/*
 * In a task or on any thread; does not suspend. -EBUSY: it has begun already. deadline:
 * CLOCK_MONOTONIC, ns; 0 and FILCH_NEVER: none. Without one it does not fail. -ENOMEM, -EAGAIN: no
 * thread for the timers. A task that returns inside a shield ends the process with a line that says
 * so. A shield holds back a runtime's end for the task itself; children spawned before are
 * cancelled by that.
 */
FILCH_API int filch_shield_begin(filch_shield *shield, int64_t deadline);

/*
 * By the task, job or thread that began it; suspends only for the moment in which its deadline, a
 * cancel or a dump is at work inside. 0, or -ETIMEDOUT: its deadline has
 * passed; ended in both cases. Without effect: -EINVAL: not begun. -EPERM: somebody else began it.
 * -EBUSY: something is open inside of it, or a job was forked there and not synced.
 */
FILCH_API int filch_shield_end(filch_shield *shield);

FILCH_END_DECLS

#endif
