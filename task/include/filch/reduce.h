/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions and prefix sums in parallel, of values of any type, under any operation that is
 * associative. The result is the same to the bit however many take part and whoever calls, for which
 * values are combined in which order depends on the range and the grain alone: so also sums of
 * floating-point numbers, and operations that do not commute.
 *
 *     static int add(int64_t first, int64_t last, void *sum, void *x)
 *     {
 *         double s = 0;
 *         for (int64_t i = first; i < last; i++)
 *             s += ((double *)x)[i];
 *         *(double *)sum += s;
 *         return 0;
 *     }
 *     static void plus(void *left, const void *right, void *x)
 *     {
 *         *(double *)left += *(const double *)right;
 *     }
 *     static const filch_reducer sum = {.size = sizeof(double), .body = add, .combine = plus};
 *     int rc = filch_reduce(0, n, 0, &sum, &total, x);
 *
 * Who takes part, who may call, and what a call returns is as with loops (loop.h). Values are copied
 * as bytes and dropped without a word; they are aligned as objects of their size are, up to 64. There
 * are at most some 1024 at a time, or 256 if they are larger than 4 KiB; -ENOMEM: no memory for them.
 */
#ifndef FILCH_REDUCE_H
#define FILCH_REDUCE_H

#include <filch/loop.h>

FILCH_BEGIN_DECLS

/* How values are made. All functions get the ctx of the call. */
typedef struct filch_reducer {
    size_t size;                              /* of a value, bytes */
    void (*identity)(void *value, void *ctx); /* what changes nothing; NULL: all bytes 0 */
    int (*body)(int64_t first, int64_t last, void *value, void *ctx); /* appends [first, last) */
    void (*combine)(void *left, const void *right, void *ctx);        /* appends right to left */
} filch_reducer;

/*
 * *result, of r->size bytes, becomes the value of [first, last), or the identity if that is empty or
 * inverted. body is called for chunks of grain indices; the last may have less. It gets a value of
 * what lies just before the chunk, or the identity, and appends the chunk to it; < 0 ends the
 * reduction. grain 0: chunks of a size that depends on the length of the range. On failure result is
 * untouched. -EINVAL: r or result is NULL, size is 0, body or combine is NULL, grain negative.
 */
FILCH_API int filch_reduce(int64_t first, int64_t last, int64_t grain, const filch_reducer *r,
                           void *result, void *ctx);
FILCH_API int filch_reduce_with(const filch_loop_options *o, int64_t first, int64_t last,
                                int64_t grain, const filch_reducer *r, void *result, void *ctx);

/*
 * The same for prefixes. body always appends [first, last) to *carry; if final, *carry comes as the
 * value of all that lies before first, and body writes its prefixes on its way. Each index is passed
 * to a final body once, and before that at most once to another, as part of an equal chunk; so the
 * prefixes may take the place of the numbers. These are inclusive, the commented line exclusive:
 *
 *     static int prefix(int64_t first, int64_t last, void *carry, bool final, void *x)
 *     {
 *         double s = *(double *)carry, *a = x;
 *         for (int64_t i = first; i < last; i++) {
 *             s += a[i];
 *             if (final)
 *                 a[i] = s;          // double t = a[i]; a[i] = s; s += t;
 *         }
 *         *(double *)carry = s;
 *         return 0;
 *     }
 */
typedef struct filch_scanner {
    size_t size;
    void (*identity)(void *value, void *ctx);
    int (*body)(int64_t first, int64_t last, void *carry, bool final, void *ctx);
    void (*combine)(void *left, const void *right, void *ctx);
} filch_scanner;

/* *total, where total is not NULL, becomes the value of the whole range. After a failure some
 * prefixes are written and some are not. -EINVAL: as filch_reduce, of s. */
FILCH_API int filch_scan(int64_t first, int64_t last, int64_t grain, const filch_scanner *s,
                         void *total, void *ctx);
FILCH_API int filch_scan_with(const filch_loop_options *o, int64_t first, int64_t last,
                              int64_t grain, const filch_scanner *s, void *total, void *ctx);

FILCH_END_DECLS

#endif
