/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/cpus.h"

#include "sched/os/fault.h"
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

/* The kernel refuses a set smaller than its own with EINVAL and does not tell the size. */
enum { FIRST_GUESS = 1024, LAST_GUESS = 1 << 20 };

/* The caller's mask in *set, for CPU_FREE, of *size bytes. Negative errno. */
static int affinity(cpu_set_t **set, size_t *size)
{
    for (int guess = FIRST_GUESS; guess <= LAST_GUESS; guess *= 2) {
        cpu_set_t *s = filch__fault_alloc() ? NULL : CPU_ALLOC(guess);
        if (s == NULL)
            return -ENOMEM;
        size_t bytes = CPU_ALLOC_SIZE(guess);
        if (sched_getaffinity(0, bytes, s) == 0) {
            *set = s;
            *size = bytes;
            return 0;
        }
        int error = errno;
        CPU_FREE(s);
        if (error != EINVAL)
            return -error;
    }
    return -EINVAL;
}

static int mask_count(void)
{
    cpu_set_t *set;
    size_t size;
    if (affinity(&set, &size) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 && online <= INT_MAX ? (int)online : 1;
    }
    int n = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return n > 0 ? n : 1;
}

int filch__cpus_usable(void)
{
    int mask = mask_count();
    int quota = filch__cpus_cgroup_limit("/proc/self/cgroup", "/proc/self/mountinfo", "", mask);
    return quota < mask ? quota : mask;
}

int filch__cpus_list(int *cpus, int max)
{
    cpu_set_t *set;
    size_t size;
    int error = affinity(&set, &size);
    if (error != 0)
        return error;
    int n = 0, end = (int)(size * CHAR_BIT);
    for (int cpu = 0; cpu < end && n < max; cpu++) {
        if (CPU_ISSET_S(cpu, size, set))
            cpus[n++] = cpu;
    }
    CPU_FREE(set);
    return n;
}

int filch__cpu_here(void)
{
    int saved = errno;
    int cpu = sched_getcpu();
    errno = saved;
    return cpu;
}
