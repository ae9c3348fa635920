/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting in parallel. Nothing is promised about the order of equal elements. What takes part, who may
 * call, and what a call returns is as with loops (loop.h); a comparison is a body that cannot fail.
 *
 *     #define BY_X(a, b, ctx) ((a)->x < (b)->x)
 *     FILCH_SORT_DEFINE(sort_points, struct point, BY_X)
 *     ...
 *     int rc = sort_points(NULL, point, n, NULL);
 *
 * At most O(n log n) comparisons whatever the order is; elements that are in order already, or in
 * the opposite one, are passed over once. Where a sort is cancelled, and where comparisons contradict
 * each other, the elements are all there, in some order.
 */
#ifndef FILCH_SORT_H
#define FILCH_SORT_H

#include <filch/sort_engine.h>

FILCH_BEGIN_DECLS

/* < 0: a goes before b; > 0: after it; 0: either. From any participant, on copies of elements too.
 */
typedef int filch_compare_fn(const void *a, const void *b, void *ctx);

/*
 * Sorts n elements of `size` bytes. In place where size is 4, 8, 16, 24 or 32; else it needs
 * memory for the elements, and for a pointer to each. -ENOMEM; nothing has moved then. -EINVAL:
 * compare is NULL, size is 0, base is NULL where n is not 0, n * size is no size of an object.
 */
FILCH_API int filch_sort(void *base, size_t n, size_t size, filch_compare_fn *compare, void *ctx);
FILCH_API int filch_sort_with(const filch_loop_options *o, void *base, size_t n, size_t size,
                              filch_compare_fn *compare, void *ctx);

/*
 * Ascending, in place. o may be NULL. Floating point is in the total order of IEEE 754: -NaN,
 * -infinity, ..., -0, +0, ..., infinity, NaN. -EINVAL: base is NULL where n is not 0.
 */
FILCH_API int filch_sort_int32(const filch_loop_options *o, int32_t *base, size_t n);
FILCH_API int filch_sort_uint32(const filch_loop_options *o, uint32_t *base, size_t n);
FILCH_API int filch_sort_int64(const filch_loop_options *o, int64_t *base, size_t n);
FILCH_API int filch_sort_uint64(const filch_loop_options *o, uint64_t *base, size_t n);
FILCH_API int filch_sort_float(const filch_loop_options *o, float *base, size_t n);
FILCH_API int filch_sort_double(const filch_loop_options *o, double *base, size_t n);

/*
 * At file scope: defines
 *     static int name(const filch_loop_options *o, type *base, size_t n, void *ctx);
 * which sorts in place, with the comparison inline. before(a, b, ctx), a function or macro of two
 * const type * and ctx, is true where *a goes before *b. A type of up to some 64 bytes, which can be
 * copied as bytes: each element is moved many times. o may be NULL. -EINVAL as above.
 */
#define FILCH_SORT_DEFINE(name, type, before)                                            \
    FILCH__SORT_KIND(name, type, before)                                                 \
    static inline int name(const filch_loop_options *o, type *base, size_t n, void *ctx) \
    {                                                                                    \
        return filch__sort(o, (char *)base, n, &name##_kind, ctx);                       \
    }

FILCH_API int filch__sort(const filch_loop_options *o, char *base, size_t n,
                          const struct filch__sort_kind *kind, void *ctx);

FILCH_END_DECLS

#endif
