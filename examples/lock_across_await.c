/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1,000 tasks on 2 workers take turns at a mutex and sleep while they have it. With a lock of
 * threads the two workers would block in it, and nobody could run whose sleep is over. Here another
 * task counts meanwhile.
 */
#include <filch/filch.h>

#include <stdio.h>

#define MICROSECOND INT64_C(1000)
#define TASKS       1000

struct shared {
    filch_mutex mutex;
    int turns;
    bool inside;
    bool over;
    int64_t counted;
};

static int take_turn(void *arg)
{
    struct shared *shared = arg;
    int rc = filch_mutex_lock(&shared->mutex);
    if (rc < 0)
        return rc;
    bool alone = !shared->inside;
    shared->inside = true;
    rc = filch_sleep(100 * MICROSECOND);
    shared->inside = false;
    shared->turns++;
    filch_mutex_unlock(&shared->mutex);
    return rc < 0 ? rc : alone ? 0 : -1;
}

static int count(void *arg)
{
    struct shared *shared = arg;
    int rc = 0;
    while (rc == 0 && !__atomic_load_n(&shared->over, __ATOMIC_ACQUIRE)) {
        shared->counted++;
        rc = filch_yield();
    }
    return rc;
}

static int program(void *arg)
{
    struct shared *shared = arg;
    filch_handle *counter;
    filch_scope scope;
    int rc = filch_spawn(&counter, count, shared);
    if (rc < 0)
        return rc;
    rc = filch_scope_open(&scope, NULL);
    for (int i = 0; i < TASKS && rc == 0; i++)
        rc = filch_scope_spawn(&scope, NULL, take_turn, shared);
    int closed = filch_scope_close(&scope);
    __atomic_store_n(&shared->over, true, __ATOMIC_RELEASE);
    int counting = filch_join(counter, NULL);
    printf("%d turns, the workers were free: %s\ndone\n", shared->turns,
           shared->counted > TASKS ? "yes" : "no");
    return rc < 0 ? rc : closed < 0 ? closed : counting;
}

int main(void)
{
    static struct shared shared = {.mutex = FILCH_MUTEX};
    filch_runtime *runtime;
    int rc = filch_runtime_create(&runtime, &(filch_options){.workers = 2});
    if (rc == 0) {
        rc = filch_run(runtime, program, &shared);
        filch_runtime_destroy(runtime);
    }
    return rc != 0;
}
