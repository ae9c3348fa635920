/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of fibers.
 *
 * A stack is private memory that costs what was touched of it, with a guard of 64 KiB below: an
 * overflow faults, it never runs into a neighbour. Where the kernel has guard regions (Linux 6.13)
 * adjacent stacks share one mapping and their number is bounded by memory alone; elsewhere each
 * guard is a mapping of its own, and vm.max_map_count bounds them (about 32,750 at its default).
 */
#ifndef FILCH_SCHED_FIBER_STACK_H
#define FILCH_SCHED_FIBER_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILCH__STACK_MIN   ((size_t)16 * 1024)
#define FILCH__STACK_GUARD ((size_t)64 * 1024)

/* Immutable between create and destroy. */
struct filch__stack {
    char *map; /* the guard is [map, base) */
    size_t map_size;
    char *base; /* lowest usable byte; usable is [base, base + size) */
    size_t size;
    struct filch__slab *slab; /* where the map comes from */
    unsigned valgrind_id;
};

/*
 * Any thread. size in bytes, rounded up to pages; *s is the caller's, for filch__stack_destroy.
 * What is in the memory is unspecified. -EINVAL: size below FILCH__STACK_MIN or too large to add
 * the guard. -ENOMEM: no memory, or no guard: there is no stack without one.
 */
int filch__stack_create(struct filch__stack *s, size_t size);

/* Any thread. Nothing runs on the stack or points into it any more. */
void filch__stack_destroy(struct filch__stack *s);

/*
 * Any thread. Gives the memory below the topmost `keep` bytes (rounded up to pages) back to the
 * system; the guard stays. Nothing down there is in use.
 */
void filch__stack_trim(struct filch__stack *s, size_t keep);

/*
 * Where a context on s starts: a multiple of 64, less than 1 KiB below the end. Differs from stack
 * to stack: else the hottest lines of all of them, being equally far into their pages, would share
 * few sets of the cache (a ring of 1000 contexts: 20 ns a switch, 8.4 ns with this).
 */
static inline char *filch__stack_top(const struct filch__stack *s)
{
    return s->base + s->size - ((uintptr_t)s->map >> 16 & 15) * 64;
}

/* Any thread, also in a signal handler. True: addr lies in the guard. */
bool filch__stack_guard_hit(const struct filch__stack *s, const void *addr);

/* Any thread. True: a guard costs no mapping. */
bool filch__stack_guards_are_cheap(void);

#endif
