/* SPDX-License-Identifier: Apache-2.0 */
/* Sections, and the constructs that one thread does. */
#include "adapters/gomp/share.h"

static unsigned next_section(struct filch__omp_self *self)
{
    if (self->region->size == 1)
        return self->section < self->sections ? ++self->section : 0;
    struct filch__omp_share *share = self->share;
    uint64_t claimed = filch__add_relaxed(&share->claimed, 1u);
    return claimed < share->count ? (unsigned)claimed + 1 : 0;
}

static void enter(struct filch__omp_self *self, unsigned count, uintptr_t *reductions, void **mem)
{
    if (self->region->size == 1) {
        if (reductions || mem)
            filch__omp_share_extras(self, reductions, mem);
        self->section = 0;
        self->sections = count;
        return;
    }
    struct filch__omp_share model = {.kind = FILCH__OMP_DYNAMIC, .count = count};
    struct filch__omp_share *share =
        filch__omp_share_enter(self, &model, reductions, mem ? (uintptr_t)*mem : 0);
    if (mem)
        *mem = share->scratch;
}

unsigned GOMP_sections_start(unsigned count)
{
    struct filch__omp_self *self = filch__omp_self();
    enter(self, count, NULL, NULL);
    return next_section(self);
}

unsigned GOMP_sections2_start(unsigned count, uintptr_t *reductions, void **mem)
{
    struct filch__omp_self *self = filch__omp_self();
    enter(self, count, reductions, mem);
    return next_section(self);
}

unsigned GOMP_sections_next(void)
{
    return next_section(filch__omp_self());
}

void GOMP_sections_end_nowait(void) {}

void GOMP_sections_end(void)
{
    GOMP_barrier();
}

bool GOMP_sections_end_cancel(void)
{
    GOMP_barrier();
    return false;
}

struct region_sections {
    void (*fn)(void *);
    void *data;
    unsigned count;
};

static void run(void *ctx)
{
    const struct region_sections *sections = ctx;
    enter(filch__omp_self(), sections->count, NULL, NULL);
    sections->fn(sections->data);
}

void GOMP_parallel_sections(void (*fn)(void *), void *data, unsigned threads, unsigned count,
                            unsigned flags)
{
    (void)flags;
    struct region_sections sections = {fn, data, count};
    filch__omp_parallel(run, &sections, threads, NULL);
}

void GOMP_scope_start(uintptr_t *reductions)
{
    filch__omp_share_extras(filch__omp_self(), reductions, NULL);
}

/* ---- single ---- */

bool GOMP_single_start(void)
{
    struct filch__omp_self *self = filch__omp_self();
    return self->region->size == 1 || filch_team_single(self->member);
}

/* NULL: the caller is the one, and calls GOMP_single_copy_end with what it has for the others, who
 * wait for that. The compiler puts a barrier after it, before which nobody can begin another one. */
void *GOMP_single_copy_start(void)
{
    struct filch__omp_self *self = filch__omp_self();
    if (GOMP_single_start())
        return NULL;
    filch__omp_barrier(self);
    return self->region->copied;
}

void GOMP_single_copy_end(void *data)
{
    struct filch__omp_self *self = filch__omp_self();
    self->region->copied = data;
    filch__omp_barrier(self);
}
