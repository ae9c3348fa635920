/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/os/live.h"

#include <stdint.h>
#include <string.h>

void filch__live_init(struct filch__live *live)
{
    memset(live, 0, sizeof *live);
    pthread_mutex_init(&live->lock, NULL);
}

void filch__live_end(struct filch__live *live)
{
    pthread_mutex_destroy(&live->lock);
}

void filch__live_attach(struct filch__live *live, struct filch__live_part *part)
{
    part->bytes = 0;
    part->prev = NULL;
    pthread_mutex_lock(&live->lock);
    part->next = live->parts;
    if (part->next != NULL)
        part->next->prev = part;
    live->parts = part;
    pthread_mutex_unlock(&live->lock);
}

void filch__live_detach(struct filch__live *live, struct filch__live_part *part)
{
    pthread_mutex_lock(&live->lock);
    /* Under the lock, so that no sum counts the part twice or not at all. */
    filch__live_add(live, 0, part->bytes);
    if (part->prev != NULL)
        part->prev->next = part->next;
    else
        live->parts = part->next;
    if (part->next != NULL)
        part->next->prev = part->prev;
    pthread_mutex_unlock(&live->lock);
}

size_t filch__live_sum(struct filch__live *live)
{
    size_t sum = 0;
    pthread_mutex_lock(&live->lock);
    for (int i = 0; i < FILCH__LIVE_SHARDS; i++)
        sum += filch__load_relaxed(&live->shard[i].bytes);
    for (const struct filch__live_part *p = live->parts; p != NULL; p = p->next)
        sum += filch__load_relaxed(&p->bytes);
    pthread_mutex_unlock(&live->lock);
    return sum <= PTRDIFF_MAX ? sum : 0;
}

unsigned filch__live_slot(void)
{
    static unsigned threads;
    /* One more than the slot; 0: none yet. */
    static _Thread_local unsigned mine __attribute__((tls_model("initial-exec")));
    if (mine == 0)
        mine = filch__add_relaxed(&threads, 1u) % FILCH__LIVE_SHARDS + 1;
    return mine - 1;
}
