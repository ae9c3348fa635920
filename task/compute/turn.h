/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn of a team: one team of a runtime runs at a time, the others wait in order of arrival. A
 * worker whose task waits here is free, and answers the call of the team that has the turn; so two
 * teams that need all workers do not each hold some of them.
 */
#ifndef FILCH_TASK_COMPUTE_TURN_H
#define FILCH_TASK_COMPUTE_TURN_H

#include "sched/runtime.h"

/* In a task it suspends, elsewhere it blocks. -ECANCELED, -ENOMEM: it has not got it. */
int filch__turn_take(filch_runtime *rt);

/* By who has it: to the next. */
void filch__turn_pass(filch_runtime *rt);

#endif
