/* SPDX-License-Identifier: Apache-2.0 */
#include "task/blame.h"

#include "sched/forks.h"

#include <filch/atomic.h>

/* Grows when a library is loaded; nothing is taken out. */
static struct filch__explainer *explainers;

void filch__explainer_add(struct filch__explainer *e)
{
    e->next = filch__load_acquire(&explainers);
    while (!filch__cas_acq_rel(&explainers, &e->next, e))
        ;
}

void filch__blames_add_future(struct filch__blames *b, const filch_future *f)
{
    struct filch__blame blame = {.kind = FILCH__BLAME_OUTSIDE,
                                 .name = f->ops->name ? f->ops->name : "a future"};
    struct filch__explainer *e = filch__load_acquire(&explainers);
    while (e && e->ops != f->ops)
        e = e->next;
    if (e)
        e->explain(f, &blame);
    filch__blames_add(b, blame);
}

void filch__blames_of(struct filch__blames *b, const struct filch__topic *topic, const void *on)
{
    filch__blames_begin(b);
    if (topic->explain)
        topic->explain(on, b);
    else if (topic == &filch__topic_stolen_job)
        filch__blames_add(b, (struct filch__blame){FILCH__BLAME_JOB, topic->name, NULL, on});
    else
        filch__blames_add(b, (struct filch__blame){.name = topic->name});
}
