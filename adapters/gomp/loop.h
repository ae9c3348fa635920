/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops that are divided while they run. Iterations are counted from 0 in 64 bits, whatever the type
 * and direction of the program's variable; a thread claims chunks of them, by one atomic operation each.
 */
#ifndef FILCH_GOMP_LOOP_H
#define FILCH_GOMP_LOOP_H

#include "adapters/gomp/share.h"

#define FILCH__OMP_SAME_AS(function) __attribute__((alias(#function)))

/* A loop's model. schedule may have modifiers, and be that of the environment. */
struct filch__omp_share filch__omp_loop_long(long first, long last, long step, long schedule,
                                             long chunk);
struct filch__omp_share filch__omp_loop_ull(bool up, unsigned long long first,
                                            unsigned long long last, unsigned long long step,
                                            long schedule, unsigned long long chunk);

/* The thread comes to the loop. */
void filch__omp_loop_enter(struct filch__omp_self *self, struct filch__omp_share *model,
                           uintptr_t *reductions, void **mem);

/* The thread has done the chunk that it had, if any, and gets another one: its bounds for the program's
 * variable. False: there is none left. */
bool filch__omp_loop_next(struct filch__omp_self *self, uint64_t *first, uint64_t *last);

/* The thread's chunk has had its turn in an ordered loop. */
void filch__omp_pass_turn(struct filch__omp_self *self);

#endif
