/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the wait-for graph share: verdicts of a dump, and tasks a, b and c that have
 * mutexes and want others.
 */
#ifndef FILCH_TESTS_GRAPH_CHECK_H
#define FILCH_TESTS_GRAPH_CHECK_H

#include "tests/dump_check.h"

static inline int count_of(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static inline int verdicts(const char *text)
{
    return count_of(text, "deadlock: ") + count_of(text, "no task is left");
}

/* Until all of that is there, with so many verdicts. */
static inline void expect_words(int in_all, const char *const words[], int n)
{
    int64_t patience = watchdog_now() + (int64_t)20 * watchdog_patience() * 1000000000;
    for (bool found = false, late = false; !found && !late; sched_yield()) {
        int rc, there = 0;
        char *text = dump_text(&rc);
        CHECK(rc == 0);
        mask(text);
        for (int i = 0; i < n; i++)
            there += strstr(text, words[i]) != NULL;
        found = there == n && verdicts(text) == in_all;
        late = watchdog_now() > patience;
        CHECK(found || !late);
        if (late && !found)
            fprintf(stderr, "---- expected %d, with\n%s\n---- found\n%s----\n", in_all, words[0],
                    text);
        free(text);
    }
}

/* ---- cycles ---- */

struct hop {
    const char *who, *waits_for; /* the latter up to the next one's name */
};

/* A cycle is told from wherever it was met first. */
static inline bool tells(const char *text, const struct hop *hops, int n)
{
    for (int first = 0; first < n; first++) {
        char line[1024];
        size_t at = (size_t)snprintf(line, sizeof line, "deadlock: %s waits for ", hops[first].who);
        for (int i = 0; i < n; i++)
            at += (size_t)snprintf(line + at, sizeof line - at, "%s%s%s",
                                   hops[(first + i) % n].waits_for, hops[(first + i + 1) % n].who,
                                   i + 1 < n ? ", which waits for " : "\n");
        if (strstr(text, line))
            return true;
    }
    return false;
}

static inline void expect_cycle(const struct hop *hops, int n)
{
    int64_t patience = watchdog_now() + (int64_t)20 * watchdog_patience() * 1000000000;
    for (bool found = false, late = false; !found && !late; sched_yield()) {
        int rc;
        char *text = dump_text(&rc);
        CHECK(rc == 0);
        mask(text);
        found = tells(text, hops, n) && verdicts(text) == 1;
        late = watchdog_now() > patience;
        CHECK(found || !late);
        if (late && !found)
            fprintf(stderr, "---- expected a cycle of %d\n---- found\n%s----\n", n, text);
        free(text);
    }
}

#define MUTEX "a mutex (@) held by "
#define A     "task \"a\""
#define B     "task \"b\""
#define C     "task \"c\""

/* ---- what the scenes are played with ---- */

static filch_mutex first, second, third;
static filch_rwlock rwlock;
static filch_once once;

static filch_handle *task[3];
static uint32_t there;

static inline void await_all(uint32_t n)
{
    tally(&there);
    while (filch__load_acquire(&there) < n && !filch_cancelled())
        (void)filch_yield();
}

static inline void unlock(filch_mutex *m, int rc)
{
    if (rc >= 0)
        CHECK(filch_mutex_unlock(m) == 0);
}

/* Has one, and when all n have theirs wants the next. */
static inline int have_and_want(filch_mutex *one, filch_mutex *next, uint32_t n)
{
    CHECK(filch_mutex_lock(one) == 0);
    await_all(n);
    unlock(next, filch_mutex_lock(next));
    unlock(one, 0);
    return 0;
}

static inline int first_then_second(void *n)
{
    return have_and_want(&first, &second, *(uint32_t *)n);
}

static inline int second_then_first(void *n)
{
    return have_and_want(&second, &first, *(uint32_t *)n);
}

static inline int want_first(void *arg)
{
    (void)arg;
    unlock(&first, filch_mutex_lock(&first));
    return 0;
}

static inline int want_third(void *arg)
{
    (void)arg;
    unlock(&third, filch_mutex_lock(&third));
    return 0;
}

static uint32_t two __attribute__((unused)) = 2;

static inline filch_runtime *open_scene(int workers)
{
    first = second = third = (filch_mutex)FILCH_MUTEX;
    rwlock = (filch_rwlock)FILCH_RWLOCK;
    once = (filch_once)FILCH_ONCE;
    there = go = here = 0;
    memset(task, 0, sizeof task);
    return runtime_open(workers);
}

static inline void spawn_called(filch_runtime *rt, int i, filch_fn *fn, void *arg)
{
    static const char *const names[] = {"a", "b", "c"};
    filch_spawn_options o = {.name = names[i], .runtime = rt};
    REQUIRE(filch_spawn_with(&task[i], &o, fn, arg) == 0);
}

static inline void close_scene(filch_runtime *rt)
{
    for (int i = 0; i < 3; i++)
        if (task[i])
            filch_abort(task[i]);
    raise_flag(&go);
    for (int i = 0; i < 3; i++)
        if (task[i])
            (void)join(task[i]);
    drain(rt);
    runtime_close(rt);
}

#endif
