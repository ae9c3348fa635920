/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sched/os/reserve.h"

#include "sched/os/fault.h"

#include <sys/mman.h>

void *filch__reserve(size_t size)
{
    if (filch__fault_mmap())
        return NULL;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    /* A huge page at the first touch would cost 2 MiB for a handful of slots. */
    madvise(p, size, MADV_NOHUGEPAGE);
    return p;
}

void filch__reserve_free(void *p, size_t size)
{
    munmap(p, size);
}
