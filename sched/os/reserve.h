/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address space that costs memory only where it is touched.
 */
#ifndef FILCH_SCHED_OS_RESERVE_H
#define FILCH_SCHED_OS_RESERVE_H

#include <stddef.h>

/* Any thread. size bytes of zeroes, page aligned, for filch__reserve_free. NULL: no memory. */
void *filch__reserve(size_t size);
void filch__reserve_free(void *p, size_t size);

#endif
