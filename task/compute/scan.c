/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scan: blocks are summed in ascending order, and written once the sums of all blocks before are
 * known. A carry goes from block to block: where it meets a block's sum, whoever comes last, the
 * carry or the sum, takes it on. So nobody waits, and the carries are always the same. Who has
 * summed a block writes one if it can, most likely the same, while it is in the cache; what could
 * not be written then is, when all is summed.
 */
#include "task/compute/values.h"

#include <errno.h>
#include <filch/reduce.h>
#include <string.h>

struct scan {
    const filch_scanner *s;
    void *ctx;
    uint64_t next_sum;   /* claimed by addition */
    uint64_t next_write; /* claimed where it is below front */
    uint64_t front;      /* blocks below have their carry for a value; by who has the carry */
    struct filch__values values; /* then the carry, and room for another */
};

/* What is before or in a block: appended to *value, chunk by chunk. */
static int pass(struct scan *d, uint64_t block, void *value, bool final)
{
    struct filch__values *v = &d->values;
    struct filch__chunks c = filch__chunks_of(v, block);
    int more;
    do {
        int rc = d->s->body(c.first, c.last, value, final, d->ctx);
        if (rc < 0)
            return filch__values_fail(v, rc);
        more = filch__chunks_next(v, &c);
    } while (more > 0);
    return more;
}

/* The carry is at `block`, and so is its sum: exchanges them, the carry goes on. */
static void take_on(struct scan *d, uint64_t block)
{
    struct filch__values *v = &d->values;
    char *value = filch__value(v, block);
    char *carry = filch__value(v, v->blocks), *room = filch__value(v, v->blocks + 1);
    memcpy(room, carry, v->size);
    d->s->combine(carry, value, d->ctx);
    memcpy(value, room, v->size);
    /* Pairs with the load in write_one. */
    filch__store_release(&d->front, block + 1);
}

/* The carry comes to a block, or its sum does. The last block has no sum: nothing comes after it. */
static void arrive(struct scan *d, uint64_t block)
{
    struct filch__values *v = &d->values;
    while (block + 1 < v->blocks && filch__values_met(v, block))
        take_on(d, block++);
    if (block + 1 == v->blocks) {
        memcpy(filch__value(v, block), filch__value(v, v->blocks), v->size);
        filch__store_release(&d->front, v->blocks);
    }
}

static int sum_one(struct scan *d)
{
    uint64_t block = filch__add_acq_rel(&d->next_sum, (uint64_t)1);
    if (block + 1 == d->values.blocks)
        return 0;
    void *value = filch__value(&d->values, block);
    filch__value_reset(value, d->values.size, d->s->identity, d->ctx);
    int rc = pass(d, block, value, false);
    if (rc == 0)
        arrive(d, block);
    return rc;
}

/* 0 also if there is none that can be written. */
static int write_one(struct scan *d)
{
    uint64_t block = filch__load_relaxed(&d->next_write);
    do {
        if (block >= filch__load_acquire(&d->front))
            return 0;
    } while (!filch__cas_acq_rel(&d->next_write, &block, block + 1));
    return pass(d, block, filch__value(&d->values, block), true);
}

static int sum_and_write(int64_t first, int64_t last, void *arg)
{
    int rc = 0;
    for (; rc == 0 && first < last; first++) {
        rc = sum_one(arg);
        /* Two, to catch up with what had to wait. */
        for (int i = 0; rc == 0 && i < 2; i++)
            rc = write_one(arg);
    }
    return rc;
}

static int write_rest(int64_t first, int64_t last, void *arg)
{
    int rc = 0;
    for (; rc == 0 && first < last; first++)
        rc = write_one(arg);
    return rc;
}

static int scan(const filch_loop_options *o, struct scan *d)
{
    struct filch__values *v = &d->values;
    d->next_sum = d->next_write = d->front = 0;
    filch__value_reset(filch__value(v, v->blocks), v->size, d->s->identity, d->ctx);
    arrive(d, 0);
    int rc = filch_for_with(o, 0, (int64_t)v->blocks, 0, sum_and_write, d);
    if (rc < 0)
        return rc;
    return filch_for_with(o, (int64_t)d->next_write, (int64_t)v->blocks, 0, write_rest, d);
}

int filch_scan_with(const filch_loop_options *o, int64_t first, int64_t last, int64_t grain,
                    const filch_scanner *s, void *total, void *ctx)
{
    if (!s || s->size == 0 || !s->body || !s->combine || grain < 0)
        return -EINVAL;
    if (first >= last) {
        if (total)
            filch__value_reset(total, s->size, s->identity, ctx);
        return 0;
    }
    struct scan d;
    d.s = s;
    d.ctx = ctx;
    int rc = filch__values_init(&d.values, first, last, grain, s->size, 2);
    if (rc < 0)
        return rc;
    rc = scan(o, &d);
    if (rc == 0 && total)
        memcpy(total, filch__value(&d.values, d.values.blocks - 1), s->size);
    filch__values_release(&d.values);
    return filch__values_result(&d.values, rc);
}

int filch_scan(int64_t first, int64_t last, int64_t grain, const filch_scanner *s, void *total,
               void *ctx)
{
    return filch_scan_with(NULL, first, last, grain, s, total, ctx);
}
