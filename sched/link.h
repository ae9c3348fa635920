/* SPDX-License-Identifier: Apache-2.0 */
/* Node of a circular list; its head is one too. Whoever uses the list sees to it that nobody else
 * does. */
#ifndef FILCH_SCHED_LINK_H
#define FILCH_SCHED_LINK_H

#include <filch/base.h>

struct filch__link {
    struct filch__link *next, *prev;
};

static inline void filch__link_init(struct filch__link *head)
{
    head->next = head->prev = head;
}

static inline bool filch__link_empty(const struct filch__link *head)
{
    return head->next == head;
}

static inline void filch__link_add(struct filch__link *head, struct filch__link *link)
{
    link->next = head->next;
    link->prev = head;
    head->next->prev = link;
    head->next = link;
}

static inline void filch__link_remove(struct filch__link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
}

/* Moves all of `from` to `to`. */
static inline void filch__link_splice(struct filch__link *to, struct filch__link *from)
{
    if (filch__link_empty(from))
        return;
    from->prev->next = to->next;
    to->next->prev = from->prev;
    to->next = from->next;
    from->next->prev = to;
    filch__link_init(from);
}

#endif
