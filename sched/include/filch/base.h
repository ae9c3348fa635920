/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every public header of filch shares: visibility, the task function type, time.
 *
 * Functions return 0 or a count on success and a negative errno value on failure; outputs are
 * untouched on failure. Times are int64_t nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef FILCH_BASE_H
#define FILCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILCH_API __attribute__((visibility("default")))

/* Inline for speed; the library exports a twin of the same name (C99 inline semantics). */
#define FILCH_INLINE inline

#ifdef __cplusplus
#define FILCH_BEGIN_DECLS extern "C" {
#define FILCH_END_DECLS   }
#else
#define FILCH_BEGIN_DECLS
#define FILCH_END_DECLS
#endif

#define filch__likely(x)   __builtin_expect(!!(x), 1)
#define filch__unlikely(x) __builtin_expect(!!(x), 0)

/* No deadline. */
#define FILCH_NEVER INT64_MAX

/* The code of a task or job: >= 0 is success (and may carry a value), < 0 failure. */
typedef int filch_fn(void *arg);

typedef struct filch_runtime filch_runtime;

#endif
