/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int filch__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    struct timespec at, *until = NULL;
    if (deadline_ns != FILCH__NEVER) {
        if (deadline_ns < 0)
            deadline_ns = 0; /* the kernel refuses negative times; either is past */
        at.tv_sec = (time_t)(deadline_ns / 1000000000);
        at.tv_nsec = (long)(deadline_ns % 1000000000);
        until = &at;
    }
    /* FUTEX_WAIT_BITSET is the form whose timeout is absolute. */
    long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, until, NULL,
                     FUTEX_BITSET_MATCH_ANY);
    return r != 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

void filch__futex_wake(uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}
