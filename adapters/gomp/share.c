/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/gomp/share.h"

#include "adapters/gomp/reduction.h"

#include <stdlib.h>
#include <string.h>

static void release(struct filch__omp_share *share)
{
    free(share->scratch);
    free(share->extent);
    free(share->done);
    share->scratch = NULL;
    share->extent = share->done = NULL;
}

/* The thread goes on from the work-share it is in. A first one is not on the heap: it has no claimed
 * items, nor anything else. */
static void leave(struct filch__omp_self *self, struct filch__omp_share *share)
{
    struct filch__omp_region *r = self->region;
    if (filch__add_acq_rel(&share->left, 1u) + 1 < (uint32_t)r->size || share == r->first)
        return;
    release(share);
    if (self->spare)
        free(share);
    else
        self->spare = share;
}

static struct filch__omp_share *make(struct filch__omp_self *self,
                                     const struct filch__omp_share *model, uintptr_t *reductions,
                                     size_t scratch)
{
    struct filch__omp_share *share = self->spare;
    self->spare = NULL;
    if (!share)
        share = filch__omp_alloc(64, sizeof *share);
    *share = *model;
    if (share->counts)
        filch__omp_doacross_make(share);
    if (scratch)
        share->scratch = filch__omp_alloc(64, scratch);
    if (reductions)
        filch__omp_reductions_make(reductions, (unsigned)self->region->size);
    share->reductions = reductions;
    return share;
}

struct filch__omp_share *filch__omp_share_enter(struct filch__omp_self *self,
                                                const struct filch__omp_share *model,
                                                uintptr_t *reductions, size_t scratch)
{
    struct filch__omp_share *at = self->share, *next = filch__load_acquire(&at->next);
    bool owner = false;
    if (!next) {
        struct filch__omp_share *made = make(self, model, reductions, scratch);
        owner = filch__cas_acq_rel(&at->next, &next, made);
        if (owner) {
            next = made;
        } else {
            if (reductions)
                filch__omp_reductions_free(reductions);
            release(made);
            self->spare = made;
        }
    }
    leave(self, at);
    self->share = next;
    if (reductions)
        filch__omp_reductions_enter(self, reductions, owner ? NULL : next->reductions);
    return next;
}

void filch__omp_share_leave(struct filch__omp_self *self)
{
    if (self->share)
        leave(self, self->share);
    free(self->spare);
    free(self->scratch);
}

void filch__omp_share_extras(struct filch__omp_self *self, uintptr_t *reductions, void **mem)
{
    size_t size = mem ? (uintptr_t)*mem : 0;
    if (self->region->size > 1) {
        struct filch__omp_share model = {.kind = FILCH__OMP_STATIC};
        struct filch__omp_share *share = filch__omp_share_enter(self, &model, reductions, size);
        if (mem)
            *mem = share->scratch;
        return;
    }
    if (mem) {
        free(self->scratch);
        *mem = self->scratch = filch__omp_alloc(64, size ? size : 1);
    }
    if (reductions) {
        filch__omp_reductions_make(reductions, 1);
        filch__omp_reductions_enter(self, reductions, NULL);
    }
}
