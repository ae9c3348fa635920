/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reductions and scans share: the range in blocks, of which there are few, with a value and a
 * mark for each. A block is a whole number of chunks. Blocks and chunks depend on the range, the grain
 * and the size of a value alone.
 */
#ifndef FILCH_TASK_COMPUTE_VALUES_H
#define FILCH_TASK_COMPUTE_VALUES_H

#include <filch/atomic.h>
#include <filch/loop.h>

struct filch__values {
    int64_t first, last;
    uint64_t grain; /* indices of a chunk */
    uint64_t span;  /* of a block */
    uint64_t blocks;
    size_t size;   /* of a value */
    size_t stride; /* between values */
    char *value;
    uint8_t *mark;                                /* of each block, 0 at first */
    void *heap;                                   /* for release */
    int32_t failure;                              /* the first of a body: no other chunk is begun */
    char room[1024] __attribute__((aligned(64))); /* for few values */
};

/*
 * [first, last) is not empty, grain >= 0, size > 0; extra: so many values more than blocks. -ENOMEM.
 * On success filch__values_release follows.
 */
int filch__values_init(struct filch__values *v, int64_t first, int64_t last, int64_t grain,
                       size_t size, unsigned extra);
void filch__values_release(struct filch__values *v);

static inline char *filch__value(const struct filch__values *v, uint64_t i)
{
    return v->value + i * v->stride;
}

/* Makes *value the identity. */
void filch__value_reset(void *value, size_t size, void (*identity)(void *value, void *ctx),
                        void *ctx);

/* Of a block. */
struct filch__chunks {
    int64_t first, last; /* a chunk */
    int64_t end;
};

struct filch__chunks filch__chunks_of(const struct filch__values *v, uint64_t block);

/* To the next chunk. 0: there is none. 1. -ECANCELED: it is not to be begun. */
int filch__chunks_next(const struct filch__values *v, struct filch__chunks *c);

/* What a body returned, < 0; ends the loop. */
static inline int filch__values_fail(struct filch__values *v, int rc)
{
    int32_t none = 0;
    filch__cas_relaxed(&v->failure, &none, rc);
    return rc;
}

/* What the call returns after its last loop returned rc. The loop may have heard from those who
 * stopped because of the failure first. */
static inline int filch__values_result(const struct filch__values *v, int rc)
{
    return rc < 0 && v->failure < 0 ? v->failure : rc;
}

/* The mark of a place where two meet. True: the other was here; what it did before is seen. */
static inline bool filch__values_met(struct filch__values *v, uint64_t i)
{
    return filch__exchange_acq_rel(&v->mark[i], (uint8_t)1);
}

#endif
