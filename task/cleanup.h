/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleanup: functions to be called at an end, the newest first. Kept in blocks of the runtime, seven
 * in each, linked to the word of whoever it is that ends.
 */
#ifndef FILCH_TASK_CLEANUP_H
#define FILCH_TASK_CLEANUP_H

#include "sched/runtime.h"

/* Any thread. lock: of *list. -ENOMEM. */
int filch__cleanup_push(void **list, uint32_t *lock, filch_runtime *rt, void (*fn)(void *arg),
                        void *arg);
/* Calls all, also those that are added meanwhile. In a task, or on a thread; they may suspend. */
void filch__cleanup_run(void **list, uint32_t *lock, filch_runtime *rt);

#endif
