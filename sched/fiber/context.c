/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/fiber/context.h"

void filch__context_init(struct filch__context *c, const struct filch__stack *s,
                         void (*entry)(void *), void *arg)
{
    filch__sanitizer_forget(s->base, s->size);
    filch__sanitizer_init(&c->sanitizer, s->base, s->size);
    c->sp = filch__switch_prepare(c, s, entry, arg);
}

void filch__context_adopt(struct filch__context *c)
{
    c->sp = NULL;
    filch__sanitizer_adopt(&c->sanitizer);
    filch__switch_adopt();
}

FILCH__UNINSTRUMENTED void filch__context_enter(struct filch__context *c, void (*entry)(void *),
                                                void *arg)
{
    filch__sanitizer_arrive(&c->sanitizer);
    entry(arg);
    __builtin_trap();
}

void filch__context_release(struct filch__context *c)
{
    filch__sanitizer_release(&c->sanitizer);
}
