/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reduction: each block has its value, and of two neighbours in a binary tree whoever is done last
 * combines them and goes on upwards. So nobody waits, and the tree is always the same.
 */
#include "task/compute/values.h"

#include <errno.h>
#include <filch/reduce.h>
#include <string.h>

struct reduction {
    const filch_reducer *r;
    void *ctx;
    struct filch__values values;
};

static int fill(struct reduction *d, uint64_t block)
{
    struct filch__values *v = &d->values;
    void *value = filch__value(v, block);
    filch__value_reset(value, v->size, d->r->identity, d->ctx);
    struct filch__chunks c = filch__chunks_of(v, block);
    int more;
    do {
        int rc = d->r->body(c.first, c.last, value, d->ctx);
        if (rc < 0)
            return filch__values_fail(v, rc);
        more = filch__chunks_next(v, &c);
    } while (more > 0);
    return more;
}

/*
 * The value of `block` is there. A subtree of `width` blocks has its value in its first; the place
 * where it meets its neighbour has the mark of the right one's first block, which no other place has.
 */
static void climb(struct reduction *d, uint64_t block)
{
    struct filch__values *v = &d->values;
    for (uint64_t width = 1; width < v->blocks; width *= 2) {
        uint64_t left = block & ~width, right = left + width;
        if (right < v->blocks) {
            if (!filch__values_met(v, right))
                return;
            d->r->combine(filch__value(v, left), filch__value(v, right), d->ctx);
        }
        block = left;
    }
}

static int reduce_blocks(int64_t first, int64_t last, void *arg)
{
    struct reduction *d = arg;
    for (int64_t i = first; i < last; i++) {
        int rc = fill(d, (uint64_t)i);
        if (rc < 0)
            return rc;
        climb(d, (uint64_t)i);
    }
    return 0;
}

int filch_reduce_with(const filch_loop_options *o, int64_t first, int64_t last, int64_t grain,
                      const filch_reducer *r, void *result, void *ctx)
{
    if (!r || !result || r->size == 0 || !r->body || !r->combine || grain < 0)
        return -EINVAL;
    if (first >= last) {
        filch__value_reset(result, r->size, r->identity, ctx);
        return 0;
    }
    struct reduction d;
    d.r = r;
    d.ctx = ctx;
    int rc = filch__values_init(&d.values, first, last, grain, r->size, 0);
    if (rc < 0)
        return rc;
    rc = filch_for_with(o, 0, (int64_t)d.values.blocks, 0, reduce_blocks, &d);
    if (rc == 0)
        memcpy(result, filch__value(&d.values, 0), r->size);
    filch__values_release(&d.values);
    return filch__values_result(&d.values, rc);
}

int filch_reduce(int64_t first, int64_t last, int64_t grain, const filch_reducer *r, void *result,
                 void *ctx)
{
    return filch_reduce_with(NULL, first, last, grain, r, result, ctx);
}
