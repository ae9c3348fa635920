/* SPDX-License-Identifier: Apache-2.0 */
#include "task/holder.h"

#include "sched/os/fault.h"

#include <pthread.h>

static __thread _Alignas(FILCH__HOLDER_ALIGN) struct filch__holder of_thread;
static __thread bool registered;

static pthread_key_t key;
static bool has_key;

/* What still runs in the thread then registers it again, where it locks. */
static void thread_ends(void *holder)
{
    registered = false;
    filch__holder_end(holder);
}

void filch__holder_leave(void)
{
    filch__holder_end(&of_thread);
}

static void create_key(void)
{
    has_key = pthread_key_create(&key, thread_ends) == 0;
}

const struct filch__holder *filch__holder_place(void)
{
    return &of_thread;
}

struct filch__holder *filch__holder_of_thread(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (filch__likely(registered))
        return &of_thread;
    pthread_once(&once, create_key);
    if (!has_key || filch__fault_alloc() || pthread_setspecific(key, &of_thread) != 0)
        return NULL;
    registered = true;
    return &of_thread;
}
