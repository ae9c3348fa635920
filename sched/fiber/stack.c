/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sched/fiber/stack.h"

#include "sched/fiber/sanitizer.h"
#include "sched/fiber/slab.h"
#include "sched/os/fault.h"

#include <errno.h>
#include <filch/atomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* Linux 6.13; the C library's headers may be older than the kernel. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum guards { GUARDS_UNKNOWN, GUARDS_CHEAP, GUARDS_MAPPED };

static int guards; /* enum guards; whoever probes finds the same, so relaxed is enough */

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) & ~(unit - 1);
}

/*
 * An emulator that does not know the advice answers with success. So ask whether the kernel refuses
 * to write there: the cheapest call that does nothing else.
 */
static bool guard_faults(char *guard)
{
    return getrandom(guard, 1, GRND_NONBLOCK) < 0 && errno == EFAULT;
}

bool filch__stack_guards_are_cheap(void)
{
    int known = filch__load_relaxed(&guards);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *probe;
    bool cheap;

    if (known != GUARDS_UNKNOWN)
        return known == GUARDS_CHEAP;
    probe = filch__slab_map(page);
    if (probe == MAP_FAILED)
        return false;
    cheap = madvise(probe, page, MADV_GUARD_INSTALL) == 0 && guard_faults(probe);
    munmap(probe, page);
    filch__store_relaxed(&guards, cheap ? GUARDS_CHEAP : GUARDS_MAPPED);
    return cheap;
}

static bool guard_by_mapping(char *map, size_t map_size)
{
    /*
     * Kernels before 6.7 do not take MAP_STACK for this advice. It fails where there are no huge
     * pages at all, which is as good.
     */
    madvise(map, map_size, MADV_NOHUGEPAGE);
    return mprotect(map, FILCH__STACK_GUARD, PROT_NONE) == 0;
}

static bool install_guard(char *map, size_t map_size)
{
    if (filch__stack_guards_are_cheap()) {
        if (madvise(map, FILCH__STACK_GUARD, MADV_GUARD_INSTALL) == 0)
            return true;
        /* EINVAL: locked memory (mlockall) takes no guard regions. */
        if (errno != EINVAL)
            return false;
    }
    return guard_by_mapping(map, map_size);
}

int filch__stack_create(struct filch__stack *s, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct filch__slab *slab;
    size_t map_size;
    bool guarded;
    char *map;

    if (size < FILCH__STACK_MIN || size > PTRDIFF_MAX / 2)
        return -EINVAL;
    map_size = round_up(size, page) + FILCH__STACK_GUARD;
    if (filch__fault_mmap())
        return -ENOMEM;
    map = filch__slab_take(map_size, &slab, &guarded);
    if (map == NULL)
        return -ENOMEM;
    if (!guarded && !install_guard(map, map_size)) {
        filch__slab_give(slab, map, false);
        return -ENOMEM;
    }
    *s = (struct filch__stack){
        .map = map,
        .map_size = map_size,
        .base = map + FILCH__STACK_GUARD,
        .size = map_size - FILCH__STACK_GUARD,
        .slab = slab,
    };
    s->valgrind_id = filch__valgrind_register(s->base, s->size);
    return 0;
}

void filch__stack_destroy(struct filch__stack *s)
{
    filch__valgrind_deregister(s->valgrind_id);
    filch__sanitizer_forget(s->base, s->size);
    filch__slab_give(s->slab, s->map, true);
}

void filch__stack_trim(struct filch__stack *s, size_t keep)
{
    size_t kept = keep < s->size ? round_up(keep, (size_t)sysconf(_SC_PAGESIZE)) : s->size;

    if (kept < s->size)
        madvise(s->base, s->size - kept, MADV_DONTNEED);
}

bool filch__stack_guard_hit(const struct filch__stack *s, const void *addr)
{
    return (uintptr_t)addr >= (uintptr_t)s->map && (uintptr_t)addr < (uintptr_t)s->base;
}
