/* SPDX-License-Identifier: Apache-2.0 */
#include "task/cleanup.h"

#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/os/spin.h"
#include "task/stackless.h"

#include <errno.h>

#define ENTRIES 7

struct chunk {
    struct chunk *older;
    uint32_t count;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } entry[ENTRIES];
};

_Static_assert(sizeof(struct chunk) == FILCH__BLOCK_COMMON, "a chunk is a common block");

static void chunk_free(filch_runtime *rt, struct chunk *chunk)
{
    if (chunk)
        filch__block_free(rt, filch__worker_of(rt), chunk, sizeof *chunk);
}

int filch__cleanup_push(void **list, uint32_t *lock, filch_runtime *rt, void (*fn)(void *arg),
                        void *arg)
{
    struct chunk *spare = NULL;
    for (;;) {
        filch__spin_lock(lock);
        struct chunk *chunk = *list;
        if ((!chunk || chunk->count == ENTRIES) && spare) {
            *spare = (struct chunk){.older = chunk};
            *list = chunk = spare;
            spare = NULL;
        }
        bool room = chunk && chunk->count < ENTRIES;
        if (room) {
            chunk->entry[chunk->count].fn = fn;
            chunk->entry[chunk->count++].arg = arg;
        }
        filch__spin_unlock(lock);
        if (room) {
            chunk_free(rt, spare);
            return 0;
        }
        spare = filch__block_alloc(rt, filch__worker_of(rt), sizeof *spare);
        if (!spare)
            return -ENOMEM;
    }
}

void filch__cleanup_run(void **list, uint32_t *lock, filch_runtime *rt)
{
    for (;;) {
        filch__spin_lock(lock);
        struct chunk *chunk = *list, *empty = NULL;
        if (!chunk) {
            filch__spin_unlock(lock);
            return;
        }
        uint32_t last = --chunk->count;
        void (*fn)(void *) = chunk->entry[last].fn;
        void *arg = chunk->entry[last].arg;
        if (last == 0) {
            empty = chunk;
            *list = chunk->older;
        }
        filch__spin_unlock(lock);
        chunk_free(rt, empty);
        fn(arg);
    }
}

int filch_defer(void (*fn)(void *arg), void *arg)
{
    struct filch_handle *t = filch__task_current();
    if (!t || !fn || !t->fiber || filch__task_is_stackless(t))
        return -EINVAL;
    return filch__cleanup_push(&t->fiber->cleanup, &t->lock, t->rt, fn, arg);
}
