/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system refuses while scopes are used: the Nth allocation, mapping or thread, once or for ever
 * after, for each N until none is reached any more. Each call answers as documented and leaves its
 * outputs alone, what was admitted ends, nothing leaks. Real only where faults can be injected
 * (-Dfaults=true).
 */
#include "tests/support.h"

#ifdef FILCH_FAULTS
#include "tests/fault_check.h"

enum { MS = 1000000 };

struct scene {
    filch_runtime *rt;
    uint32_t spawned, ran, dropped, deferred, defers_ran;
};

static bool refused(int rc)
{
    return rc == -ENOMEM || rc == -EAGAIN;
}

static void count_defer(void *arg)
{
    struct scene *s = arg;
    tally(&s->defers_ran);
}

static void drop(void *arg)
{
    struct scene **s = arg;
    tally(&(*s)->dropped);
}

static int child(void *arg)
{
    struct scene *s = *(struct scene **)arg;
    tally(&s->ran);
    int rc = filch_defer(count_defer, s);
    CHECK(rc == 0 || rc == -ENOMEM);
    if (rc == 0)
        tally(&s->deferred);
    rc = filch_sleep(1);
    CHECK(rc == 0 || refused(rc) || rc == -ECANCELED);
    rc = filch_yield();
    CHECK(rc == 0 || rc == -ENOMEM || rc == -ECANCELED);
    return 1;
}

static void spawn_child(struct scene *s, filch_scope *scope, bool with_handle)
{
    filch_spawn_options o = {.arg_size = sizeof s, .arg_drop = drop, .name = "child"};
    filch_handle *const untouched = (filch_handle *)(uintptr_t)64;
    filch_handle *h = untouched;
    if (with_handle)
        o.stack_size = 4 * FILCH_STACK_MIN;
    int rc = filch_scope_spawn_with(scope, with_handle ? &h : NULL, &o, child, &s);
    CHECK(rc == 0 || rc == -ENOMEM);
    CHECK((h != untouched) == (rc == 0 && with_handle));
    if (rc == 0)
        tally(&s->spawned);
    if (h != untouched)
        filch_detach(h);
}

static void watch(filch_scope *scope)
{
    const uint32_t *flag = filch_scope_flag(scope);
    CHECK(flag && *flag <= FILCH_CAUSE_SHUTDOWN);
    int event = filch_scope_event(scope);
    CHECK(event >= 0 || event == -ENOMEM || event == -EMFILE || event == -ENFILE);
}

static void use_scope(struct scene *s, int64_t deadline, bool collect)
{
    filch_scope scope = FILCH_SCOPE_INIT;
    filch_scope_options o = {.runtime = s->rt, .deadline = deadline, .collect = collect};
    int64_t before = filch_deadline();
    int rc = filch_scope_open(&scope, &o);
    CHECK(rc == 0 || refused(rc));
    if (rc < 0) {
        CHECK(filch_scope_close(&scope) == -EINVAL && filch_deadline() == before);
        return;
    }
    for (int i = 0; i < 9; i++) {
        rc = filch_scope_defer(&scope, count_defer, s);
        CHECK(rc == 0 || rc == -ENOMEM);
        if (rc == 0)
            tally(&s->deferred);
    }
    for (int i = 0; i < 4; i++)
        spawn_child(s, &scope, i % 2);
    rc = filch_scope_set_deadline(&scope, filch_now() + INT64_C(1000000) * MS);
    CHECK(rc == 0 || refused(rc));
    if (deadline == 0)
        watch(&scope);
    filch_handle *h;
    if (collect && (rc = filch_scope_next(&scope, &h)) == 0)
        filch_detach(h);
    CHECK(rc == 0 || refused(rc) || rc == -ENOENT);
    CHECK(filch_scope_close(&scope) == 0);
    filch_report r;
    CHECK(filch_scope_report(&scope, &r) == 0 && r.failed == 0 && r.cancelled == 0);
}

static int use_all(void *arg)
{
    struct scene *s = arg;
    filch_shield shield;
    use_scope(s, 0, false);
    int rc = filch_shield_begin(&shield, filch_now() + INT64_C(1000000) * MS);
    CHECK(rc == 0 || refused(rc));
    if (rc < 0)
        CHECK(filch_shield_begin(&shield, 0) == 0); /* this one cannot fail */
    use_scope(s, 0, true);
    CHECK(filch_shield_end(&shield) == 0);
    use_scope(s, filch_now() + INT64_C(1000000) * MS, true);
    rc = filch_sleep(1);
    CHECK(rc == 0 || refused(rc));
    return 0;
}

/* All of it, in a task and on a thread. */
static void play(int workers)
{
    struct scene s = {.rt = NULL};
    if (filch_runtime_create(&s.rt, &(filch_options){.workers = workers}) < 0)
        return;
    int rc = filch_run(s.rt, use_all, &s);
    CHECK(rc == 0 || rc == -ENOMEM);
    use_scope(&s, 0, true);
    drain(s.rt);
    CHECK(filch_runtime_destroy(s.rt) == 0);
    CHECK(s.ran == s.spawned && s.dropped == s.spawned && s.defers_ran == s.deferred);
}

static long try_nth(int workers, enum filch__fault_kind kind, long nth, bool sticky)
{
    filch__fault_arm(kind, nth, sticky);
    play(workers);
    long seen = filch__fault_seen(kind);
    disarm();
    return seen;
}

int main(void)
{
    RUN(allocation_once);
    RUN(allocation_for_ever);
    RUN(mapping_once);
    RUN(mapping_for_ever);
    RUN(thread_once);
    RUN(thread_for_ever);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
