/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A roster: what waits in no queue and on no fiber, so that the end of the runtime and a dump find
 * it. Each worker has one, and the threads outside together; the upper floor says what is on them.
 * An entry notes the roster that it is on, for another worker may take it off.
 */
#ifndef FILCH_SCHED_ROSTER_H
#define FILCH_SCHED_ROSTER_H

#include "sched/link.h"
#include "sched/os/spin.h"

struct filch__roster {
    uint32_t lock __attribute__((aligned(64)));
    struct filch__link entries; /* under lock */
};

static inline void filch__roster_init(struct filch__roster *roster)
{
    roster->lock = 0;
    filch__link_init(&roster->entries);
}

/* Any thread. */
static inline void filch__roster_add(struct filch__roster *roster, struct filch__link *entry)
{
    filch__spin_lock(&roster->lock);
    filch__link_add(&roster->entries, entry);
    filch__spin_unlock(&roster->lock);
}

static inline void filch__roster_remove(struct filch__roster *roster, struct filch__link *entry)
{
    filch__spin_lock(&roster->lock);
    filch__link_remove(entry);
    filch__spin_unlock(&roster->lock);
}

#endif
