/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task-local values: seen by everything that is called, forked, or spawned into a scope, while they
 * are bound. A child of a scope sees what its opener had bound when it opened the scope. A free
 * task starts without any. Bindings nest like calls; the innermost of a key counts. Nothing is
 * allocated.
 *
 *     static filch_local request_id;
 *     ...
 *     filch_binding binding;
 *     filch_local_bind(&binding, &request_id, "r-17");
 *     serve();                           // filch_local_get(&request_id) anywhere inside: "r-17"
 *     filch_local_unbind(&binding);
 */
#ifndef FILCH_LOCAL_H
#define FILCH_LOCAL_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* A key: its address is what counts. */
typedef struct filch_local {
    char unused;
} filch_local;

typedef struct filch_binding {
    uint64_t opaque[10];
} filch_binding;

/* In a task or on any thread; does not suspend. value is borrowed until the unbind. -EINVAL: key is
 * NULL. -EBUSY: the binding is bound already. */
FILCH_API int filch_local_bind(filch_binding *binding, const filch_local *key, void *value);

/* By the task, job or thread that bound it. -EINVAL: not bound. -EPERM: somebody else bound it.
 * -EBUSY: something is open inside of it, or a job was forked there and not synced. */
FILCH_API int filch_local_unbind(filch_binding *binding);

/* The value bound to the key, or NULL. Any thread or task; takes as long as bindings and scopes are
 * nested. */
FILCH_API void *filch_local_get(const filch_local *key);

FILCH_END_DECLS

#endif
