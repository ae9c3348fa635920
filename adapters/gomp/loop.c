/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/gomp/loop.h"

#include <string.h>

/* ---- models ---- */

static void schedule_as(struct filch__omp_share *model, long schedule, uint64_t chunk)
{
    model->kind = FILCH__OMP_KIND(schedule);
    model->chunk = chunk;
}

struct filch__omp_share filch__omp_loop_long(long first, long last, long step, long schedule,
                                             long chunk)
{
    struct filch__omp_share model = {
        .first = (uint64_t)first, .last = (uint64_t)last, .step = (uint64_t)step};
    schedule_as(&model, schedule, chunk > 0 ? (uint64_t)chunk : 0);
    if (step > 0 && last > first)
        model.count = (model.last - model.first - 1) / model.step + 1;
    else if (step < 0 && last < first)
        model.count = (model.first - model.last - 1) / -model.step + 1;
    return model;
}

struct filch__omp_share filch__omp_loop_ull(bool up, unsigned long long first,
                                            unsigned long long last, unsigned long long step,
                                            long schedule, unsigned long long chunk)
{
    struct filch__omp_share model = {.first = first, .last = last, .step = step};
    schedule_as(&model, schedule, chunk);
    if (up && last > first)
        model.count = (last - first - 1) / step + 1;
    else if (!up && last < first)
        model.count = (first - last - 1) / -step + 1;
    return model;
}

/* What `runtime` and `auto` stand for, and the bounds of chunks. */
static void resolve(const struct filch__omp_self *self, struct filch__omp_share *model)
{
    uint64_t threads = (uint64_t)self->region->size;
    if (model->kind == FILCH__OMP_RUNTIME) {
        model->kind = self->icv->schedule;
        model->chunk = (uint64_t)self->icv->chunk;
    }
    if (model->kind == FILCH__OMP_AUTO)
        model->kind = FILCH__OMP_STATIC;
    if (model->kind != FILCH__OMP_STATIC && model->chunk == 0)
        model->chunk = 1;
    if (model->chunk > model->count)
        model->chunk = model->count;
    /* Each thread adds its last chunk in vain. */
    uint64_t over;
    model->crowded = __builtin_mul_overflow(model->chunk, threads, &over) ||
                     __builtin_add_overflow(over, model->count, &over);
}

/* ---- claims ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Without a chunk's size: one block for each thread. trip: the position of the next. */
static bool claim_static(struct filch__omp_self *self, const struct filch__omp_share *share)
{
    uint64_t threads = (uint64_t)self->region->size, rank = (uint64_t)self->rank;
    if (share->chunk == 0) {
        uint64_t each = share->count / threads, more = share->count % threads;
        self->from = rank * each + least(rank, more);
        self->length = self->trip ? 0 : each + (rank < more);
        self->trip = 1;
        return self->length;
    }
    self->from = self->trip;
    if (self->from >= share->count)
        return false;
    self->length = least(share->chunk, share->count - self->from);
    uint64_t round;
    if (__builtin_mul_overflow(threads, share->chunk, &round) ||
        __builtin_add_overflow(self->trip, round, &self->trip))
        self->trip = UINT64_MAX;
    return true;
}

static bool claim_dynamic(struct filch__omp_self *self, struct filch__omp_share *share)
{
    if (filch__unlikely(share->crowded)) {
        uint64_t from = filch__load_relaxed(&share->claimed);
        do {
            if (from >= share->count)
                return false;
        } while (!filch__cas_relaxed(&share->claimed, &from,
                                     from + least(share->chunk, share->count - from)));
        self->from = from;
    } else {
        self->from = filch__add_relaxed(&share->claimed, share->chunk);
        if (self->from >= share->count)
            return false;
    }
    self->length = least(share->chunk, share->count - self->from);
    return true;
}

/* A thread's part of what is left, at least the chunk's size. */
static bool claim_guided(struct filch__omp_self *self, struct filch__omp_share *share)
{
    uint64_t threads = (uint64_t)self->region->size;
    uint64_t from = filch__load_relaxed(&share->claimed), left, part;
    do {
        if (from >= share->count)
            return false;
        left = share->count - from;
        part = (left - 1) / threads + 1;
        part = least(left, part > share->chunk ? part : share->chunk);
    } while (!filch__cas_relaxed(&share->claimed, &from, from + part));
    self->from = from;
    self->length = part;
    return true;
}

static bool claim(struct filch__omp_self *self, struct filch__omp_share *share)
{
    switch (share->kind) {
    case FILCH__OMP_STATIC:
        return claim_static(self, share);
    case FILCH__OMP_GUIDED:
        return claim_guided(self, share);
    default:
        return claim_dynamic(self, share);
    }
}

/* ---- the loop ---- */

/* A region of one has the whole loop as one chunk: from, trip are its bounds, length says that it is
 * to come. */
void filch__omp_loop_enter(struct filch__omp_self *self, struct filch__omp_share *model,
                           uintptr_t *reductions, void **mem)
{
    if (self->region->size == 1) {
        if (reductions || mem)
            filch__omp_share_extras(self, reductions, mem);
        self->from = model->first;
        self->trip = model->last;
        self->length = model->count;
        return;
    }
    resolve(self, model);
    struct filch__omp_share *share =
        filch__omp_share_enter(self, model, reductions, mem ? (uintptr_t)*mem : 0);
    if (mem)
        *mem = share->scratch;
    self->length = 0;
    self->trip = 0;
    if (share->kind == FILCH__OMP_STATIC &&
        __builtin_mul_overflow((uint64_t)self->rank, share->chunk, &self->trip))
        self->trip = UINT64_MAX;
}

bool filch__omp_loop_next(struct filch__omp_self *self, uint64_t *first, uint64_t *last)
{
    struct filch__omp_share *share = self->share;
    if (self->region->size == 1) {
        *first = self->from;
        *last = self->trip;
        bool any = self->length;
        self->length = 0;
        return any;
    }
    if (share->ordered && self->length)
        filch__omp_pass_turn(self);
    self->length = 0;
    if (!claim(self, share))
        return false;
    uint64_t end = self->from + self->length;
    *first = share->first + self->from * share->step;
    *last = end == share->count ? share->last : share->first + end * share->step;
    return true;
}

/* A loop's end has nothing to do: who goes on to the next work-share, or ends, leaves this one. */
void GOMP_loop_end_nowait(void) {}

void GOMP_loop_end(void)
{
    GOMP_barrier();
}

bool GOMP_loop_end_cancel(void)
{
    GOMP_barrier();
    return false;
}
