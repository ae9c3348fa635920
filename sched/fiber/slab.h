/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address space for stacks, mapped in slabs of equal slots.
 *
 * Stacks end in any order. Were each unmapped by itself, a burst of them would leave the address
 * space full of holes (200,000 stacks ended in random order: 50,000 mappings), until the system's
 * limit on mappings fails the whole process. So a slab is unmapped when its last slot comes back,
 * and a single stack gives back its memory only. It also spares the lock on the address space, on
 * which all page faults wait.
 */
#ifndef FILCH_SCHED_FIBER_SLAB_H
#define FILCH_SCHED_FIBER_SLAB_H

#include <stdbool.h>
#include <stddef.h>

struct filch__slab;

/* Readable and writable memory, of which touched pages cost. MAP_FAILED: none. From any thread. */
void *filch__slab_map(size_t size);

/*
 * Any thread. A slot of `size` bytes, a multiple of the page size; *slab is where it goes back to,
 * *guarded what was said when it last went there (false for a new one). NULL: no memory.
 */
char *filch__slab_take(size_t size, struct filch__slab **slab, bool *guarded);

/* Any thread. Gives the slot and its memory back, save what `guarded` says of its protection. */
void filch__slab_give(struct filch__slab *slab, char *slot, bool guarded);

/* Around a fork(2): the child gets the slabs as they are, and the lock free. */
void filch__slab_before_fork(void);
void filch__slab_after_fork(void);

#endif
