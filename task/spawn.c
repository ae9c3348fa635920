/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/idle.h"
#include "task/argument.h"
#include "task/future.h"
#include "task/scope.h"
#include "task/stackless.h"

#include <errno.h>
#include <string.h>

#define ALIGN 16
/* An argument, result or future above this is a mistake, and would overflow the block's size. */
#define MOVED_MAX ((size_t)1 << 30)

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* What a task runs: fn(arg), or a future that is moved into it. */
struct body {
    filch_fn *fn;
    void *arg;
    filch_future *future; /* or NULL */
    size_t future_size;
};

/* Where the parts of a block are. */
struct layout {
    bool has_extra;
    size_t extra, arg, result, size;
};

static bool is_plain(const filch_spawn_options *o)
{
    return !o->name && !o->worker && !o->stack_size && !o->arg_size && !o->arg_drop &&
           !o->result_size && !o->result_drop && !o->cancel_on_drop;
}

static struct layout layout_of(const filch_spawn_options *o, const struct body *body)
{
    size_t first = body->future ? offsetof(struct filch__stackless, future) + body->future_size
                                : sizeof(struct filch_handle);
    struct layout l = {.has_extra = !is_plain(o), .extra = round_up(first, ALIGN)};
    l.arg = round_up(l.extra + (l.has_extra ? sizeof(struct filch__task_extra) : 0), ALIGN);
    l.result = round_up(l.arg + o->arg_size, ALIGN);
    l.size = round_up(l.result + o->result_size, 64);
    return l;
}

static inline void init(struct filch_handle *t, filch_runtime *rt, struct filch__scope *scope,
                        filch_fn *fn, void *arg, bool handle, size_t size)
{
    bool kept = scope && scope->options.collect && !handle;
    t->runnable.run = filch__task_run;
    t->fn = fn;
    t->arg = arg;
    t->rt = rt;
    t->extra = NULL;
    t->scope = scope;
    t->block_size = (uint32_t)size;
    t->state = FILCH__TASK_SCHEDULER | (handle || kept ? FILCH__TASK_HANDLE : 0);
    t->cancelled = 0;
    t->lock = 0;
    t->kept = kept;
    t->fiber = NULL;
    t->strands = NULL;
    t->regions = NULL;
    t->joiner = 0;
}

/* A spawn that was refused after it had got its memory. */
static int give_back(filch_runtime *rt, struct filch_handle *t, size_t size, int rc)
{
    filch__block_free(rt, filch__worker_of(rt), t, size);
    filch__unadmit(rt);
    return rc;
}

/* w is filch__worker_of(rt). scope may be NULL. */
__attribute__((always_inline)) static inline int
spawn_plain(filch_runtime *rt, struct filch__worker *w, struct filch__scope *scope,
            filch_handle **h, filch_fn *fn, void *arg)
{
    size_t size = FILCH__BLOCK_COMMON;
    if (!filch__admit(rt, w))
        return -ESHUTDOWN;
    struct filch_handle *t = filch__block_alloc(rt, w, size);
    if (filch__unlikely(!t)) {
        filch__unadmit(rt);
        return -ENOMEM;
    }
    init(t, rt, scope, fn, arg, h, size);
    if (scope && filch__unlikely(!filch__scope_adopt(scope, t)))
        return give_back(rt, t, size, -EINVAL);
    if (h)
        *h = t;
    if (w)
        filch__submit_spawn_here(w, &t->runnable);
    else
        filch__submit_spawn(rt, &t->runnable, NULL);
    return 0;
}

static void init_extra(struct filch_handle *t, const filch_spawn_options *o, const struct layout *l)
{
    char *block = (char *)t;
    t->extra = (struct filch__task_extra *)(void *)(block + l->extra);
    *t->extra = (struct filch__task_extra){
        .arg_drop = o->arg_drop,
        .result_drop = o->result_drop,
        .result = block + l->result,
        .result_size = o->result_size,
        .pinned = o->worker ? &t->rt->workers[o->worker - 1] : NULL,
        .cancel_on_drop = o->cancel_on_drop,
    };
    if (o->name)
        filch__name_copy(t->extra->name, o->name);
    if (o->arg_size)
        t->arg = memcpy(block + l->arg, t->arg, o->arg_size);
    memset(t->extra->result, 0, o->result_size);
}

/* The stack of a task that asks for a size of its own is made here, so that its lack is an error.
 */
static int make_stack(struct filch_handle *t, size_t size)
{
    if (!size || size == t->rt->stack_size)
        return 0;
    t->extra->own_fiber = filch__fiber_acquire(t->rt, NULL, size);
    t->runnable.run = filch__task_run_own;
    return t->extra->own_fiber ? 0 : -ENOMEM;
}

static int spawn_body(filch_runtime *rt, struct filch__scope *scope, filch_handle **h,
                      const filch_spawn_options *o, const struct body *body)
{
    struct layout l = layout_of(o, body);
    struct filch__worker *w = filch__worker_of(rt);
    if (!filch__admit(rt, w))
        return -ESHUTDOWN;
    struct filch_handle *t = filch__block_alloc(rt, w, l.size);
    if (!t) {
        filch__unadmit(rt);
        return -ENOMEM;
    }
    init(t, rt, scope, body->fn, body->arg, h, l.size);
    if (l.has_extra)
        init_extra(t, o, &l);
    if (scope && !filch__scope_adopt(scope, t))
        return give_back(rt, t, l.size, -EINVAL);
    if (make_stack(t, o->stack_size) < 0) {
        if (scope)
            filch__scope_disown(t);
        return give_back(rt, t, l.size, -ENOMEM);
    }
    if (body->future)
        filch__stackless_begin(t, w, body->future, body->future_size);
    struct filch__worker *pinned = filch__task_pinned(t);
    if (h)
        *h = t;
    filch__submit_spawn(rt, &t->runnable, pinned);
    return 0;
}

static bool valid(const filch_runtime *rt, const filch_spawn_options *o)
{
    return o->worker >= 0 && (uint32_t)o->worker <= rt->worker_count &&
           (!o->stack_size ||
            (o->stack_size >= FILCH_STACK_MIN && o->stack_size <= FILCH_STACK_MAX)) &&
           o->arg_size <= MOVED_MAX && o->result_size <= MOVED_MAX;
}

static bool valid_future(const filch_spawn_options *o, size_t size)
{
    return !o->stack_size && !o->arg_size && !o->arg_drop && size >= sizeof(filch_future) &&
           size <= MOVED_MAX;
}

static const filch_spawn_options defaults;

/* The runtime of the new task. */
static int choose_runtime(const struct filch__scope *scope, const filch_spawn_options *o,
                          filch_runtime **rt)
{
    if (scope) {
        *rt = scope->region.rt;
        return o->runtime && o->runtime != *rt ? -EINVAL : 0;
    }
    return filch__runtime_choose(o->runtime, rt);
}

int filch__task_spawn(struct filch__scope *scope, filch_handle **h, const filch_spawn_options *o,
                      filch_fn *fn, void *arg)
{
    filch_runtime *rt;
    if (!fn)
        return -EINVAL;
    int rc = choose_runtime(scope, o, &rt);
    if (rc < 0)
        return rc;
    if (!valid(rt, o))
        return -EINVAL;
    return is_plain(o) ? spawn_plain(rt, filch__worker_of(rt), scope, h, fn, arg)
                       : spawn_body(rt, scope, h, o, &(struct body){.fn = fn, .arg = arg});
}

static int spawn_future(struct filch__scope *scope, filch_handle **h, const filch_spawn_options *o,
                        filch_future *f, size_t size)
{
    filch_runtime *rt;
    o = o ? o : &defaults;
    if (!f || !f->ops || !f->ops->poll || !valid_future(o, size))
        return -EINVAL;
    int rc = filch__future_check(f);
    if (rc < 0)
        return rc;
    if (f->state != FILCH__FUTURE_NEW)
        return -EALREADY;
    rc = choose_runtime(scope, o, &rt);
    if (rc < 0)
        return rc;
    if (!valid(rt, o))
        return -EINVAL;
    return spawn_body(rt, scope, h, o, &(struct body){.future = f, .future_size = size});
}

int filch_spawn_future_with(filch_handle **h, const filch_spawn_options *o, filch_future *f,
                            size_t size)
{
    return spawn_future(NULL, h, o, f, size);
}

int filch_spawn_future(filch_handle **h, filch_future *f, size_t size)
{
    return spawn_future(NULL, h, NULL, f, size);
}

int filch_spawn_with(filch_handle **h, const filch_spawn_options *o, filch_fn *fn, void *arg)
{
    filch__argument_check(o, fn, arg);
    return filch__task_spawn(NULL, h, o ? o : &defaults, fn, arg);
}

int filch_spawn(filch_handle **h, filch_fn *fn, void *arg)
{
    struct filch__worker *w = filch__worker_current();
    filch__argument_check(NULL, fn, arg);
    if (filch__likely(w && fn))
        return spawn_plain(w->rt, w, NULL, h, fn, arg);
    return filch__task_spawn(NULL, h, &defaults, fn, arg);
}

/* Closed, never opened, or gone with its runtime to another process. */
static bool is_open(filch_scope *s)
{
    return s && filch__load_relaxed(&filch__scope_of(s)->region.life) == FILCH__REGION_OPEN;
}

int filch_scope_spawn_with(filch_scope *s, filch_handle **h, const filch_spawn_options *o,
                           filch_fn *fn, void *arg)
{
    if (!is_open(s))
        return -EINVAL;
    return filch__task_spawn(filch__scope_of(s), h, o ? o : &defaults, fn, arg);
}

int filch_scope_spawn(filch_scope *s, filch_handle **h, filch_fn *fn, void *arg)
{
    struct filch__worker *w = filch__worker_current();
    if (filch__likely(w && fn && is_open(s) && filch__scope_of(s)->region.rt == w->rt))
        return spawn_plain(w->rt, w, filch__scope_of(s), h, fn, arg);
    return filch_scope_spawn_with(s, h, NULL, fn, arg);
}

int filch_scope_spawn_future(filch_scope *s, filch_handle **h, const filch_spawn_options *o,
                             filch_future *f, size_t size)
{
    if (!is_open(s))
        return -EINVAL;
    return spawn_future(filch__scope_of(s), h, o, f, size);
}

const char *filch__task_name(const void *task)
{
    const struct filch_handle *t = task;
    return t->extra ? t->extra->name : "";
}

/* In this file because no program has tasks without it. */
__attribute__((constructor)) static void tell_names(void)
{
    filch__fiber_name = filch__task_name;
}
