/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: nanoseconds of CLOCK_MONOTONIC. A deadline is a point in time, FILCH_NEVER none.
 *
 *     int64_t next = filch_now();
 *     while (filch_sleep_until(next += SECOND) == 0)
 *         tick();
 */
#ifndef FILCH_TIME_H
#define FILCH_TIME_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* Any thread or task. */
FILCH_API int64_t filch_now(void);

/*
 * Waits for so many nanoseconds, or until that time. In a task: suspends; 0 or less, or a time that
 * has passed, is a checkpoint. On another thread: blocks it. 0: the time has come. -ECANCELED: the
 * caller was cancelled before. -ENOMEM: no stack to go on with. -EAGAIN: no thread for the timers.
 */
FILCH_API int filch_sleep(int64_t nanoseconds);
FILCH_API int filch_sleep_until(int64_t deadline);

FILCH_END_DECLS

#endif
