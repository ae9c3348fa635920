/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All runtimes of the process: the default one, and what fork(2) does to them.
 *
 * In the child of a fork there are no workers. Every runtime is marked lost and closing there, so
 * that whatever touches it answers -ESHUTDOWN; the child's next use of the default runtime makes a
 * new one. The memory of the lost ones is never freed: their state may be in the middle of
 * anything.
 */
#ifndef FILCH_SCHED_REGISTRY_H
#define FILCH_SCHED_REGISTRY_H

#include "sched/runtime.h"

/* Any thread, before the first runtime; idempotent. */
void filch__registry_init_process(void);
void filch__registry_add(filch_runtime *rt);
void filch__registry_remove(filch_runtime *rt);
/* Any thread. The newest runtime, linked by next, or NULL. Until the unlock none of them ends,
 * though they may close, and none begins; nor does a fork(2). */
filch_runtime *filch__registry_lock(void);
void filch__registry_unlock(void);

/* Called when a runtime begins to close, after `closing` is set. */
struct filch__closing_hook {
    void (*fn)(filch_runtime *rt);
    struct filch__closing_hook *next;
};
/* By the upper floor, before there are threads. The hook stays. */
void filch__registry_hook(struct filch__closing_hook *hook);
void filch__registry_tell_closing(filch_runtime *rt);

/* Called in the child of a fork(2); set by the upper floor before there are runtimes, or NULL. */
extern void (*filch__process_forked)(void);

#endif
