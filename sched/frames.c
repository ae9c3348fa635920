/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/frames.h"

#include "sched/os/die.h"

#include <pthread.h>

/* Not in line: a compiler may compute its address before a switch of fibers and use it after. */
__attribute__((noinline)) struct filch__frame **filch__frames_of_thread(void)
{
    static __thread struct filch__frame *innermost;
    return &innermost;
}

static pthread_key_t key;
static bool has_key;

static void thread_ends(void *home)
{
    if (*(struct filch__frame **)home)
        filch__die("a thread has ended with a scope, shield or binding open");
}

static void create_key(void)
{
    has_key = pthread_key_create(&key, thread_ends) == 0;
}

/* Where the system has no key to give, the misuse goes unnoticed. */
void filch__frames_watch_thread(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, create_key);
    if (has_key)
        (void)pthread_setspecific(key, filch__frames_of_thread());
}

struct filch__frame *filch__frame_of_job(struct filch__fiber *victim, uintptr_t position)
{
    /* Where a frame is open around the fork, this load sees it or a later one. */
    if (!filch__load_relaxed(&victim->frame))
        return NULL;
    filch__spin_lock(&victim->frame_lock);
    struct filch__frame *frame = filch__load_relaxed(&victim->frame);
    while (frame && frame->home == &victim->frame && frame->position > position)
        frame = frame->outer;
    filch__spin_unlock(&victim->frame_lock);
    return frame;
}
