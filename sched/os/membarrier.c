/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/membarrier.h"

#include "sched/os/die.h"
#include <errno.h>
#include <filch/atomic.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNKNOWN, AVAILABLE, REFUSED };

/* UNKNOWN until the first answer. Relaxed: threads that ask at once all register, which is
 * harmless. */
static int state = UNKNOWN;

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

bool filch__membarrier_available(void)
{
    int s = filch__load_relaxed(&state);
    if (s == UNKNOWN) {
        /* Register, then try: a filter may pass the one and refuse the other. */
        bool works = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
                     membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
        s = works ? AVAILABLE : REFUSED;
        filch__store_relaxed(&state, s);
    }
    return s == AVAILABLE;
}

void filch__membarrier(void)
{
    if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        return;
    /* EPERM: not registered, as in a child that did not inherit it. */
    if (errno == EPERM && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        return;
    filch__die("membarrier, once available, is refused");
}
