/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a dump, what makes it comparable, and scenes to be dumped.
 */
#ifndef FILCH_TESTS_DUMP_CHECK_H
#define FILCH_TESTS_DUMP_CHECK_H

#include "tests/support.h"

#include <stdlib.h>

/* What filch_dump writes; to be freed. */
static inline char *dump_text(int *rc)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream);
    *rc = filch_dump(stream);
    REQUIRE(fclose(stream) == 0 && text);
    return text;
}

/* Replaces addresses by @, times by T, at most or not, workers by N and threads by M. */
static inline void mask(char *text)
{
    char *to = text;
    for (char *from = text; *from;) {
        if (strncmp(from, "0x", 2) == 0) {
            from += 2 + strspn(from + 2, "0123456789abcdef");
            *to++ = '@';
        } else if (strncmp(from, "at most ", 8) == 0) {
            from += 8;
        } else if (strncmp(from, "thread ", 7) == 0 && from[7] >= '0' && from[7] <= '9') {
            from += 7 + strspn(from + 7, "0123456789");
            memcpy(to, "thread M", 8);
            to += 8;
        } else if (strncmp(from, "worker ", 7) == 0 && from[7] >= '0' && from[7] <= '9') {
            memmove(to, from, 7);
            to += 7;
            from += 7 + strspn(from + 7, "0123456789");
            *to++ = 'N';
        } else if (*from >= '0' && *from <= '9') {
            size_t n = strspn(from, "0123456789.");
            const char *unit = from + n;
            bool time = strncmp(unit, " ns", 3) == 0 || strncmp(unit, " us", 3) == 0 ||
                        strncmp(unit, " ms", 3) == 0 ||
                        (strncmp(unit, " s", 2) == 0 && !(unit[2] >= 'a' && unit[2] <= 'z'));
            memmove(to, from, n);
            to = time ? to : to + n;
            from += time ? n + (unit[2] == 's' ? 3 : 2) : n;
            if (time)
                *to++ = 'T';
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
}

/* Until everything stands as expected; the case's deadline is the watchdog's, but what differs is
 * worth more than that. */
static inline void expect(const char *expected)
{
    int64_t patience = watchdog_now() + (int64_t)20 * watchdog_patience() * 1000000000;
    for (;;) {
        int rc;
        char *text = dump_text(&rc);
        CHECK(rc == 0);
        mask(text);
        bool same = strcmp(text, expected) == 0;
        bool late = watchdog_now() > patience;
        CHECK(!late || same);
        if (late && !same)
            fprintf(stderr, "---- expected\n%s---- found\n%s----\n", expected, text);
        free(text);
        if (same || late)
            return;
        sched_yield();
    }
}

/* What the tasks of a scene go by. */
static uint32_t go, here;

static inline int sleep_long(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static inline int spin(void *arg)
{
    (void)arg;
    raise_flag(&here);
    SPIN_UNTIL(flag_up(&go));
    return 0;
}

static inline int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static inline int failure(void *arg)
{
    (void)arg;
    return -EIO;
}

static inline void spawn_named(filch_scope *s, filch_handle **h, const char *name, int worker,
                               filch_fn *fn)
{
    filch_spawn_options o = {.name = name, .worker = worker};
    CHECK(filch_scope_spawn_with(s, h, &o, fn, NULL) == 0);
}

/* Runs `fn` as a task `main` of a runtime until it shows what is expected, then aborts it. */
static inline void scene(int workers, filch_fn *fn, const char *expected)
{
    filch_runtime *rt = runtime_open(workers);
    go = here = 0;
    filch_handle *h;
    filch_spawn_options o = {.name = "main", .runtime = rt};
    REQUIRE(filch_spawn_with(&h, &o, fn, NULL) == 0);
    expect(expected);
    filch_abort(h);
    raise_flag(&go);
    (void)join(h);
    runtime_close(rt);
}

#endif
