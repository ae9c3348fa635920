/* SPDX-License-Identifier: Apache-2.0 */
/* filch_dump, and the memory of its snapshot. */
#include <filch/dump.h>

#include "sched/os/memory.h"
#include "task/dump.h"

#include <errno.h>
#include <string.h>

#define CAPACITY 64

static uint32_t *slot_of(const struct filch__snapshot *s, const void *self)
{
    uint32_t mask = 2 * s->capacity - 1;
    uint32_t at = (uint32_t)(((uintptr_t)self >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (s->slots[at & mask] && s->records[s->slots[at & mask] - 1].self != self)
        at++;
    return &s->slots[at & mask];
}

static size_t records_size(uint32_t capacity)
{
    return capacity * sizeof(struct filch__record);
}

static size_t slots_size(uint32_t capacity)
{
    return (size_t)2 * capacity * sizeof(uint32_t);
}

static void free_all(struct filch__snapshot *s)
{
    filch__free(s->arena, s->records, records_size(s->capacity), 64);
    filch__free(s->arena, s->slots, slots_size(s->capacity), 64);
}

static bool grow(struct filch__snapshot *s)
{
    struct filch__snapshot to = *s;
    if (s->capacity > UINT32_MAX / 4)
        return false;
    to.capacity = s->capacity ? 2 * s->capacity : CAPACITY;
    to.records = filch__alloc(s->arena, records_size(to.capacity), 64);
    to.slots = filch__alloc(s->arena, slots_size(to.capacity), 64);
    if (!to.records || !to.slots) {
        free_all(&to);
        return false;
    }
    memset(to.slots, 0, slots_size(to.capacity));
    for (uint32_t i = 0; i < s->count; i++) {
        to.records[i] = s->records[i];
        *slot_of(&to, to.records[i].self) = i + 1;
    }
    free_all(s);
    *s = to;
    return true;
}

void filch__snapshot_begin(struct filch__snapshot *s)
{
    *s = (struct filch__snapshot){.capacity = 0};
    s->truncated = filch__arena_create(&s->arena) < 0;
}

void filch__snapshot_end(struct filch__snapshot *s)
{
    if (!s->arena)
        return;
    free_all(s);
    filch__free(s->arena, s->blames, s->blame_capacity * sizeof *s->blames, 64);
    filch__graph_free(s);
    filch__arena_destroy(s->arena);
}

uint32_t filch__snapshot_find(const struct filch__snapshot *s, const void *self)
{
    uint32_t found = s->capacity ? *slot_of(s, self) : 0;
    return found ? found - 1 : FILCH__NOWHERE;
}

struct filch__record *filch__snapshot_add(struct filch__snapshot *s, enum filch__record_kind kind,
                                          const void *self)
{
    if (s->truncated || (s->count == s->capacity && !grow(s))) {
        s->truncated = true;
        return NULL;
    }
    struct filch__record *record = &s->records[s->count++];
    memset(record, 0, sizeof *record);
    record->kind = (uint8_t)kind;
    record->self = self;
    record->up = FILCH__NOWHERE;
    *slot_of(s, self) = s->count;
    return record;
}

static bool make_room(struct filch__snapshot *s, uint32_t n)
{
    uint32_t capacity = s->blame_capacity ? s->blame_capacity : CAPACITY;
    while (capacity - s->blame_count < n)
        if ((capacity *= 2) > UINT32_MAX / 4)
            return false;
    if (capacity == s->blame_capacity)
        return true;
    struct filch__blame *to = filch__alloc(s->arena, capacity * sizeof *to, 64);
    if (!to)
        return false;
    if (s->blame_count)
        memcpy(to, s->blames, s->blame_count * sizeof *to);
    filch__free(s->arena, s->blames, s->blame_capacity * sizeof *to, 64);
    s->blames = to;
    s->blame_capacity = capacity;
    return true;
}

bool filch__snapshot_add_blames(struct filch__snapshot *s, const struct filch__blames *b,
                                uint32_t *first)
{
    if (s->truncated || !make_room(s, b->count)) {
        s->truncated = true;
        return false;
    }
    *first = s->blame_count;
    memcpy(s->blames + s->blame_count, b->blame, b->count * sizeof *b->blame);
    s->blame_count += b->count;
    return true;
}

int filch_dump(FILE *stream)
{
    if (!stream)
        return -EINVAL;
    struct filch__snapshot s;
    filch__snapshot_begin(&s);
    filch__snapshot_gather(&s);
    int rc = filch__snapshot_print(&s, stream);
    bool truncated = s.truncated;
    filch__snapshot_end(&s);
    return rc < 0 ? rc : truncated ? -ENOMEM : 0;
}
