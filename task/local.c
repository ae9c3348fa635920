/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/local.h>

#include "task/scope.h"

#include <errno.h>

#define BOUND 0xb0d1

/* A frame in which cancellation is that of what encloses it. */
struct binding {
    struct filch__frame frame; /* first */
    const filch_local *key;
    void *value;
    uint32_t life; /* BOUND, or 0 */
};

_Static_assert(sizeof(struct binding) <= sizeof(filch_binding), "storage of a binding");

static const uint32_t never;

int filch_local_bind(filch_binding *storage, const filch_local *key, void *value)
{
    struct binding *b = (struct binding *)(void *)storage;
    struct filch__fiber *fiber = filch__fiber_current();
    if (!storage || !key)
        return -EINVAL;
    struct filch__frame *outer = *filch__frames_home(fiber);
    if (outer == &b->frame)
        return -EBUSY;
    b->frame = (struct filch__frame){
        .outer = outer,
        .cancelled = outer   ? outer->cancelled
                     : fiber ? fiber->cancelled
                             : &never,
        .closing = outer   ? outer->closing
                   : fiber ? &fiber->rt->closing
                           : &never,
        .kind = FILCH__FRAME_BINDING,
    };
    b->key = key;
    b->value = value;
    b->life = BOUND;
    filch__frame_push(fiber, &b->frame);
    return 0;
}

int filch_local_unbind(filch_binding *storage)
{
    struct binding *b = (struct binding *)(void *)storage;
    struct filch__fiber *fiber = filch__fiber_current();
    if (!storage || b->life != BOUND)
        return -EINVAL;
    if (b->frame.home != filch__frames_home(fiber))
        return -EPERM;
    if (!filch__frame_is_innermost(fiber, &b->frame))
        return -EBUSY;
    filch__frame_pop(fiber, &b->frame);
    b->life = 0;
    return 0;
}

/* Frames further out than a task's own are those of its scope's opener, which are open as long as
 * the task runs. */
void *filch_local_get(const filch_local *key)
{
    struct filch__fiber *fiber = filch__fiber_current();
    struct filch_handle *task = fiber ? fiber->task : NULL;
    struct filch__frame *frame = *filch__frames_home(fiber);
    for (;;) {
        for (; frame; frame = frame->outer) {
            struct binding *b = (struct binding *)(void *)frame;
            if (frame->kind == FILCH__FRAME_BINDING && b->key == key)
                return b->value;
        }
        if (!task || !task->scope)
            return NULL;
        frame = &task->scope->region.frame;
        task = task->scope->region.task;
    }
}
