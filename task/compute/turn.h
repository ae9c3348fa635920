/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn of a team: one team of a runtime runs at a time, the others wait in order of arrival. A
 * worker whose task waits here answers the call of the team that has the turn, whether the task has
 * suspended or holds it (sched/hold.h); so two teams that need all workers do not each keep some of
 * them.
 */
#ifndef FILCH_TASK_COMPUTE_TURN_H
#define FILCH_TASK_COMPUTE_TURN_H

#include "sched/runtime.h"

/* holder: the caller's worker, which it holds; NULL: in a task it suspends, elsewhere it blocks.
 * -ECANCELED, -ENOMEM: it has not got it. */
int filch__turn_take(filch_runtime *rt, struct filch__worker *holder);

/* By who has it: to the next. */
void filch__turn_pass(filch_runtime *rt);

#endif
