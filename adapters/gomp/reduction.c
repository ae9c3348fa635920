/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/gomp/reduction.h"

#include "adapters/gomp/task.h"

#include <stdlib.h>

enum { ITEMS, BYTES, COPIES, NEXT = 4, FIRST, END, ITEM };

static uintptr_t *next_of(const uintptr_t *array)
{
    return (uintptr_t *)array[NEXT];
}

/* The next array of the same construct, after its arrays were made. */
static uintptr_t *next_here(const uintptr_t *array)
{
    uintptr_t *next = next_of(array);
    return next && !next[FIRST] ? next : NULL;
}

void filch__omp_reductions_make(uintptr_t *arrays, unsigned threads)
{
    for (uintptr_t *a = arrays; a; a = next_of(a)) {
        size_t bytes = a[BYTES] * threads;
        a[COPIES] = (uintptr_t)filch__omp_alloc(a[COPIES], bytes ? bytes : 1);
        a[END] = a[COPIES] + bytes;
        a[FIRST] = a == arrays;
    }
}

void filch__omp_reductions_free(uintptr_t *arrays)
{
    for (uintptr_t *a = arrays; a; a = next_here(a))
        free((void *)a[COPIES]);
}

/* The group's innermost, before those that it had from outer ones. */
static void add(struct filch__omp_group *group, uintptr_t *arrays)
{
    uintptr_t *last = arrays;
    while (next_of(last))
        last = next_of(last);
    last[NEXT] = (uintptr_t)group->reductions;
    group->reductions = arrays;
}

void GOMP_taskgroup_reduction_register(uintptr_t *arrays)
{
    struct filch__omp_self *self = filch__omp_self();
    filch__omp_reductions_make(arrays, (unsigned)self->region->size);
    add(self->task->group, arrays);
}

void GOMP_taskgroup_reduction_unregister(uintptr_t *arrays)
{
    filch__omp_reductions_free(arrays);
}

/* ---- of work-shares and regions ---- */

void filch__omp_reductions_enter(struct filch__omp_self *self, uintptr_t *arrays,
                                 const uintptr_t *from)
{
    bool owner = !from;
    for (uintptr_t *a = arrays; from && a; a = next_of(a)) {
        a[COPIES] = from[COPIES];
        a[END] = from[END];
        a[FIRST] = a == arrays;
        from = next_of(a) ? next_of(from) : NULL;
    }
    filch__omp_group_begin(self);
    self->task->group->owner = owner;
    add(self->task->group, arrays);
}

/* One thread combines the copies before it comes here; the others wait for it. */
void GOMP_workshare_task_reduction_unregister(bool cancelled)
{
    struct filch__omp_self *self = filch__omp_self();
    uintptr_t *arrays = self->task->group->reductions;
    bool owner = self->task->group->owner;
    (void)cancelled;
    filch__omp_group_end(self);
    filch__omp_barrier(self);
    if (owner)
        filch__omp_reductions_free(arrays);
}

/* The region's first word points to the arrays, for as many threads as the region will have: a team
 * that does not come about leaves some copies unused. */
unsigned GOMP_parallel_reductions(void (*fn)(void *), void *data, unsigned threads, unsigned flags)
{
    (void)flags;
    struct filch__omp_group group = {.reductions = *(uintptr_t **)data};
    return filch__omp_parallel(fn, data, threads, &group);
}

/* ---- tasks ---- */

static bool find_item(uintptr_t *arrays, uintptr_t address, unsigned rank, void **copy, void **item)
{
    for (uintptr_t *a = arrays; a; a = next_of(a)) {
        uintptr_t mine = a[COPIES] + rank * a[BYTES];
        bool is_copy = address >= a[COPIES] && address < a[END];
        uintptr_t offset = is_copy ? (address - a[COPIES]) % a[BYTES] : 0;
        for (uintptr_t i = 0; i < a[ITEMS]; i++) {
            const uintptr_t *entry = &a[ITEM + 3 * i];
            if (is_copy ? entry[1] == offset : entry[0] == address) {
                *copy = (void *)(mine + entry[1]);
                *item = (void *)entry[0];
                return true;
            }
        }
    }
    return false;
}

/* Replaces the addresses of items, or of a thread's copies, by those of this thread's copies; of the
 * first so many the item's own address goes behind them. */
void GOMP_task_reduction_remap(size_t count, size_t originals, void **address)
{
    struct filch__omp_self *self = filch__omp_self();
    struct filch__omp_group *group = self->task->group;
    for (size_t i = 0; i < count; i++) {
        void *copy, *item;
        if (!find_item(group ? group->reductions : NULL, (uintptr_t)address[i],
                       (unsigned)self->rank, &copy, &item))
            filch__omp_die("GOMP_task_reduction_remap", "no reduction of this item is open");
        address[i] = copy;
        if (i < originals)
            address[count + i] = item;
    }
}
