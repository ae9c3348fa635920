/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts of numbers. */
#include <filch/sort.h>
#include <string.h>

#define NUMBER_BEFORE(a, b, ctx) (*(a) < *(b))

/* Integers in the total order of the floating-point numbers: the negative ones turned around. */
static inline int32_t float_rank(const float *x)
{
    int32_t bits;
    memcpy(&bits, x, sizeof bits);
    return bits ^ (int32_t)((uint32_t)(bits >> 31) >> 1);
}

static inline int64_t double_rank(const double *x)
{
    int64_t bits;
    memcpy(&bits, x, sizeof bits);
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

#define FLOAT_BEFORE(a, b, ctx)  (float_rank(a) < float_rank(b))
#define DOUBLE_BEFORE(a, b, ctx) (double_rank(a) < double_rank(b))

#define DEFINE(name, type, before)                                           \
    FILCH__SORT_KIND(name, type, before)                                     \
    int filch_sort_##name(const filch_loop_options *o, type *base, size_t n) \
    {                                                                        \
        return filch__sort(o, (char *)base, n, &name##_kind, NULL);          \
    }

DEFINE(int32, int32_t, NUMBER_BEFORE)
DEFINE(uint32, uint32_t, NUMBER_BEFORE)
DEFINE(int64, int64_t, NUMBER_BEFORE)
DEFINE(uint64, uint64_t, NUMBER_BEFORE)
DEFINE(float, float, FLOAT_BEFORE)
DEFINE(double, double, DOUBLE_BEFORE)
