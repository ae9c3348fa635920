/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordered loops: chunks have their turn in the order of their iterations. A thread that has done its
 * chunk waits for the turn, too, to pass it on.
 */
#include "adapters/gomp/loop.h"
#include "adapters/gomp/wait.h"

static bool has_turn(void *ctx)
{
    const struct filch__omp_self *self = ctx;
    /* Pairs with the store in pass_turn. */
    return filch__load_seq_cst(&self->share->turn) == self->from;
}

void filch__omp_pass_turn(struct filch__omp_self *self)
{
    filch__omp_wait(self, FILCH__OMP_NO_TASKS, has_turn, self);
    filch__store_seq_cst(&self->share->turn, self->from + self->length);
    filch__omp_notify(self->region);
}

void GOMP_ordered_start(void)
{
    struct filch__omp_self *self = filch__omp_self();
    if (self->region->size > 1 && self->share->ordered)
        filch__omp_wait(self, FILCH__OMP_NO_TASKS, has_turn, self);
}

/* The turn goes on when the chunk is done. */
void GOMP_ordered_end(void) {}
