/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorts of anything by a comparison that is called: elements of some sizes themselves; of other sizes
 * pointers to them, then they are copied once in the order found.
 */
#include "sched/os/fault.h"

#include <filch/sort.h>
#include <stdlib.h>
#include <string.h>

struct order {
    filch_compare_fn *compare;
    void *ctx;
};

static inline bool before(const void *a, const void *b, void *order)
{
    const struct order *by = order;
    return by->compare(a, b, by->ctx) < 0;
}

#define SIZED(size)      \
    struct bytes##size { \
        char byte[size]; \
    };                   \
    FILCH_SORT_DEFINE(sort##size, struct bytes##size, before)

SIZED(4)
SIZED(8)
SIZED(16)
SIZED(24)
SIZED(32)

static inline bool target_before(const void *const *a, const void *const *b, void *order)
{
    return before(*a, *b, order);
}

FILCH_SORT_DEFINE(sort_pointers, const void *, target_before)

struct copies {
    char *base, *to; /* n elements each */
    const void **pointer;
    size_t n, size;
};

static int point(int64_t first, int64_t last, void *arg)
{
    const struct copies *c = arg;
    for (size_t i = (size_t)first; i < (size_t)last; i++)
        c->pointer[i] = c->base + i * c->size;
    return 0;
}

static int copy_out(int64_t first, int64_t last, void *arg)
{
    const struct copies *c = arg;
    for (size_t i = (size_t)first; i < (size_t)last; i++)
        memcpy(c->to + i * c->size, c->pointer[i], c->size);
    return 0;
}

static int copy_back(int64_t first, int64_t last, void *arg)
{
    const struct copies *c = arg;
    size_t from = (size_t)first * c->size;
    memcpy(c->base + from, c->to + from, (size_t)(last - first) * c->size);
    return 0;
}

static int sort_copies(const filch_loop_options *o, struct copies *c, struct order *by)
{
    int64_t n = (int64_t)c->n;
    int rc = filch_for_with(o, 0, n, 0, point, c);
    if (rc == 0)
        rc = sort_pointers(o, c->pointer, c->n, by);
    if (rc == 0)
        rc = filch_for_with(o, 0, n, 0, copy_out, c);
    if (rc < 0)
        return rc;
    /* Once begun it goes to its end: half a copy would lose elements. */
    if (filch_for_with(o, 0, n, 0, copy_back, c) < 0)
        copy_back(0, n, c);
    return 0;
}

static int sort_by_pointers(const filch_loop_options *o, char *base, size_t n, size_t size,
                            struct order *by)
{
    if (n < 2)
        return 0;
    if (n > PTRDIFF_MAX / (size + sizeof(void *)))
        return -ENOMEM;
    const void **pointer = filch__fault_alloc() ? NULL : malloc(n * (size + sizeof *pointer));
    if (!pointer)
        return -ENOMEM;
    struct copies c = {base, (char *)(pointer + n), pointer, n, size};
    int rc = sort_copies(o, &c, by);
    free(pointer);
    return rc;
}

int filch_sort_with(const filch_loop_options *o, void *base, size_t n, size_t size,
                    filch_compare_fn *compare, void *ctx)
{
    if (!compare || size == 0 || n > PTRDIFF_MAX / size || (n > 0 && !base) ||
        (o && o->participants < 0))
        return -EINVAL;
    struct order by = {compare, ctx};
    switch (size) {
    case 4:
        return sort4(o, base, n, &by);
    case 8:
        return sort8(o, base, n, &by);
    case 16:
        return sort16(o, base, n, &by);
    case 24:
        return sort24(o, base, n, &by);
    case 32:
        return sort32(o, base, n, &by);
    default:
        return sort_by_pointers(o, base, n, size, &by);
    }
}

int filch_sort(void *base, size_t n, size_t size, filch_compare_fn *compare, void *ctx)
{
    return filch_sort_with(NULL, base, n, size, compare, ctx);
}
