/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/registry.h"

#include "sched/barrier.h"
#include "sched/fiber/overflow.h"
#include "sched/fiber/slab.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static filch_runtime *runtimes; /* under lock */

static struct filch__closing_hook *closing_hooks;
void (*filch__process_forked)(void);

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;
static filch_runtime *default_runtime; /* written under default_lock */

static void before_fork(void)
{
    pthread_mutex_lock(&default_lock);
    pthread_mutex_lock(&lock);
    filch__slab_before_fork();
}

static void in_parent(void)
{
    filch__slab_after_fork();
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&default_lock);
}

static void in_child(void)
{
    for (filch_runtime *rt = runtimes; rt; rt = rt->next) {
        filch__store_relaxed(&rt->lost, 1);
        filch__store_relaxed(&rt->closing, 1);
    }
    runtimes = NULL;
    filch__store_relaxed(&default_runtime, NULL);
    filch__fiber_forget();
    if (filch__process_forked)
        filch__process_forked();
    in_parent();
}

static void init(void)
{
    filch__barrier_init_process();
    filch__overflow_set_describe(filch__fiber_describe);
    pthread_atfork(before_fork, in_parent, in_child);
}

void filch__registry_init_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init);
}

void filch__registry_hook(struct filch__closing_hook *hook)
{
    hook->next = closing_hooks;
    closing_hooks = hook;
}

void filch__registry_tell_closing(filch_runtime *rt)
{
    for (const struct filch__closing_hook *hook = closing_hooks; hook; hook = hook->next)
        hook->fn(rt);
}

void filch__registry_add(filch_runtime *rt)
{
    pthread_mutex_lock(&lock);
    rt->next = runtimes;
    runtimes = rt;
    pthread_mutex_unlock(&lock);
}

void filch__registry_remove(filch_runtime *rt)
{
    pthread_mutex_lock(&lock);
    for (filch_runtime **at = &runtimes; *at; at = &(*at)->next)
        if (*at == rt) {
            *at = rt->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

filch_runtime *filch__registry_lock(void)
{
    pthread_mutex_lock(&lock);
    return runtimes;
}

void filch__registry_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

filch_runtime *filch__runtime_default(void)
{
    return filch__load_acquire(&default_runtime);
}

int filch__runtime_get(filch_runtime *rt, filch_runtime **out)
{
    if (!rt)
        rt = filch__runtime_default();
    int rc = 0;
    if (!rt) {
        pthread_mutex_lock(&default_lock);
        rt = default_runtime;
        if (!rt && (rc = filch_runtime_create(&rt, NULL)) == 0)
            filch__store_release(&default_runtime, rt);
        pthread_mutex_unlock(&default_lock);
    }
    if (rc == 0)
        *out = rt;
    return rc;
}

int filch__runtime_choose(filch_runtime *rt, filch_runtime **out)
{
    const struct filch__worker *w = filch__worker_current();
    return filch__runtime_get(!rt && w ? w->rt : rt, out);
}
