/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A survey: a look at everything that runtimes have queued and on fibers, by any thread, while the
 * workers go on. What it finds it may read until its end, without references: tasks that end
 * meanwhile stay in memory (blocks.h), fibers live as long as their runtime, and no runtime ends
 * before the survey has. All it sees is racy, but what stands still is seen as it stands.
 *
 *     for (filch_runtime *rt = filch__survey_begin(); rt; rt = rt->next) {
 *         filch__survey_queues(rt, look, ctx);
 *         for (struct filch__fiber *f = filch__survey_fibers(rt); f; f = f->next_all)
 *             ... filch__load_acquire(&f->task) ...
 *     }
 *     filch__survey_end();
 *
 * Queues come before fibers, so that what is started in between is seen on its fiber. A walk along
 * `next` may be led into another queue when a node is moved under it; all that it meets is memory
 * that the survey may read, and was queued, or has run, or is in limbo; so a walk takes no more steps
 * than there can be things to find, and who looks at a node looks at its state too.
 */
#ifndef FILCH_SCHED_SURVEY_H
#define FILCH_SCHED_SURVEY_H

#include "sched/runtime.h"

/*
 * Any thread or task. The newest runtime, linked by next, or NULL. Blocks while another survey goes
 * on; runtimes that are created or destroyed and forks of the process wait for the end. What was
 * lost to a fork(2) is not among them.
 */
filch_runtime *filch__survey_begin(void);
void filch__survey_end(void);

/*
 * Calls look(ctx, r) for what is in rt's queues, perhaps more than once: in the injector, what is
 * pinned, in the deques. r->run says what it is, by an atomic load. False from look ends the walk.
 */
void filch__survey_queues(filch_runtime *rt, bool (*look)(void *ctx, struct filch__runnable *r),
                          void *ctx);

/* All fibers of rt, by next_all. */
struct filch__fiber *filch__survey_fibers(filch_runtime *rt);

/* The worker that runs the fiber, from 0, or -1. */
int filch__survey_worker(const filch_runtime *rt, const struct filch__fiber *fiber);

#endif
