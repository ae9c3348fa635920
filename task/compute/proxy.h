/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy: a task that runs nothing and stands for the caller of a loop or team who is not of the
 * runtime, a thread or a fiber of another one. What workers run for the caller they run for it, so
 * that it can open scopes and wait there as anywhere. Nobody but they and dumps know it.
 */
#ifndef FILCH_TASK_COMPUTE_PROXY_H
#define FILCH_TASK_COMPUTE_PROXY_H

#include "sched/calls.h"
#include "task/task.h"

#include <filch/local.h>

struct filch__proxy {
    struct filch_handle *task;
    struct filch__frame *frame; /* the caller's innermost; NULL: a thread, which nothing cancels */
    const uint32_t *cancelled;  /* what cancels the caller there */
    filch_binding binding;      /* that frame, where a fiber has none: it brings its flags along */
};

/* me: the caller's fiber or NULL; rt is not me's. It keeps rt from ending. -ESHUTDOWN, -ENOMEM. */
int filch__proxy_begin(struct filch__proxy *p, filch_runtime *rt, struct filch__fiber *me);
/* By the same, when nobody works for it any more. rt may end then. */
void filch__proxy_end(struct filch__proxy *p);

/* What the call says of who works for whom. */
void filch__proxy_sign(const struct filch__proxy *p, struct filch__call *call);

/*
 * filch__call_close of a call that it has signed. A cancel of the caller wakes only what waits in
 * the caller's own task; what waits for the proxy, and what it has opened, is told here, some
 * milliseconds later where the caller is a thread.
 */
void filch__proxy_close(struct filch__proxy *p, struct filch__call *call);

#endif
