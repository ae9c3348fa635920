/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/deque.h"

#include "sched/os/chaos.h"
#include "sched/os/memory.h"

#include <errno.h>
#include <string.h>

typedef struct filch__runnable *item;

static item *buffer_create(struct filch__arena *arena, uint32_t capacity)
{
    item *buffer = filch__alloc(arena, capacity * sizeof *buffer, 64);
    if (buffer)
        memset(buffer, 0, capacity * sizeof *buffer);
    return buffer;
}

int filch__deque_init(struct filch__deque *d, struct filch__arena *arena, uint32_t capacity)
{
    memset(d, 0, sizeof *d);
    filch__split_init(&d->split, 0, UINTPTR_MAX);
    d->arena = arena;
    d->capacity0 = capacity;
    d->mask = capacity - 1;
    d->buffers[0] = d->buffer = buffer_create(arena, capacity);
    return d->buffer ? 0 : -ENOMEM;
}

void filch__deque_destroy(struct filch__deque *d)
{
    for (uint32_t g = 0; g < FILCH__DEQUE_GENERATIONS; g++)
        if (d->buffers[g])
            filch__free(d->arena, d->buffers[g], ((size_t)d->capacity0 << g) * sizeof(item), 64);
}

/* Doubles the ring. Thieves go on taking from the old buffer until the generation changes. */
bool filch__deque_grow(struct filch__deque *d)
{
    uint32_t generation = filch__word_generation(filch__load_relaxed(&d->split.word)) + 1;
    uint32_t capacity = 2 * (d->mask + 1);
    if (generation >= FILCH__DEQUE_GENERATIONS || capacity >= FILCH__SPLIT_CAPACITY)
        return false;
    item *to = buffer_create(d->arena, capacity);
    if (!to)
        return false;
    uint32_t tail = (uint32_t)d->split.tail;
    uint32_t first = filch__word_head(filch__load_acquire(&d->split.word));
    uint32_t n = (tail - first) & FILCH__INDEX_MASK;
    for (uint32_t i = tail - n; i != tail; i++)
        to[i & (capacity - 1)] = filch__load_relaxed(&d->buffer[i & d->mask]);
    filch__chaos_nap();
    filch__store_release(&d->buffers[generation], to);
    uint32_t head = filch__split_set_generation(&d->split, generation);
    /* What thieves took while the copy was made belongs to the old buffer. */
    uint32_t left = (tail - head) & FILCH__INDEX_MASK;
    for (uint32_t i = tail - n; i != tail - left; i++)
        filch__store_relaxed(&to[i & (capacity - 1)], NULL);
    d->buffer = to;
    d->mask = capacity - 1;
    return true;
}

/* The i-th of the items that were taken from `word`; its slot is free again. */
static item consume(struct filch__deque *d, uint64_t word, uint32_t i)
{
    uint32_t generation = filch__word_generation(word);
    uint32_t mask = (d->capacity0 << generation) - 1;
    item *buffer = filch__load_acquire(&d->buffers[generation]);
    item *slot = &buffer[(filch__word_head(word) + i) & mask];
    item r = filch__load_relaxed(slot);
    filch__chaos_nap();
    filch__store_release(slot, NULL);
    return r;
}

enum filch__steal filch__deque_steal(struct filch__deque *d, uint32_t me, item *r)
{
    uint64_t word;
    uint32_t n;
    uint32_t most =
        filch__deque_count(d) < FILCH__LONG ? FILCH__STEAL_MOST : FILCH__STEAL_MOST_OF_LONG;
    enum filch__steal rc = filch__split_steal(&d->split, me, FILCH__UNIT_ITEM, most, &word, &n);
    if (rc != FILCH__STEAL_TAKEN)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        item taken = consume(d, word, i);
        filch__store_release(r, taken); /* runnable.h */
        r = &taken->next;
    }
    filch__store_release(r, NULL);
    return rc;
}

bool filch__deque_walk(const struct filch__deque *d, uint32_t *index, item *r)
{
    uint64_t word = filch__load_acquire(&d->split.word);
    uint32_t generation = filch__word_generation(word);
    uint32_t mask = (d->capacity0 << generation) - 1;
    uint32_t head = filch__word_head(word), tail = (uint32_t)filch__load_acquire(&d->split.tail);
    if (filch__index_distance(*index, head) < 0)
        *index = head;
    if (filch__index_distance(tail, *index) <= 0)
        return false;
    item *buffer = filch__load_acquire(&d->buffers[generation]);
    *r = filch__load_acquire(&buffer[(*index)++ & mask]);
    return true;
}
