/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dependences between the children of a task. Its table has, for each address, the last child that
 * writes there, and those that read there since. mutexinoutset counts as inout: such tasks run one
 * after the other, in order. Only the task's own thread uses the table.
 */
#include "adapters/gomp/task.h"

#include "adapters/gomp/wait.h"

#include <stdlib.h>
#include <string.h>

struct place {
    struct place *next;
    const void *address;
    struct filch__omp_task *writer;
    struct filch__omp_task **reader;
    size_t readers, room;
};

struct filch__omp_table {
    size_t places, buckets; /* a power of two */
    struct place **bucket;
};

static void *resize(void *p, size_t count, size_t size)
{
    p = realloc(p, count * size);
    if (!p)
        filch__omp_die("GOMP_task", "no memory");
    return p;
}

/* ---- the table ---- */

static struct place **bucket_of(const struct filch__omp_table *table, const void *address)
{
    uint64_t hash = (uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15);
    return &table->bucket[hash >> 32 & (table->buckets - 1)];
}

static void grow(struct filch__omp_table *table)
{
    struct filch__omp_table larger = {table->places, table->buckets * 2, NULL};
    larger.bucket = filch__omp_alloc(16, larger.buckets * sizeof(struct place *));
    for (size_t i = 0; i < table->buckets; i++)
        for (struct place *p = table->bucket[i], *next; p; p = next) {
            struct place **to = bucket_of(&larger, p->address);
            next = p->next;
            p->next = *to;
            *to = p;
        }
    free(table->bucket);
    *table = larger;
}

static struct place *place_of(struct filch__omp_task *parent, const void *address)
{
    enum { BUCKETS = 16 };
    struct filch__omp_table *table = parent->table;
    if (!table) {
        parent->table = table = filch__omp_alloc(16, sizeof *table);
        table->buckets = BUCKETS;
        table->bucket = filch__omp_alloc(16, BUCKETS * sizeof(struct place *));
    }
    struct place **bucket = bucket_of(table, address), *p = *bucket;
    while (p && p->address != address)
        p = p->next;
    if (p)
        return p;
    if (table->places++ >= table->buckets) {
        grow(table);
        bucket = bucket_of(table, address);
    }
    p = filch__omp_alloc(16, sizeof *p);
    p->address = address;
    p->next = *bucket;
    return *bucket = p;
}

static void forget_readers(struct place *p)
{
    for (size_t i = 0; i < p->readers; i++)
        filch__omp_unreference(p->reader[i]);
    p->readers = 0;
}

static void forget_place(struct place *p)
{
    forget_readers(p);
    if (p->writer)
        filch__omp_unreference(p->writer);
    free(p->reader);
    free(p);
}

void filch__omp_forget_children(struct filch__omp_task *task)
{
    struct filch__omp_table *table = task->table;
    if (!table)
        return;
    for (size_t i = 0; i < table->buckets; i++)
        for (struct place *p = table->bucket[i], *next; p; p = next) {
            next = p->next;
            forget_place(p);
        }
    free(table->bucket);
    free(table);
    task->table = NULL;
}

/* ---- one task after another ---- */

static void follow(struct filch__omp_task *task, struct filch__omp_task *before)
{
    if (!before || before == task)
        return;
    filch__omp_lock(&before->lock);
    if (!before->ended) {
        if (before->followers == before->room) {
            before->room = before->room ? 2 * before->room : 4;
            before->follower = resize(before->follower, before->room, sizeof *before->follower);
        }
        before->follower[before->followers++] = task;
        filch__add_relaxed(&task->blockers, 1u);
    }
    filch__omp_unlock(&before->lock);
}

void filch__omp_let_followers_go(struct filch__omp_self *self, struct filch__omp_task *task)
{
    filch__omp_lock(&task->lock);
    task->ended = true;
    filch__omp_unlock(&task->lock);
    for (uint32_t i = 0; i < task->followers; i++) {
        struct filch__omp_task *next = task->follower[i];
        /* What waits at its thread for this, rather than in a queue, is woken by the end of `task`. */
        bool queued = !next->waited;
        if (filch__sub_seq_cst(&next->blockers, 1u) == 1 && queued)
            filch__omp_push(self, next);
    }
}

static bool has_ended(struct filch__omp_task *task)
{
    filch__omp_lock(&task->lock);
    bool ended = task->ended;
    filch__omp_unlock(&task->lock);
    return ended;
}

/* Readers that have ended go, when there is no room for one more. */
static void add_reader(struct place *p, struct filch__omp_task *task)
{
    if (p->readers == p->room) {
        size_t kept = 0;
        for (size_t i = 0; i < p->readers; i++)
            if (has_ended(p->reader[i]))
                filch__omp_unreference(p->reader[i]);
            else
                p->reader[kept++] = p->reader[i];
        p->readers = kept;
        if (kept >= p->room / 2) {
            p->room = p->room ? 2 * p->room : 4;
            p->reader = resize(p->reader, p->room, sizeof(struct filch__omp_task *));
        }
    }
    filch__omp_reference(task);
    p->reader[p->readers++] = task;
}

static void depend_on(struct filch__omp_task *task, const void *address, bool writes, bool now)
{
    struct place *p = place_of(task->parent, address);
    follow(task, p->writer);
    for (size_t i = 0; writes && i < p->readers; i++)
        follow(task, p->reader[i]);
    if (now)
        return;
    if (!writes) {
        if (p->writer != task)
            add_reader(p, task);
        return;
    }
    forget_readers(p);
    if (p->writer)
        filch__omp_unreference(p->writer);
    filch__omp_reference(task);
    p->writer = task;
}

/*
 * Two forms of a list. {n, writes, addresses}: the first `writes` addresses are written. {0, n, writes,
 * mutexinoutsets, reads, addresses}: in that order, and after them dependence objects, each {address,
 * kind}.
 */
void filch__omp_depend(struct filch__omp_task *task, void **list, bool now)
{
    bool long_form = !list[0];
    size_t n = (uintptr_t)list[long_form ? 1 : 0], writes = (uintptr_t)list[long_form ? 2 : 1];
    size_t plain = n;
    void **address = list + (long_form ? 5 : 2);
    if (long_form) {
        writes += (uintptr_t)list[3];
        plain = writes + (uintptr_t)list[4];
    }
    task->waited = now;
    for (size_t i = 0; i < n; i++) {
        void **object = address[i];
        if (i < plain)
            depend_on(task, object, i < writes, now);
        else
            depend_on(task, object[0], (uintptr_t)object[1] != FILCH__OMP_DEPEND_IN, now);
    }
}
